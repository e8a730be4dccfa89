"""Workers that meet: none goes on before the others have come as far."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.store.session import Database, unit_of_work

Given = TypeVar("Given")
Answer = TypeVar("Answer")

SECONDS = 10.0
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


def all_at_once(
    database: Database, hold: Callable[[Session], object], work: Callable[[Given], Answer], given: Iterable[Given]
) -> list[Answer]:
    """Do the work for each in a thread of its own, held up by a lock until all of them wait for one."""
    each = list(given)
    with ThreadPoolExecutor(max_workers=len(each)) as threads:
        with unit_of_work(database) as session:
            hold(session)
            running = [threads.submit(work, one) for one in each]
            _wait_for(database, len(each))
        return [one.result(timeout=SECONDS) for one in running]


def _wait_for(database: Database, count: int) -> None:
    deadline = time.monotonic() + SECONDS
    while True:
        with unit_of_work(database) as session:
            waiting = session.execute(WAITING).scalar_one()
        if waiting >= count:
            return
        assert time.monotonic() < deadline, f"{waiting} of {count} wait for a lock"
        time.sleep(0.01)
