"""Daily closes: the history that volatility is measured on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from registry.domain.errors import Unavailable
from registry.domain.units import PPM, Ppm, Usd8


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """The last price of one UTC day, positive."""

    day: date
    price: Usd8

    def __post_init__(self) -> None:
        """Refuse a price that has no logarithm."""
        if self.price <= 0:
            raise ValueError(f"the close of {self.day} is {self.price}, not positive")


class ClosesUnavailable(Unavailable):
    """The history is too short, has a hole, or its venues disagree."""

    code = "closes_unavailable"
    sentence: ClassVar[str] = "there are no usable daily closes: {reason}"


def finished_closes(closes: Iterable[Close], *, count: int, today: date) -> list[Close]:
    """The closes of the `count` days before `today`, oldest first; a hole is `ClosesUnavailable`.

    Today's candle is not finished, so its close is not one yet.
    """
    by_day = {close.day: close for close in closes}
    days = [today - timedelta(days=back) for back in range(count, 0, -1)]
    missing = [day for day in days if day not in by_day]
    if missing:
        reason = f"{len(missing)} of {count} days before {today} are missing, {missing[-1]} is the latest of them"
        raise ClosesUnavailable(reason=reason, needed=count, missing=len(missing), latest=str(missing[-1]))
    return [by_day[day] for day in days]


def differing_day(closes: Sequence[Close], others: Sequence[Close], *, tolerance: Ppm) -> date | None:
    """The first day on which two venues' closes lie apart by more than `tolerance`, or that one lacks."""
    prices = {close.day: close.price for close in others}
    for close in closes:
        other = prices.get(close.day)
        if other is None or abs(close.price - other) * PPM > tolerance * close.price:
            return close.day
    return None
