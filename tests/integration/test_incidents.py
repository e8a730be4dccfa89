"""Incidents that others had, each named by what happened, and what becomes of it here.

Three are replayed elsewhere: two schedulers at once in test_two_beats, a purchase that is mined after it was given up
in test_edges (edge i), a payout that is mined after its fee was raised in test_fees.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from redis import Redis
from sqlalchemy import make_url, select, text, update

from registry import fault_points
from registry.domain.transaction import TransactionStatus
from registry.domain.units import Principal, TxId
from registry.services import blocks
from registry.stacks.wire import TESTNET
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, SignerRow, TransactionRow
from tests.conftest import enter_first_free
from tests.integration.chain import ROOT, Chain
from tests.integration.driver import Driver
from tests.integration.lives import LIVES
from tests.integration.outcome import assert_sound, outcome
from tests.integration.pump import Fate, Killed, pumping
from tests.integration.stack import until
from tests.integration.stage import Stage, environment_of, stocking
from tests.integration.walks import WEEK, settling
from workers.embedded.ports import HeldPorts
from workers.embedded.servers import Durability, ValkeyServer
from workers.embedded.supervisor import Supervisor
from workers.local import inherited, valkey_server, worker

ACTIVATION = next(life for life in LIVES if life.name == "activation")
SETTLED = [("a", "quoted"), ("b", "purchase confirmed"), ("c", "activated"), ("d", "payout confirmed")]


@pytest.fixture
def stage(valkey: str, own_chain: Chain, database_url: str, key_files: dict[str, str]) -> Iterator[Stage]:
    """A worker in this process on a real broker, and one policy to be paid."""
    broker_url = f"{valkey.removesuffix('/0')}/5"
    environment = environment_of(own_chain, database_url=database_url, key_files=key_files, broker_url=broker_url)
    with closing(Redis.from_url(broker_url)) as server:
        server.flushdb()
    with stocking(own_chain, database_url) as driver, pumping(environment) as pump:
        stage = Stage(pump=pump, driver=driver)
        stage.fill(1)
        yield stage
        assert_sound(driver)


def paid(stage: Stage) -> dict[str, Any]:
    """Let a policy be activated, and let time and blocks do the rest; what became of it."""
    subject = ACTIVATION.prepare(stage)
    ACTIVATION.live(stage, subject)
    assert subject.policy_id is not None
    found = outcome(stage.driver, subject.policy_id)
    assert found["edges"] == SETTLED
    assert found["transactions"] == [("settle", "Succeeded", False, None)]
    return found


def test_a_message_that_was_popped_but_never_recorded_costs_time_only(stage: Stage) -> None:
    stage.pump.swallowed += ["policies.advance", "transactions.sign_and_broadcast", "transactions.monitor"]
    paid(stage)
    assert stage.pump.swallowed == []


def test_the_same_successor_that_was_published_twice_after_a_redelivery_does_nothing_twice(stage: Stage) -> None:
    stage.pump.fate = Fate.REDELIVERED

    def end_after_publishing(point: str) -> None:
        if point.startswith("transactions.sign_and_broadcast:") and point.endswith("publish.after#1"):
            raise Killed(point)

    with fault_points.watched_by(fault_points.numbered(end_after_publishing)):
        paid(stage)
    assert stage.pump.kills == 1
    looks = [task_id for task, task_id in stage.pump.ran if task == "transactions.monitor"]
    assert len(looks) > len(set(looks))


def test_a_database_that_restarts_during_the_recovery_is_recovered_from(
    stage: Stage, postgres: str, database_url: str
) -> None:
    """It ends every connection in the middle of a settlement, and again while the sweep repairs that."""
    ended: list[str] = []

    def end_connections(point: str) -> None:
        if point in {"policies.begin_settlement::commit.before#1", "policies.advance::commit.before#2"}:
            ended.append(point)
            with closing(Database(postgres)) as server, unit_of_work(server) as session:
                session.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                    {"name": make_url(database_url).database},
                )

    with fault_points.watched_by(fault_points.numbered(end_connections)):
        paid(stage)
    assert len(ended) == 2
    assert stage.pump.crashes
    assert [crash for crash in stage.pump.crashes if "DatabaseUnavailable" not in crash] == []


@contextmanager
def serving(server: ValkeyServer) -> Iterator[None]:
    """A broker, until it stops."""
    with ExitStack() as held:
        enter_first_free(held).start(server.process())
        yield


def is_well(check: str, *arguments: str, environment: Mapping[str, str]) -> bool:
    """Whether a health check of ours ends well."""
    argv = [sys.executable, "-m", "workers.health", check, "default", *arguments]
    return subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, timeout=30, check=False).returncode == 0  # noqa: S603 - our own program


@contextmanager
def asleep(pids: Sequence[int]) -> Iterator[None]:
    """Processes that are there and do nothing."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def children(environment: Mapping[str, str]) -> list[int]:
    """The pool's processes of the one worker that was given this environment."""
    broker = f"REGISTRY_BROKER_URL={environment['REGISTRY_BROKER_URL']}"
    found = {}
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            ours = broker in path.read_text(errors="replace")
            if ours and "--queues=default" in path.with_name("cmdline").read_text():
                stat = path.with_name("stat").read_text().rpartition(")")[2].split()
                found[int(path.parent.name)] = int(stat[1])
    return [pid for pid, parent in found.items() if parent in found]


