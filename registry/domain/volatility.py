"""Volatility: how far the price moves in a year, measured on daily closes."""

from collections.abc import Iterable
from datetime import date
from itertools import pairwise
from math import log, sqrt
from statistics import pstdev
from typing import ClassVar

from registry.domain.closes import Close, finished_closes
from registry.domain.errors import Unavailable

WINDOWS = (30, 60, 90, 180, 360)
"""Numbers of daily returns that volatility is measured over."""

DAYS_PER_YEAR = 365

LEAST_VOLATILITY = 1e-6
"""What lies under this is the rounding of a price that did not move."""


class NoVolatility(Unavailable):
    """The price did not move, or moved by the same step each day: a dead feed, not a calm market."""

    code = "no_volatility"
    sentence: ClassVar[str] = "the closes of the {window} days before {today} do not vary"


def nearest_window(days: int) -> int:
    """The window nearest to a policy's duration; of two as near, the shorter."""
    return min(WINDOWS, key=lambda window: (abs(window - days), window))


def closes_needed(days: int) -> int:
    """How many finished daily closes a policy of this duration is priced by: n returns lie between n + 1."""
    return nearest_window(days) + 1


def annualised_volatility(closes: Iterable[Close], *, days: int, today: date) -> float:
    """Population standard deviation of daily log returns × √365; 0.6 is 60 % a year.

    `closes` may hold more days than are needed, in any order. A missing day is `ClosesUnavailable`, a price
    that stood still is `NoVolatility`.
    """
    finished = finished_closes(closes, count=closes_needed(days), today=today)
    returns = [log(later.price / earlier.price) for earlier, later in pairwise(finished)]
    volatility = pstdev(returns) * sqrt(DAYS_PER_YEAR)
    if volatility < LEAST_VOLATILITY:
        raise NoVolatility(window=len(returns), today=str(today))
    return volatility
