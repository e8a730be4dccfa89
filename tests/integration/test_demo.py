"""The demo as a program: that every policy and every probe ends as it should, and that it leaves nobody behind."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.program import STOP_SECONDS, Program, running
from tests.integration.stack import until
from workers.audit.audit import CHECKS

DEMO_SECONDS = 150.0
FAST_SECONDS = 60.0
FIELDS = {
    "id",
    "policy_id_on_chain",
    "status_detailed",
    "status_on_chain",
    "risk_tier",
    "premium_token",
    "premium_amount_base_units",
    "settlement_amount_base_units",
    "tx_id_creation",
    "tx_id_status_update",
}
ENDS = {
    "paid-in-stx": ("abcd", "Settled", 1, "Balanced", "STX", "american"),
    "paid-in-sbtc": ("abcd", "Settled", 1, "Aggressive", "sBTC", "american"),
    "bought-late": ("aeicd", "Settled", 1, "Balanced", "sBTC", "american"),
    "wants-more": ("abcd", "Settled", 1, "Aggressive", "sBTC", "american"),
    "has-to-wait": ("abcd", "Settled", 1, "Balanced", "STX", "american"),
    "capped": ("abcd", "Settled", 1, "Conservative", "STX", "american"),
    "european-paid": ("abcd", "Settled", 1, "Aggressive", "sBTC", "european"),
    "european-lapsed": ("abjk", "Expired", 2, "Conservative", "sBTC", "european"),
    "forger": ("abcd", "Settled", 1, "Aggressive", "sBTC", "american"),
    "runs-out": ("abjk", "Expired", 2, "Conservative", "STX", "american"),
    "forgets": ("abjk", "Expired", 2, "Aggressive", "STX", "american"),
    "never-signed": ("ae", "FailedCreation", None, "Balanced", None, "american"),
    "declined": ("ae", "FailedCreation", None, "Aggressive", None, "american"),
    "lost-quote": ("n", "Quarantined", 0, None, "sBTC", "american"),
}
ANSWERS = {
    ("bought-late", "contract", "u204 quote_expired"),
    ("forger", "contract", "u203 quote_not_signed"),
    ("forger", "contract", "u102 registry_bad_parameters"),
    ("forger", "contract", "u100 registry_not_authorised"),
    ("forger", "contract", "u205 quote_used"),
    ("forger", "contract", "skipped"),
    ("european-paid", "registry", "european_style"),
    ("european-lapsed", "registry", "european_style"),
    ("lost-quote", "registry", "policy_not_active"),
    ("wants-more", "registry", "below_minimum"),
    ("has-to-wait", "registry", "price_unavailable"),
}


@pytest.fixture
def demo() -> Iterator[Program]:
    with running("demo") as own:
        yield own


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What one run says, from its start to its clean end."""
    with running("demo") as demo:
        until(lambda: {"postgres", "flower", "beat"} <= demo.members(), seconds=DEMO_SECONDS)
        assert demo.left_behind()
        status, out, err = demo.end(seconds=DEMO_SECONDS)
        assert status == 0, err
        assert demo.left_behind() == set()
        result: dict[str, Any] = json.loads(out)
        return result


def test_every_policy_walks_its_edges_to_its_end(told: dict[str, Any]) -> None:
    assert set(told) == {"policies", "probes", "audit", "phases", "seconds"}
    assert all(set(policy) >= FIELDS for policy in told["policies"])
    assert {policy["name"]: _ending(policy) for policy in told["policies"]} == ENDS
    settled = [policy for policy in told["policies"] if policy["status_detailed"] == "Settled"]
    assert all(policy["settlement_amount_base_units"] > 0 for policy in settled)
    assert all(len(policy["tx_id_creation"]) == len(policy["tx_id_status_update"]) == 64 for policy in settled)
    assert {policy["name"] for policy in told["policies"] if policy["capped"]} == {"capped"}


def _ending(policy: dict[str, Any]) -> tuple[object, ...]:
    walk = "".join(move["edge"] for move in policy["walk"])
    names = ("status_detailed", "status_on_chain", "risk_tier", "premium_token", "exercise_style")
    return (walk, *(policy[name] for name in names))


def test_why_a_policy_moved_is_told(told: dict[str, Any]) -> None:
    causes = {policy["name"]: [move["cause"] for move in policy["walk"]] for policy in told["policies"]}
    assert causes["declined"][-1] == "declined and outlived"
    assert causes["never-signed"][-1] == "outlived, never purchased"
    assert causes["european-paid"][2] == "due in the money"
    assert causes["european-lapsed"][2] == "due out of the money"


def test_every_attempt_is_answered_as_it_should_be(told: dict[str, Any]) -> None:
    assert {(each["who"], each["by"], each["answer"]) for each in told["probes"]} == ANSWERS
    assert all(len(each["tx_id"]) == 64 for each in told["probes"] if each["by"] == "contract")


def test_ids_are_not_dense_for_another_counterparty_has_one(told: dict[str, Any]) -> None:
    ours = {policy["policy_id_on_chain"] for policy in told["policies"]} - {None}
    assert len(ours) == 12
    assert len(set(range(1, max(*ours, 13) + 1)) - ours) == 1


def test_the_audit_of_all_of_it_holds(told: dict[str, Any]) -> None:
    assert told["audit"] == {"ok": True, "checks": dict.fromkeys(CHECKS, True)}


def test_it_takes_less_than_a_minute(told: dict[str, Any]) -> None:
    assert told["seconds"] < FAST_SECONDS
    assert sum(told["phases"].values()) == pytest.approx(told["seconds"], abs=1.0)


@pytest.mark.parametrize("moment", ["postgres", "worker-signing", "wallet-runs-out"])
def test_a_polite_kill_at_any_moment_leaves_no_process(demo: Program, moment: str) -> None:
    log = demo.directory / "logs" / f"{moment}.log"
    until(lambda: bool(demo.members()) and log.exists(), seconds=DEMO_SECONDS)
    begun = time.monotonic()
    demo.process.send_signal(signal.SIGTERM)
    status, out, err = demo.end(seconds=STOP_SECONDS)
    assert time.monotonic() - begun < STOP_SECONDS
    assert (status, out) == (128 + signal.SIGTERM, "")
    assert "Traceback" not in err
    assert demo.left_behind() == set()
