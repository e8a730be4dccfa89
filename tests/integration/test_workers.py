"""The tasks as processes: real workers, beat, Postgres, Valkey, and the VM behind a node's HTTP."""

import json
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from registry.domain.errors import BadRequest, IdempotencyKeyReused, PolicyNotFound
from registry.domain.settlement import NotInTheMoney
from registry.domain.tier import OutsideTiers
from registry.domain.units import Token
from registry.stacks.wire import TESTNET
from tests.integration.chain import ROOT
from tests.integration.stack import Holder, Stack, until
from workers.embedded.supervisor import Supervisor


def test_the_caller_of_a_creation_gets_what_the_last_link_of_its_canvas_answers(holder: Holder) -> None:
    answer = holder.request()
    assert answer["policy"]["status_detailed"] == "PendingCreation"
    assert answer["policy"]["risk_tier"] == "Balanced"
    assert answer["wallet_payload"]["functionName"] == "buy-policy-stx"
    assert answer["wallet_payload"]["address"] == holder.address


def test_a_repeated_request_is_answered_with_the_same_policy(holder: Holder) -> None:
    key = str(uuid4())
    first, second = holder.request(key=key), holder.request(key=key)
    assert first == second
    with pytest.raises(IdempotencyKeyReused):
        holder.request(key=key, duration_days=31)


def test_a_refusal_in_the_middle_of_a_canvas_reaches_the_caller_as_data(holder: Holder) -> None:
    with pytest.raises(OutsideTiers) as refused:
        holder.request(protected_value_price_feed_units=10_000 * 10**8)
    assert refused.value.figures["days"] == 30
    assert len(refused.value.figures["accepted"]) == 3  # type: ignore[arg-type]


def test_a_refusal_at_the_door_reaches_the_caller_as_data(stack: Stack) -> None:
    with pytest.raises(BadRequest, match="request is not usable"):
        stack.ask(
            "policies.request_creation",
            {"owner_principal": stack.chain.backend.address(TESTNET), "idempotency_key": "k", "request": None},
        )


def test_a_policy_lives_from_quote_to_payout_through_the_workers(holder: Holder) -> None:
    policy_id = holder.buy()
    with pytest.raises(NotInTheMoney):
        holder.activate(policy_id)
    holder.stack.chain.price("40000")
    accepted = holder.activate(policy_id)
    assert accepted["activation"]["state"] == "accepted"
    settled = holder.stack.wait_for(policy_id, "Settled")
    assert settled["settlement_amount_base_units"] == accepted["activation"]["settlement_amount_base_units"]
    assert settled["status_on_chain"] == 1


def test_a_policy_in_sbtc_expires_through_the_sweep(holder: Holder) -> None:
    policy_id = holder.buy(premium_token=Token.SBTC.value, duration_days=7)
    holder.stack.chain.burn(7 * 144 + 1)
    expired = holder.stack.wait_for(policy_id, "Expired")
    assert expired["status_on_chain"] == 2
    assert expired["last_checked_block_height_expiry"] > expired["expiration_height"]


def test_a_quote_that_nobody_signs_ends_as_failed_creation(holder: Holder) -> None:
    answer = holder.request()
    told = {"owner_principal": holder.address, "policy_id": answer["policy"]["id"], "declined": True}
    holder.stack.ask("policies.report_creation_tx", told)
    given_up = holder.stack.wait_for(answer["policy"]["id"], "FailedCreation")
    assert (given_up["status_on_chain"], given_up["premium_amount_base_units"]) == (None, None)


def test_another_owners_policy_looks_like_a_missing_one(holder: Holder) -> None:
    other = Holder(stack=holder.stack)
    answer = holder.request()
    for policy_id in (answer["policy"]["id"], str(uuid4())):
        with pytest.raises(PolicyNotFound):
            other.activate(policy_id)