def test_a_worker_that_is_up_but_deaf_is_told_by_its_lack_of_progress_and_a_broker_restart_heals_by_itself(
    own_chain: Chain, database_url: str, ports: HeldPorts, own_supervisor: Supervisor, open_path: Path
) -> None:
    server = valkey_server(open_path, ports, Durability.DISPOSABLE)
    settings = environment_of(own_chain, database_url=database_url, key_files={}, broker_url=server.url())
    environment = {**inherited(), **settings}
    server.prepare()
    with serving(server):
        own_supervisor.start(worker("default", environment=settings))
        assert is_well("progress", environment=environment)
    server.prepare()
    with serving(server):
        until(lambda: is_well("progress", "--within=5", environment=environment), seconds=40)
        with asleep(children(environment)):
            assert is_well("worker", environment=environment)
            assert not is_well("progress", "--within=2", environment=environment)
        until(lambda: is_well("progress", "--within=5", environment=environment), seconds=20)
        own_supervisor.stop()


def only_transaction(driver: Driver) -> tuple[TransactionRow, AttemptRow]:
    with unit_of_work(driver.database) as session:
        row = session.execute(select(TransactionRow)).scalar_one()
        return row, session.execute(select(AttemptRow)).scalar_one()


def backend_nonces(driver: Driver) -> tuple[int, int]:
    """The next nonce, as we and as the chain count."""
    backend = Principal(driver.chain.backend.address(TESTNET))
    with unit_of_work(driver.database) as session:
        return session.get_one(SignerRow, backend).next_nonce, driver.chain.node.account(backend).nonce


def confirm(driver: Driver, policy_id: UUID, transaction_id: UUID) -> None:
    driver.chain.mine()
    driver.chain.burn(driver.depths.confirmed)
    driver.follow()
    driver.look(transaction_id)
    driver.sync(policy_id)


def test_a_nonce_counter_that_drifts_because_sent_was_marked_before_the_node_accepted_is_caught_up_with(
    driver: Driver,
) -> None:
    policy_id = settling(driver)
    signed = driver.sign(policy_id)
    assert signed is not None
    with unit_of_work(driver.database) as session:
        session.execute(update(TransactionRow).values(status=TransactionStatus.SENT, look_at=driver.now()))
    assert backend_nonces(driver) == (1, 0)
    assert driver.look(signed) == []
    confirm(driver, policy_id, signed)
    assert driver.edges(policy_id) == "abcd"
    assert backend_nonces(driver) == (1, 1)
    _, attempt = only_transaction(driver)
    assert driver.has_succeeded(TxId(attempt.tx_id))


def test_a_confirmed_nonce_that_goes_down_in_a_fork_is_used_again_by_the_same_bytes(driver: Driver) -> None:
    policy_id = settling(driver)
    signed = driver.run(policy_id)
    _, before = only_transaction(driver)
    driver.chain.reorganise(3, transactions="drop")
    driver.chain.mine()
    driver.follow()
    assert backend_nonces(driver) == (1, 0)
    assert driver.edges(policy_id) == "abcdq"
    assert driver.look(signed) == []
    confirm(driver, policy_id, signed)
    assert backend_nonces(driver) == (1, 1)
    row, after = only_transaction(driver)
    assert (row.nonce, after.tx_id, driver.edges(policy_id)) == (0, before.tx_id, "abcdqd")


def test_a_purchase_that_a_fork_took_back_during_a_long_outage_does_not_begin_to_expire(driver: Driver) -> None:
    """The sweep comes before anybody has synced the policy: no edge would lead out of Expiring."""
    policy_id = driver.buy(duration_days=7)
    driver.chain.reorganise(2, transactions="drop")
    driver.chain.burn(2 * WEEK)
    blocks.follow(
        driver.database, driver.chain.node, driver.chain.contracts, depths=driver.depths, limit=100, now=driver.now()
    )
    assert driver.expire(policy_id) == []
    driver.sync(policy_id)
    assert driver.edges(policy_id) == "abp"
    assert driver.give_up(policy_id)
