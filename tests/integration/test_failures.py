"""Failures: each has a row from the commit that made it, and an exit with who and why."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from sqlalchemy import MetaData, Table, insert

from registry.domain.policy import Edge, PolicyStatus
from registry.domain.retry import BY_REFUSAL
from registry.domain.units import Token
from registry.services import advance, failures
from registry.services.failures import FailureClosed
from registry.stacks.contract_errors import ContractError
from registry.store.migrate import configuration, migrate
from tests.integration import rows
from tests.integration.commandline import name_database, plain_url, run, told
from tests.integration.conftest import NewDatabase
from tests.integration.driver import LEASE, Driver
from tests.integration.walks import PAYOUT, appoint, backend, confirm, on_chain, settling, stranger
from workers.commands.frame import FAILED

A_DAY = timedelta(days=1)
REFUSED = ContractError.POOL_NOT_AUTHORISED


@pytest.fixture
def failed(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """A payout that was refused, for the backend is somebody else; then it is ours again."""
    policy_id = settling(driver)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    appoint(driver, backend(driver))
    name_database(monkeypatch, plain_url(driver.database))
    return policy_id


def only(driver: Driver) -> dict[str, Any]:
    """The one failure that there is, open or closed."""
    (found,) = failures.waiting(driver.database, limit=9, closed=True)
    return found


def passes(driver: Driver, policy_id: UUID, *, after: timedelta) -> bool:
    """Let so much time pass and the sweep have its say; answer whether the policy was tried again."""
    now = driver.now() + after
    if not advance.claim(driver.database, height=driver.height, lease=LEASE, limit=9, now=now):
        return False
    advance.step_of(driver.database, policy_id, height=driver.height, lease=LEASE, now=now)
    return failures.retry_by_itself(driver.database, policy_id, now=now)


def test_a_refusal_is_listed_with_the_contracts_error_by_name_and_its_transaction(driver: Driver, failed: UUID) -> None:
    found = only(driver)
    assert (found["id"], found["status_detailed"], found["closed_at"]) == (str(failed), "FailedSettlement", None)
    assert (found["code"], found["name"], found["meaning"]) == (REFUSED.value, REFUSED.name, REFUSED.meaning)


def test_what_may_pass_is_tried_again_by_itself_after_its_pause_and_then_paid(driver: Driver, failed: UUID) -> None:
    before, pause = driver.balance(), BY_REFUSAL[REFUSED].pause
    assert driver.next(failed) is None
    assert not passes(driver, failed, after=pause - timedelta(minutes=1))
    assert passes(driver, failed, after=pause + timedelta(minutes=1))
    closed = only(driver)
    assert (closed["resolution"], closed["closed_by"]) == ("retried", failures.BY_ITSELF)
    driver.run(failed)
    assert (driver.edges(failed), driver.balance() - before) == ("abcfhd", PAYOUT)


def test_what_is_abandoned_is_not_tried_again_by_itself_and_an_operator_still_may(driver: Driver, failed: UUID) -> None:
    assert driver.next(failed) is None
    gone = told("failures", "abandon", str(failed), "--reason", "paid by hand", "--by", "alice")
    assert gone == {"abandoned": only(driver)["failure"], "reason": "paid by hand"}
    closed = only(driver)
    assert (closed["resolution"], closed["closed_by"], closed["reason"]) == (
        "abandoned",
        "operator alice",
        "paid by hand",
    )
    assert not passes(driver, failed, after=A_DAY)
    with pytest.raises(FailureClosed, match="abandoned already"):
        failures.abandon(driver.database, UUID(closed["failure"]), reason="again", actor="ada", now=driver.now())
    assert run("failures", "abandon", str(failed), "--reason", "again")[0] == FAILED
    told("failures", "retry", str(failed), "--reason", "it was not")
    assert driver.edges(failed) == "abcfh"


def test_the_failures_own_id_names_it_too(driver: Driver, failed: UUID) -> None:
    answer = told("failures", "retry", only(driver)["failure"], "--reason", "it is set again", "--by", "alice")
    assert answer == {"retried": str(failed), "failed": "FailedSettlement"}
    closed = only(driver)
    assert (closed["resolution"], closed["closed_by"], closed["reason"]) == (
        "retried",
        "operator alice",
        "it is set again",
    )


def test_a_payout_by_somebody_else_closes_the_failure_as_overtaken(driver: Driver, failed: UUID) -> None:
    driver.chain.settle(on_chain(driver, failed), amount=PAYOUT, token=Token.STX)
    confirm(driver)
    assert driver.edges(failed) == "abcfhd"
    closed = only(driver)
    assert (closed["resolution"], closed["closed_by"]) == ("overtaken", "chain")


def test_what_had_failed_before_there_was_a_list_is_on_it(new_database: NewDatabase) -> None:
    database, lived = new_database(), {"edge": Edge.SETTLEMENT_FAILED, "to_status": PolicyStatus.FAILED_SETTLEMENT}
    policy = rows.policy(status_detailed=PolicyStatus.FAILED_SETTLEMENT)
    event = {"policy_id": policy.id, "cause": "refused", "actor": "chain", "detail": {"code": 200}, "at": rows.THEN}
    kept = policy.model_dump(exclude={"lease_owner", "lease_token", "lease_attempts"})
    with database.engine.connect() as connection, connection.begin():
        command.upgrade(configuration(connection), "0002")
        policies, events = (Table(name, MetaData(), autoload_with=connection) for name in ("policies", "policy_events"))
        connection.execute(insert(policies).values(**kept))
        connection.execute(insert(events).values(from_status=PolicyStatus.SETTLING, **lived, **event))
    migrate(database)
    (found,) = failures.waiting(database, limit=9)
    assert (found["id"], found["code"], found["at"]) == (str(policy.id), 200, rows.THEN.isoformat())
