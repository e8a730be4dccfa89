"""The front door's tables come to a database that is in use: what happens meanwhile is told and counted too."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic import command
from sqlalchemy import Connection, MetaData, Table, insert, text

from registry.queries.stats import platform_stats
from registry.store.migrate import configuration, migrate
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow
from tests.integration import rows
from tests.integration.conftest import NewDatabase
from tests.integration.stack import until

SECONDS = 8.0


@pytest.fixture
def before(new_database: NewDatabase) -> Database:
    """A database as it was before there was a front door."""
    made = new_database()
    with made.engine.connect() as connection, connection.begin():
        command.upgrade(configuration(connection), "0003")
    return made


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as own:
        yield own


def put(connection: Connection, table: str, **values: object) -> None:
    connection.execute(insert(Table(table, MetaData(), autoload_with=connection)).values(**values))


def kept(connection: Connection) -> PolicyRow:
    """A policy whose collateral is reserved."""
    policy = rows.policy()
    put(connection, "policies", **policy.model_dump())
    put(connection, "reservations", **rows.reservation(policy.id).model_dump(exclude_none=True))
    return policy


def is_waiting(database: Database) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with database.engine.connect() as connection:
        return bool(connection.execute(text(query)).scalar_one())


def test_what_is_committed_while_the_tables_are_made_is_in_the_stats_and_the_feed(
    before: Database, threads: ThreadPoolExecutor
) -> None:
    with before.engine.connect() as connection, connection.begin():
        policy = kept(connection)
    with before.engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE reservations SET state = 'locked'"))
        event = rows.event(policy.id).model_dump(exclude_none=True)
        put(connection, "policy_events", **event)
        migrating = threads.submit(migrate, before)
        until(lambda: is_waiting(before), seconds=SECONDS)
    migrating.result()
    with unit_of_work(before) as session:
        sums = platform_stats(session)["by_token"]
        fed = session.execute(text("SELECT seq FROM policy_feed")).scalars().all()
    assert [sum(each[name] for each in sums.values()) for name in ("locked_base_units", "reserved_base_units")] == [
        rows.reservation(policy.id).amount_base_units,
        0,
    ]
    assert len(fed) == 1
