"""Messages that end their worker, or that a worker does not know: each is over after a few deliveries, none is lost."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from celery import Celery
from redis import Redis
from sqlalchemy import select
from sqlmodel import col

from registry.services import failures
from registry.store import policies
from registry.store.session import Database, unit_of_work
from registry.store.tables import DeliveryRow, FailureRow
from tests.integration import rows
from tests.integration.chain import Chain
from tests.integration.commandline import name_database, plain_url, run, told
from tests.integration.killing import TASK
from tests.integration.stack import until
from workers.commands.frame import BAD_USE, FAILED
from workers.embedded.supervisor import Supervisor
from workers.local import worker

MOST = 3
SECONDS = 30.0


@pytest.fixture(scope="module")
def broker(valkey: str) -> str:
    """A database of Valkey that no other test uses."""
    url = f"{valkey.removesuffix('/0')}/6"
    with closing(Redis.from_url(url)) as server:
        server.flushdb()
    return url


@pytest.fixture(scope="module")
def database(own_supervisor: Supervisor, broker: str, own_chain: Chain, database_url: str) -> Iterator[Database]:
    """The database of one worker, which has a task that ends it."""
    environment = {
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_BROKER_URL": broker,
        "REGISTRY_STACKS_URL": own_chain.url,
        "REGISTRY_REGISTRY_CONTRACT": own_chain.contracts.registry,
        "REGISTRY_POOL_CONTRACT": own_chain.contracts.pool,
        "REGISTRY_SBTC_CONTRACT": own_chain.contracts.sbtc,
        "REGISTRY_MAX_DELIVERIES": str(MOST),
        "REGISTRY_SOFT_SHUTDOWN_SECONDS": "2",
    }
    usual = worker("default", environment=environment)
    argv = [each.replace("workers.app", "tests.integration.killing") for each in usual.argv]
    own_supervisor.start(replace(usual, argv=tuple(argv)))
    with closing(Database(database_url)) as own:
        yield own


def send(broker: str, task: str, **arguments: object) -> str:
    with Celery(broker=broker, set_as_current=False) as publisher:
        return str(publisher.send_task(task, kwargs=arguments, queue="default", ignore_result=False).id)


def held(broker: str) -> int:
    """How many messages the broker still has, waiting or not acknowledged."""
    with closing(Redis.from_url(broker)) as server:
        return int(server.llen("default")) + int(server.hlen("unacked"))


def known_policy(database: Database) -> str:
    with unit_of_work(database) as session:
        session.add(made := rows.policy())
    return str(made.id)


def failure_of(database: Database, task_id: str) -> FailureRow | None:
    with unit_of_work(database) as session:
        return session.execute(select(FailureRow).where(col(FailureRow.task_id) == task_id)).scalar_one_or_none()


def test_a_message_that_ends_its_worker_runs_as_often_as_is_allowed_and_then_waits_for_a_person(
    database: Database, broker: str, tmp_path: Path
) -> None:
    policy_id, journal = known_policy(database), tmp_path / "journal"
    task_id = send(broker, TASK, policy_id=policy_id, journal=str(journal))
    until(lambda: failure_of(database, task_id) is not None, seconds=SECONDS)
    until(lambda: held(broker) == 0, seconds=SECONDS)
    assert journal.read_text().splitlines() == [policy_id] * MOST
    (found,) = failures.waiting(database, limit=9)
    assert (found["id"], found["task"], found["deliveries"]) == (policy_id, TASK, MOST)
    with unit_of_work(database) as session:
        counted = session.get_one(DeliveryRow, task_id)
        policy = policies.get(session, UUID(policy_id))
    assert (counted.count, policy.next_look_at, policy.next_look_height) == (MOST, None, None)


def test_a_message_of_a_newer_release_is_refused_once_with_an_alarm_and_ends_no_worker(
    database: Database, broker: str
) -> None:
    policy_id = known_policy(database)
    newer = send(broker, "policies.advance", policy_id=policy_id, colour="blue")
    assert answer_of(broker, newer)["result"]["exc_type"] == "UnknownMessage"
    older = send(broker, "policies.expire_quotes", policy_id=policy_id)
    assert answer_of(broker, older)["status"] == "SUCCESS"
    until(lambda: held(broker) == 0, seconds=SECONDS)
    assert failure_of(database, newer) is None


def answer_of(broker: str, task_id: str) -> dict[str, Any]:
    with closing(Redis.from_url(broker)) as server:
        key = f"celery-task-meta-{task_id}"
        until(lambda: bool(server.exists(key)), seconds=SECONDS)
        answer: dict[str, Any] = json.loads(str(server.get(key), "utf-8"))  # type: ignore[arg-type]
        return answer


@pytest.fixture
def message(database: Database, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """A failure about a message, in the database that the environment names; the broker is nowhere."""
    name_database(monkeypatch, plain_url(database))
    policy_id = known_policy(database)
    with unit_of_work(database) as session:
        arguments = {"args": [], "kwargs": {"policy_id": policy_id, "lease": 4}}
        failure = rows.failure(**{**rows.MESSAGE, "task": "policies.expire_quotes", "task_id": policy_id})
        failure.policy_id, failure.arguments = UUID(policy_id), arguments
        session.add(failure)
    return str(failure.id), policy_id


def test_an_order_to_send_a_message_again_notes_nothing_while_the_broker_is_gone(
    message: tuple[str, str], database: Database, broker: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure, policy_id = message
    status, _, err = run("failures", "retry", failure, "--reason", "it is mended")
    assert (status, "could not be sent" in err) == (FAILED, True)
    assert failure_of(database, policy_id).closed_at is None  # type: ignore[union-attr]
    monkeypatch.setenv("REGISTRY_BROKER_URL", broker)
    again = told("failures", "retry", failure, "--reason", "it is mended", "--by", "alice")
    assert again == {"retried": failure, "failed": "policies.expire_quotes"}
    closed = failure_of(database, policy_id)
    assert closed is not None
    assert (closed.resolution, closed.closed_by, closed.reason) == ("retried", "operator alice", "it is mended")
    until(lambda: held(broker) == 0, seconds=SECONDS)
    with unit_of_work(database) as session:
        assert policies.get(session, UUID(policy_id)).next_look_at is not None
    assert run("failures", "retry", failure, "--reason", "again")[0] == FAILED


def test_a_message_that_is_abandoned_leaves_its_policy_to_the_sweep(
    message: tuple[str, str], database: Database
) -> None:
    failure, policy_id = message
    with unit_of_work(database) as session:
        policies.look_again(session, UUID(policy_id), at=None, height=None)
    assert told("failures", "abandon", failure, "--reason", "old") == {"abandoned": failure, "reason": "old"}
    with unit_of_work(database) as session:
        assert policies.get(session, UUID(policy_id)).next_look_at is not None
    assert failure in {each["failure"] for each in json.loads(run("failures", "list", "--all", "--json")[1])["items"]}
    assert run("failures", "abandon", "nobody", "--reason", "a test")[0] == BAD_USE
