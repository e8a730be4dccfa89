"""A price venue: what the feed asks of it, and how it fails."""

from collections.abc import Collection, Mapping
from datetime import date
from typing import ClassVar, Protocol

from registry.domain.closes import Close
from registry.domain.errors import Unavailable
from registry.domain.oracle import Observation
from registry.domain.prices import Pair


class VenueError(Unavailable):
    """A venue gave no usable answer; `venue` and `reason` say which and why."""

    code = "venue_failed"
    sentence: ClassVar[str] = "{venue} gave no usable answer: {reason}"


class Venue(Protocol):
    """Says what a pair trades at now."""

    @property
    def name(self) -> str:
        """Lower case, as in settings and in the database."""

    @property
    def pairs(self) -> Collection[Pair]:
        """What it can be asked for."""

    def latest(self, pair: Pair) -> Observation:
        """The last trade, or `VenueError`; whether it is fresh, the oracle judges."""


class CandleVenue(Venue, Protocol):
    """Also knows what each day closed at."""

    def daily_closes(self, pair: Pair, *, count: int, today: date) -> list[Close]:
        """The closes of the `count` UTC days before `today`, oldest first; VenueError or ClosesUnavailable."""


def symbol(venue: str, pair: Pair, *, symbols: Mapping[Pair, str]) -> str:
    """The venue's own name for a pair, or `VenueError` where it lists none."""
    if pair not in symbols:
        raise VenueError(venue=venue, reason=f"it does not list {pair.value}")
    return symbols[pair]
