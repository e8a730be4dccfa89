"""A venue's answer, read strictly: what is not as documented is a `VenueError` that names the place."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

from registry.domain.closes import Close
from registry.domain.units import USD8, Usd8
from registry.market.venue import VenueError

LEAST_PRICE = Decimal(1).scaleb(-8)
GREATEST_PRICE = Decimal(10**9)
"""USD; bitcoin a thousand times as dear as ever still fits."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMERAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?")
_LARGEST_INTEGER = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A place in a venue's JSON; numbers in it are `int` or `Decimal`, never floats."""

    venue: str
    value: object
    fetched_at: datetime
    path: str = "the answer"

    def fail(self, reason: str) -> VenueError:
        """What to raise where this place is not as documented."""
        return VenueError(venue=self.venue, reason=f"{self.path} {reason}")

    def field(self, name: str) -> "Answer":
        """The value under a key that must be there."""
        members = self._members()
        if name not in members:
            raise self.fail(f"has no {name!r}")
        return replace(self, value=members[name], path=f"{self.path}.{name}")

    def only_field(self, *, beside: str | None = None) -> tuple[str, "Answer"]:
        """The one key, whatever its name, and its value; `beside` is one more that may be there."""
        names = [name for name in self._members() if name != beside]
        if len(names) != 1:
            raise self.fail(f"has {len(names)} entries, not one")
        return names[0], self.field(names[0])

    def item(self, index: int) -> "Answer":
        """The element at a position that must be there."""
        elements = self._elements()
        if index >= len(elements):
            raise self.fail(f"has {len(elements)} elements, no [{index}]")
        return replace(self, value=elements[index], path=f"{self.path}[{index}]")

    def items(self) -> Iterator["Answer"]:
        """Every element in turn."""
        return (self.item(index) for index in range(len(self._elements())))

    def text(self) -> str:
        """A string."""
        if not isinstance(self.value, str):
            raise self.fail("is not a string")
        return self.value

    def decimal(self) -> Decimal:
        """A number, or a string of plain decimal digits: venues differ, and both are exact."""
        if isinstance(self.value, str):
            if not _NUMERAL.fullmatch(self.value):
                raise self.fail("is not a decimal number")
            return Decimal(self.value)
        if isinstance(self.value, bool) or not isinstance(self.value, int | Decimal):
            raise self.fail("is not a number")
        return Decimal(self.value)

    def integer(self) -> int:
        """A whole number of at most 64 bits."""
        found = self.decimal()
        # the size first: a Decimal of few characters can be an int of many gigabytes
        if not -_LARGEST_INTEGER < found < _LARGEST_INTEGER or found != found.to_integral_value():
            raise self.fail("is not a whole number of 64 bits")
        return int(found)

    def price(self) -> Usd8:
        """A positive, believable price; what has more than 8 decimals is rounded half to even."""
        return self.price_of(self.decimal())

    def price_of(self, dollars: Decimal) -> Usd8:
        """A price reckoned from this place."""
        if dollars <= 0:
            raise self.fail("is not a positive price")
        if not LEAST_PRICE <= dollars <= GREATEST_PRICE:
            raise self.fail(f"is no believable price: {dollars:.3E}")
        return Usd8(round(Fraction(dollars) * USD8))

    def seconds(self) -> datetime:
        """A Unix time in seconds."""
        return self._moment(timedelta(seconds=1))

    def milliseconds(self) -> datetime:
        """A Unix time in milliseconds."""
        return self._moment(timedelta(milliseconds=1))

    def iso_time(self) -> datetime:
        """An ISO 8601 time with a zone."""
        try:
            moment = datetime.fromisoformat(self.text())
        except ValueError as error:
            raise self.fail("is not an ISO 8601 time") from error
        if moment.tzinfo is None:
            raise self.fail("has no time zone")
        return moment.astimezone(UTC)

    def close(self, opened: datetime) -> Close:
        """This price as the close of the daily candle that opened then."""
        if opened.time() != time(0):
            raise self.fail(f"is of a candle that opened at {opened.isoformat()}, not at midnight UTC")
        return Close(day=opened.date(), price=self.price())

    def _moment(self, unit: timedelta) -> datetime:
        try:
            return _EPOCH + self.integer() * unit
        except OverflowError as error:
            raise self.fail("is no believable time") from error

    def _members(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise self.fail("is not an object")
        return self.value

    def _elements(self) -> list[object]:
        if not isinstance(self.value, list):
            raise self.fail("is not a list")
        return self.value
