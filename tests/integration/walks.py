"""How a test brings a policy to where an edge begins, and reads what was recorded with it."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy import select, update
from sqlmodel import col

from registry.domain.parameters import Parameters
from registry.domain.policy import Edge
from registry.domain.units import Principal
from registry.stacks.clarity import parse_principal
from registry.stacks.network import TESTNET
from registry.store import parameters
from registry.store.session import unit_of_work
from registry.store.tables import (
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
)
from tests.integration.driver import Driver

WEEK = 7 * 144
PAYOUT = 250 * 10**6


def last(driver: Driver, policy_id: UUID) -> tuple[str, str, str]:
    """The newest edge of a policy, with its cause and who walked it."""
    with unit_of_work(driver.database) as session:
        row = session.execute(
            select(PolicyEventRow)
            .where(col(PolicyEventRow.policy_id) == policy_id)
            .order_by(col(PolicyEventRow.id).desc())
            .limit(1)
        ).scalar_one()
    return row.edge, row.cause, row.actor


def detail(driver: Driver, policy_id: UUID, edge: Edge) -> dict[str, object]:
    """What was recorded beside an edge."""
    with unit_of_work(driver.database) as session:
        row = session.execute(
            select(PolicyEventRow).where(col(PolicyEventRow.policy_id) == policy_id, col(PolicyEventRow.edge) == edge)
        ).scalar_one()
    return row.detail


def quoted(driver: Driver) -> tuple[UUID, dict[str, object], int]:
    """A policy that waits for its purchase, with the wallet's payload and the quote's last height."""
    answer = driver.quote()
    return UUID(answer["policy"]["id"]), answer["wallet_payload"], answer["quote"]["valid_until_height"]


def on_chain(driver: Driver, policy_id: UUID) -> int:
    found = driver.policy(policy_id).policy_id_on_chain
    assert found is not None
    return found


def settling(driver: Driver) -> UUID:
    policy_id = driver.buy()
    driver.chain.price("40000")
    driver.activate(policy_id)
    return policy_id


def run_out(driver: Driver, **changes: object) -> UUID:
    """An Active policy whose week is over, followed up to there."""
    policy_id = driver.buy(duration_days=7, **changes)
    driver.chain.burn(WEEK + 1)
    driver.follow()
    return policy_id


def confirm(driver: Driver) -> None:
    """Mine what waits, and let it be confirmed."""
    driver.chain.mine()
    driver.chain.burn(driver.depths.confirmed)
    driver.follow()


def appoint(driver: Driver, who: Principal) -> None:
    """Have the registry listen to another backend."""
    driver.chain.call(
        driver.chain.deployer, driver.chain.contracts.registry, "set-backend-principal", parse_principal(who)
    )
    driver.chain.mine()


def backend(driver: Driver) -> Principal:
    return Principal(driver.chain.backend.address(TESTNET))


def stranger(driver: Driver) -> Principal:
    return Principal(driver.chain.deployer.address(TESTNET))


def unexplained(driver: Driver) -> UUID:
    """A purchase in our pool whose quote the database has lost, confirmed."""
    with unit_of_work(driver.database) as session:
        parameters.put_in_force(session, replace(Parameters(), quote_valid_blocks=30), reason="for this test")
    policy_id, payload, _ = quoted(driver)
    driver.chain.buy(driver.wallet, payload)
    with unit_of_work(driver.database) as session:
        session.execute(update(QuoteRow).where(col(QuoteRow.policy_id) == policy_id).values(quote_id=b"\x00" * 16))
    driver.chain.mine()
    driver.chain.burn(driver.depths.final)
    driver.follow()
    with unit_of_work(driver.database) as session:
        return session.execute(
            select(col(PolicyRow.id)).where(col(PolicyRow.status_detailed) == "Quarantined")
        ).scalar_one()
