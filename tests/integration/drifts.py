"""Drift by hand: rows written and deleted as no service does it, and reconciliations run over them."""

from uuid import UUID

from sqlalchemy import delete, update
from sqlmodel import SQLModel, col

from registry.services import reconciliation
from registry.store.session import unit_of_work
from registry.store.tables import ChainEventRow, PolicyRow, ReconciliationRow
from tests.integration.driver import Driver
from tests.integration.walks import settling
from workers import repairs
from workers.runtime import Runtime


def settled(driver: Driver) -> UUID:
    policy_id = settling(driver)
    driver.run(policy_id)
    driver.chain.price("50000")
    rest(driver)
    return policy_id


def rest(driver: Driver) -> None:
    """Nothing waits for a look: whatever is wrong from now on stays so."""
    with unit_of_work(driver.database) as session:
        session.execute(update(PolicyRow).values(next_look_at=None))


def change(driver: Driver, table: type[SQLModel], **values: object) -> None:
    """Write to every row of a table, as nobody may."""
    with unit_of_work(driver.database) as session:
        session.execute(update(table).values(**values))


def rewrite(driver: Driver, policy_id: UUID, **values: object) -> None:
    """Write to a policy's row, as nobody may."""
    with unit_of_work(driver.database) as session:
        session.execute(update(PolicyRow).where(col(PolicyRow.id) == policy_id).values(**values))


def lose(driver: Driver, name: str) -> None:
    """Delete every event of this name."""
    with unit_of_work(driver.database) as session:
        session.execute(delete(ChainEventRow).where(col(ChainEventRow.name) == name))


def begun(own: Runtime, *, is_dry: bool = False) -> UUID:
    run_id = reconciliation.begin(own.database, depths=own.settings.depths, is_dry=is_dry, now=own.now())
    assert run_id is not None
    return run_id


def finish(own: Runtime, run_id: UUID, *, size: int = 1) -> None:
    while (row := reconciliation.state(own.database, run_id)).finished_at is None:
        assert repairs.next_page(own, row, size=size)


def reconciled(own: Runtime, *, size: int = 100, is_dry: bool = False) -> ReconciliationRow:
    run_id = begun(own, is_dry=is_dry)
    finish(own, run_id, size=size)
    return reconciliation.state(own.database, run_id)


def found(row: ReconciliationRow) -> dict[str, bool]:
    """What differed, and whether it was mended."""
    return {each["kind"]: each["repaired"] for each in row.findings}
