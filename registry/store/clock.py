"""What time it is, by the database: one clock for every process, however wrong the clocks of their machines are."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from registry.domain.errors import DatabaseUnavailable
from registry.store.session import Database, unit_of_work

MEASURED_EVERY_SECONDS = 30.0

_ASK = text("SELECT clock_timestamp()")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measured:
    """What the database's clock showed when ours, which only counts, showed `counted` seconds."""

    shown: datetime
    counted: float


class DatabaseClock:
    """The database's clock, asked at most every 30 s; in between a counter of this process goes on from there.

    Whatever steps the machine's own clock changes nothing. It is wrong by half a round trip to the database.
    """

    def __init__(self, database: Database, *, counter: Callable[[], float] = time.monotonic) -> None:
        """`counter` counts seconds from anywhere and never goes back."""
        self._database = database
        self._counter = counter
        self._measured: _Measured | None = None
        self._asked: float | None = None

    def now(self) -> datetime:
        """The present, in UTC.

        Raises:
            DatabaseUnavailable: it cannot be reached and never was; what was measured once goes on counting.
        """
        measured = self._measured
        if measured is None or self._is_due():
            measured = self._measure(measured)
        return measured.shown + timedelta(seconds=self._counter() - measured.counted)

    def now_or_ours(self) -> datetime:
        """As `now`; where the database cannot be reached, and so nothing can be decided, by this machine's clock."""
        try:
            return self.now()
        except DatabaseUnavailable:
            return datetime.now(UTC)

    def _is_due(self) -> bool:
        return self._asked is None or self._counter() - self._asked >= MEASURED_EVERY_SECONDS

    def _measure(self, earlier: _Measured | None) -> _Measured:
        self._asked = self._counter()
        try:
            self._measured = self._ask()
        except DatabaseUnavailable:
            if earlier is None:
                raise
            return earlier
        return self._measured

    def _ask(self) -> _Measured:
        with unit_of_work(self._database) as session:
            session.connection()  # the time that it takes to connect is no part of the round trip
            before = self._counter()
            shown: datetime = session.execute(_ASK).scalar_one()
            return _Measured(shown=shown.astimezone(UTC), counted=(before + self._counter()) / 2)