def test_lists_come_in_pages_through_the_workers(holder: Holder) -> None:
    ids = [holder.request()["policy"]["id"] for _ in range(3)]
    ask = {"owner_principal": holder.address, "limit": 2}
    first = holder.stack.ask("policies.list_by_owner", ask)
    rest = holder.stack.ask("policies.list_by_owner", {**ask, "after": first["next"]})
    assert [item["id"] for item in (*first["items"], *rest["items"])] == ids
    assert rest["next"] is None
    stats = holder.stack.ask("policies.get_platform_stats", {})
    assert stats["policies"] >= 3


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (None, "it is not a JSON object"),
        ({"txid": "0x00"}, "it is missing"),
        (
            {
                "txid": "0x" + "00" * 32,
                "event_index": 0,
                "committed": True,
                "type": "contract_event",
                "contract_event": {"contract_identifier": "ST000.other", "topic": "print", "raw_value": "0x00"},
            },
            "not a contract of ours",
        ),
    ],
)
def test_a_pushed_event_that_is_not_ours_is_refused(stack: Stack, event: object, reason: str) -> None:
    with pytest.raises(BadRequest, match=reason):
        stack.ask("policies.handle_on_chain_event", {"event": event})


def test_only_the_worker_that_signs_was_given_the_keys(stack: Stack) -> None:
    assert not any(name.endswith("KEY_FILE") for name in stack.environment)
    holders = [
        path
        for path in Path("/proc").glob("[0-9]*/environ")
        if _reads(path, "REGISTRY_BACKEND_KEY_FILE=") and _reads(path, stack.environment["REGISTRY_POOL_CONTRACT"])
    ]
    assert holders
    for path in holders:
        assert "--queues=signing" in path.with_name("cmdline").read_text()


def _reads(path: Path, words: str) -> bool:
    try:
        return words in path.read_text(errors="replace")
    except OSError:
        return False


@pytest.mark.parametrize(
    ("process", "variable", "value", "reason"),
    [
        (("worker", "--queues=chain", "--pool=solo"), "QUOTE_KEY_FILE", "/nowhere", "must not be able to read a key"),
        (("worker", "--queues=default", "--pool=solo"), "BACKEND_KEY_FILE", "/nowhere", "must not be able to read"),
        (("beat",), "BACKEND_KEY_FILE", "/nowhere", "must not be able to read a key"),
        (("worker", "--queues=signing", "--pool=solo"), "LOG_JSON", "true", "the queue signing needs it"),
        (("worker", "--queues=chain", "--pool=solo"), "TIME_LIMIT_SECONDS", "400", "half the visibility timeout"),
        (("beat",), "TIME_LIMIT_SECONDS", "400", "half the visibility timeout"),
    ],
)
def test_a_process_that_would_break_a_promise_refuses_to_start_and_says_why(
    stack: Stack, process: tuple[str, ...], variable: str, value: str, reason: str
) -> None:
    environment = {**stack.environment, f"REGISTRY_{variable}": value, "PATH": "/usr/bin"}
    argv = [sys.executable, "-m", "celery", "--app=workers.app", *process]
    ended = subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - our own program
    assert ended.returncode != 0
    assert reason in ended.stderr + ended.stdout


@pytest.mark.usefixtures("stack")
def test_beat_enqueues_every_entry_once_when_it_starts(own_supervisor: Supervisor) -> None:
    log = (own_supervisor.directory / "logs" / "worker-default.log").read_text
    until(lambda: "policies.sweep_expirations" in log(), seconds=10)
    assert "policies.expire_quotes" in log()


def test_log_lines_of_a_task_carry_its_id_and_the_policys(holder: Holder, own_supervisor: Supervisor) -> None:
    policy_id = holder.buy()
    log = (own_supervisor.directory / "logs" / "worker-chain.log").read_text()
    moved = [json.loads(line) for line in log.splitlines() if "policy.moved" in line and policy_id in line]
    assert moved
    assert all(line["task"] == "policies.sync_status" and line["task_id"] for line in moved)
