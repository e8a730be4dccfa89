"""Webhooks by their tasks: over a real life, beside a receiver that never answers, and with workers that are ended."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from celery.signals import before_task_publish
from redis import Redis
from sqlalchemy import text

from registry import fault_points
from registry.domain.policy import PolicyStatus
from registry.domain.webhook import OF_STATUS, Kind
from registry.store.front_tables import WebhookState
from registry.store.session import unit_of_work
from tests.integration.chain import Chain
from tests.integration.driver import Driver
from tests.integration.pump import Killed, pumping
from tests.integration.receiving import MASTER, SECONDS, Hooks, Received, Receiver, receiving
from tests.integration.stack import until
from tests.integration.stage import SATS, Stage, environment_of, stocking
from workers.embedded.account import private_file
from workers.embedded.supervisor import Supervisor
from workers.local import beat, worker

LATER = text("UPDATE webhook_deliveries SET next_at = next_at - interval '1 hour' WHERE next_at IS NOT NULL")
LIFE = (PolicyStatus.PENDING_CREATION, PolicyStatus.ACTIVE, PolicyStatus.SETTLING, PolicyStatus.SETTLED)
ROUNDS = 12
PROCESS_SECONDS = 60.0
AFTER_SENDING = "webhooks.deliver::call.after#1"


@pytest.fixture(scope="module")
def environment(
    own_chain: Chain, database_url: str, key_files: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    secret: Path = private_file(tmp_path_factory.mktemp("secret") / "webhook.secret", MASTER.hex())
    return {
        **environment_of(own_chain, database_url=database_url, key_files=key_files),
        "REGISTRY_WEBHOOK_SECRET_FILE": str(secret),
        "REGISTRY_WEBHOOK_PRIVATE_ADDRESSES": "true",
        "REGISTRY_WEBHOOK_SECONDS": str(SECONDS),
    }


@pytest.fixture(scope="module")
def driver(own_chain: Chain, database_url: str) -> Iterator[Driver]:
    with stocking(own_chain, database_url) as own:
        yield own


@pytest.fixture
def stage(driver: Driver, environment: dict[str, str]) -> Iterator[Stage]:
    with pumping(environment) as pump:
        yield Stage(pump=pump, driver=driver)
        assert pump.crashes == []


@pytest.fixture
def hooks(driver: Driver) -> Hooks:
    """Webhooks of nobody but this test."""
    with unit_of_work(driver.database) as session:
        for table in ("webhook_deliveries", "webhook_messages", "webhook_endpoints", "api_keys"):
            session.execute(text(f"DELETE FROM {table}"))  # noqa: S608 - named above
    own = Hooks(database=driver.database)
    own.collect()
    return own


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as own:
        yield own


def kinds_of(receiver: Receiver, policy: UUID) -> list[str]:
    return [each.kind for each in receiver.got if each.told["data"].get("policy_id") == str(policy)]


def test_over_a_life_a_service_is_told_of_each_status_once_and_in_order(
    stage: Stage, hooks: Hooks, receiver: Receiver
) -> None:
    chain = stage.driver.chain
    endpoint = hooks.endpoint(receiver)
    ((subject, payload),) = stage.quote(1)
    assert subject.policy_id is not None
    chain.buy(stage.driver.wallet, payload)
    chain.mine()
    for _ in range(ROUNDS):
        policy = stage.policy(subject)
        assert policy is not None
        if policy.status_detailed == PolicyStatus.ACTIVE:
            chain.price("40000")
            message = {"owner_principal": subject.owner, "policy_id": str(policy.id), "idempotency_key": subject.key}
            stage.send("policies.request_activation", message)
        stage.tick(blocks=6)
        for task in ("webhooks.collect", "webhooks.deliver", "webhooks.deliver"):
            stage.send(task)
        if policy.status_detailed == PolicyStatus.SETTLED:
            break
    assert kinds_of(receiver, subject.policy_id) == [OF_STATUS[status] for status in LIFE]
    last = receiver.got[-1].verified(hooks.secret(endpoint))
    settled = stage.policy(subject)
    assert settled is not None
    assert last["data"]["policy"]["settlement_amount_base_units"] == str(settled.settlement_amount_base_units)
    assert last["data"]["tx_id"] == last["data"]["policy"]["tx_id_status_update"]


def test_a_receiver_that_never_answers_delays_no_other(stage: Stage, hooks: Hooks, receiver: Receiver) -> None:
    messages = 20
    with receiving() as slow:
        hooks.endpoint(slow)
        quick = hooks.endpoint(receiver)
        hooks.events(*[PolicyStatus.ACTIVE] * messages)
        all_arrived = threading.Event()
        late: list[Received] = []

        def wait(received: Received) -> tuple[int, dict[str, str]]:
            if not all_arrived.wait(SECONDS):
                late.append(received)
            return 204, {}

        def count(_received: Received) -> tuple[int, dict[str, str]]:
            if len(receiver.got) == messages:
                all_arrived.set()
            return 204, {}

        slow.answer, receiver.answer = wait, count
        stage.send("webhooks.collect")
        stage.send("webhooks.deliver")
        assert late == []
        assert hooks.states(quick) == [WebhookState.DELIVERED] * messages


@contextmanager
def published() -> Iterator[list[str]]:
    """Everything that goes to the broker meanwhile, as text."""
    seen: list[str] = []

    def see(sender: str, body: Any, headers: Any, **_: Any) -> None:
        seen.append(f"{sender} {body} {headers}")

    before_task_publish.connect(see, weak=False)
    try:
        yield seen
    finally:
        before_task_publish.disconnect(see)


def test_messages_to_workers_carry_nothing_of_what_is_sent(stage: Stage, hooks: Hooks, receiver: Receiver) -> None:
    endpoint = hooks.endpoint(receiver)
    policy = hooks.events(PolicyStatus.ACTIVE)
    with published() as seen:
        for task in ("webhooks.collect", "webhooks.notice", "webhooks.deliver", "webhooks.forget"):
            stage.send(task)
    assert len(receiver.got) == 1
    assert len(seen) >= 4
    for hidden in (hooks.secret(endpoint), receiver.url, str(policy), receiver.got[0].headers["webhook-signature"]):
        assert not any(hidden in each for each in seen)


def test_a_worker_that_is_ended_between_sending_and_noting_it_sends_again_under_the_same_id(
    stage: Stage, hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = hooks.endpoint(receiver)
    hooks.events(PolicyStatus.ACTIVE)
    stage.send("webhooks.collect")

    def strike(name: str) -> None:
        if name == "webhooks.deliver::call.after":
            raise Killed(name)

    with fault_points.watched_by(strike):
        stage.send("webhooks.deliver")
    stage.send("webhooks.deliver")
    assert (stage.pump.kills, len(receiver.got)) == (1, 1)
    with unit_of_work(stage.driver.database) as session:
        session.execute(LATER)
    stage.send("webhooks.deliver")
    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    assert hooks.states(endpoint) == [WebhookState.DELIVERED]


def test_prices_are_fetched_where_somebody_wants_to_know_what_they_mean_and_none_is_fresh(
    stage: Stage, hooks: Hooks, receiver: Receiver
) -> None:
    stage.fill(1)
    subject = stage.take()
    hooks.endpoint(receiver, Kind.EXPIRED)
    with unit_of_work(stage.driver.database) as session:
        # prices of an hour ago
        session.execute(text("UPDATE prices SET observed_at = observed_at - interval '1 hour'"))
    stage.driver.chain.price("40000")
    before = len(stage.pump.ran)
    stage.send("webhooks.notice")
    assert [name for name, _ in stage.pump.ran[before:]] == ["webhooks.notice"]
    hooks.endpoint(receiver, Kind.IN_THE_MONEY)
    before = len(stage.pump.ran)
    stage.send("webhooks.notice")
    ran = [name for name, _ in stage.pump.ran[before:]]
    assert ran == ["webhooks.notice", "prices.fetch", "webhooks.notice_payouts"]
    stage.send("webhooks.deliver")
    assert subject.policy_id is not None
    assert kinds_of(receiver, subject.policy_id) == [Kind.IN_THE_MONEY]
    said = receiver.got[0].told["data"]
    btc, stx = int(said["btc_usd_price_feed_units"]), int(said["stx_usd_price_feed_units"])
    assert int(said["payout_base_units"]) == (45_000 * 10**8 - btc) * SATS // (100 * stx)


def test_the_last_blocks_of_a_policy_are_announced(stage: Stage, hooks: Hooks, receiver: Receiver) -> None:
    stage.fill(1, duration_days=7)
    subject = stage.take()
    hooks.endpoint(receiver, Kind.EXPIRING_SOON)
    stage.send("webhooks.notice")
    policy = stage.policy(subject)
    assert policy is not None
    assert receiver.got == []
    stage.driver.chain.burn(policy.expiration_height - 100 - stage.driver.height.tip)
    stage.send("chain.follow")
    for _ in range(2):
        stage.send("webhooks.notice")
        stage.send("webhooks.deliver")
    assert kinds_of(receiver, policy.id) == [Kind.EXPIRING_SOON]
    said = receiver.got[0].told["data"]
    assert (said["blocks_left"], said["hours_left"]) == (100, 16)


def test_without_the_file_of_the_secret_nothing_is_sent_and_nothing_is_lost(
    driver: Driver, environment: dict[str, str], hooks: Hooks, receiver: Receiver
) -> None:
    endpoint = hooks.endpoint(receiver)
    bare = {name: value for name, value in environment.items() if name != "REGISTRY_WEBHOOK_SECRET_FILE"}
    with pumping(bare) as pump:
        stage = Stage(pump=pump, driver=driver)
        stage.send("webhooks.deliver")
        assert pump.crashes == []
        hooks.events(PolicyStatus.ACTIVE)
        stage.send("webhooks.collect")
        stage.send("webhooks.deliver")
        (crash,) = pump.crashes
    assert "WebhooksOff" in crash
    assert (receiver.got, hooks.states(endpoint)) == ([], [WebhookState.WAITING])


@pytest.fixture
def settings(environment: dict[str, str], valkey: str) -> dict[str, str]:
    """Those of processes that are quick, on a broker that nobody else uses, without any secret."""
    server = valkey.removesuffix("/0")
    for number in (10, 11):
        with closing(Redis.from_url(f"{server}/{number}")) as broker:
            broker.flushdb()
    secrets = {name for name in environment if name.endswith(("KEY_FILE", "SECRET_FILE"))}
    return {
        **{name: value for name, value in environment.items() if name not in secrets},
        "REGISTRY_BROKER_URL": f"{server}/10",
        "REGISTRY_RESULT_URL": f"{server}/11",
        "REGISTRY_SCHEDULE_SECONDS": json.dumps({"webhook_collect": 0.5, "webhook_deliver": 0.5}),
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "1",
    }


@pytest.fixture
def own(environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """What the worker is told besides: the secret, and where it ends itself."""
    return {
        "REGISTRY_WEBHOOK_SECRET_FILE": environment["REGISTRY_WEBHOOK_SECRET_FILE"],
        "REGISTRY_FAULT_POINT": AFTER_SENDING,
        "REGISTRY_FAULT_DIRECTORY": str(tmp_path),
    }


def test_a_worker_process_that_is_killed_after_sending_sends_again_under_the_same_id(
    settings: dict[str, str], own: dict[str, str], hooks: Hooks, receiver: Receiver, own_supervisor: Supervisor
) -> None:
    strike = fault_points.Strike(point=AFTER_SENDING, directory=Path(own["REGISTRY_FAULT_DIRECTORY"]))
    # of one kind, for the notices tell of what other tests have left
    endpoint = hooks.endpoint(receiver, Kind.ACTIVE)
    hooks.events(PolicyStatus.ACTIVE)
    own_supervisor.start(worker("webhooks", environment={**settings, **own}), beat(environment=settings))
    until(strike.has_struck, seconds=PROCESS_SECONDS)
    with unit_of_work(hooks.database) as session:
        session.execute(LATER)
    until(lambda: hooks.states(endpoint) == [WebhookState.DELIVERED], seconds=PROCESS_SECONDS)
    own_supervisor.stop()
    assert len(receiver.ids) == 2
    assert len(set(receiver.ids)) == 1
    receiver.got[1].verified(hooks.secret(endpoint))
