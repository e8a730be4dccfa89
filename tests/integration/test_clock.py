"""One clock for all processes: the database's, whatever this machine's own shows."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from registry.domain.errors import DatabaseUnavailable
from registry.store.clock import MEASURED_EVERY_SECONDS, DatabaseClock
from registry.store.session import Database, unit_of_work

TOLERANCE = timedelta(seconds=15)


class Counter:
    """Counts as the machine does, and further when it is told to."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


@pytest.fixture
def skewed(module_database: Database) -> Iterator[Database]:
    """A database whose clock is a day ahead of this machine's, as its own functions tell it."""
    with unit_of_work(module_database) as session:
        session.execute(text("CREATE SCHEMA skewed"))
        session.execute(
            text(
                "CREATE FUNCTION skewed.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
                "AS 'SELECT pg_catalog.clock_timestamp() + interval ''1 day'''"
            )
        )
        name = session.execute(text("SELECT current_database()")).scalar_one()
        session.execute(text(f"ALTER DATABASE {name} SET search_path = skewed, pg_catalog, public"))
    module_database.close()
    yield module_database
    with unit_of_work(module_database) as session:
        session.execute(text(f"ALTER DATABASE {name} RESET search_path"))
        session.execute(text("DROP SCHEMA skewed CASCADE"))
    module_database.close()


def shown(database: Database) -> datetime:
    with unit_of_work(database) as session:
        found: datetime = session.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found


def test_a_machine_whose_clock_is_a_day_behind_goes_by_the_databases(skewed: Database) -> None:
    found = DatabaseClock(skewed).now()
    assert abs(found - shown(skewed)) < TOLERANCE
    assert found - datetime.now(UTC) > timedelta(hours=23)
    assert found.tzinfo is UTC


def test_between_two_looks_the_time_goes_on_without_the_database(module_database: Database) -> None:
    counter = Counter()
    clock = DatabaseClock(module_database, counter=counter)
    before = clock.now()
    counter.ahead += MEASURED_EVERY_SECONDS - 1
    went_on = clock.now() - before
    assert timedelta() <= went_on - timedelta(seconds=MEASURED_EVERY_SECONDS - 1) < TOLERANCE


def test_a_counter_that_runs_away_is_set_right_after_half_a_minute(module_database: Database) -> None:
    counter = Counter()
    clock = DatabaseClock(module_database, counter=counter)
    clock.now()
    counter.ahead += 3_600
    assert abs(clock.now() - shown(module_database)) < TOLERANCE


def test_while_the_database_is_away_what_was_measured_goes_on(module_database: Database) -> None:
    counter = Counter()
    clock = DatabaseClock(module_database, counter=counter)
    before = clock.now()
    gone = Database("postgresql://nobody:none@127.0.0.1:1/none")
    clock._database = gone  # the same clock, and its server is gone
    counter.ahead += 100
    assert clock.now() - before >= timedelta(seconds=100)


def test_a_database_that_was_never_reached_tells_no_time() -> None:
    clock = DatabaseClock(Database("postgresql://nobody:none@127.0.0.1:1/none"))
    with pytest.raises(DatabaseUnavailable):
        clock.now()
    assert abs(clock.now_or_ours() - datetime.now(UTC)) < TOLERANCE
