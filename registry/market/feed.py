"""The feed: every venue asked at once for a price, and for the history until two agree."""

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from datetime import date, datetime
from time import monotonic
from typing import TypeVar

from registry.bounded_http import ends_at
from registry.domain.closes import Close, ClosesUnavailable, differing_day
from registry.domain.oracle import Aggregate, Failure, Observation, aggregate
from registry.domain.parameters import Parameters
from registry.domain.prices import Pair
from registry.domain.units import Ppm
from registry.market.binance import Binance
from registry.market.http import utc_now
from registry.market.venue import CandleVenue, Venue, VenueError

MOST_THREADS = 8
SWITCHED_OFF = "it is switched off"

V = TypeVar("V", bound=Venue)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotes:
    """What the venues said, and which of them said nothing usable."""

    pair: Pair
    observations: tuple[Observation, ...]
    failures: tuple[Failure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Daily closes of one venue, oldest first, with the venue that says the same."""

    pair: Pair
    venue: str
    confirmed_by: str
    closes: tuple[Close, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """Asks venues; the order of `candle_venues` is the order of preference.

    `price_seconds` is what one venue has for a price, which may take it two questions; `history_seconds` is what all of
    them have for the closes. Who has not answered by then has failed.
    """

    venues: Sequence[Venue]
    candle_venues: Sequence[CandleVenue]
    clock: Callable[[], datetime] = utc_now
    price_seconds: float = 12.0
    history_seconds: float = 30.0

    def quotes(self, pair: Pair, *, off: Collection[str] = ()) -> Quotes:
        """Ask every venue that lists the pair and is not switched off, side by side."""
        listed = [venue for venue in self.venues if pair in venue.pairs]
        with ThreadPoolExecutor(max_workers=min(MOST_THREADS, len(listed) or 1)) as threads:
            # a thread knows nothing of its starter's context: of the task that fault points are named by
            asked = [threads.submit(copy_context().run, self._ask, venue, pair, off) for venue in listed]
            answers = [each.result() for each in asked]
        return Quotes(
            pair=pair,
            observations=tuple(each for each in answers if isinstance(each, Observation)),
            failures=tuple(each for each in answers if isinstance(each, Failure)),
        )

    def price(self, pair: Pair, *, parameters: Parameters) -> Aggregate:
        """What the venues agree on now, or `PriceUnavailable`."""
        quotes = self.quotes(pair, off=parameters.venues_off)
        return aggregate(pair, quotes.observations, failures=quotes.failures, now=self.clock(), parameters=parameters)

    def history(self, pair: Pair, *, count: int, today: date, tolerance: Ppm, off: Collection[str] = ()) -> History:
        """The closes of the `count` days before `today`, from the first venue that a later one confirms.

        No day may differ by more than `tolerance`; where no two venues agree, `ClosesUnavailable` says why.
        """
        with ends_at(monotonic() + self.history_seconds):
            return self._history(pair, count=count, today=today, tolerance=tolerance, off=off)

    def _history(self, pair: Pair, *, count: int, today: date, tolerance: Ppm, off: Collection[str]) -> History:
        heard: list[tuple[str, list[Close]]] = []
        reasons: dict[str, str] = {}
        for venue in self.candle_venues:
            if pair not in venue.pairs:
                continue
            if venue.name in off:
                reasons[venue.name] = SWITCHED_OFF
                continue
            try:
                closes = _apart(venue, off).daily_closes(pair, count=count, today=today)
            except (VenueError, ClosesUnavailable) as error:
                reasons[venue.name] = str(error.figures["reason"])
                continue
            for name, earlier in heard:
                day = differing_day(earlier, closes, tolerance=tolerance)
                if day is None:
                    return History(pair=pair, venue=name, confirmed_by=venue.name, closes=tuple(earlier))
                reasons[venue.name] = f"it differs from {name} on {day}"
            heard.append((venue.name, closes))
        raise _unconfirmed([name for name, _ in heard], reasons)

    def _ask(self, venue: Venue, pair: Pair, off: Collection[str]) -> Observation | Failure:
        if venue.name in off:
            return Failure(venue=venue.name, pair=pair, reason=SWITCHED_OFF)
        try:
            with ends_at(monotonic() + self.price_seconds):
                return _apart(venue, off).latest(pair)
        except VenueError as error:
            return Failure(venue=venue.name, pair=pair, reason=str(error.figures["reason"]))


def _apart(venue: V, off: Collection[str]) -> V | Binance:
    """Keep a venue that asks others from asking those that are switched off."""
    return venue.without(off) if isinstance(venue, Binance) else venue


def _unconfirmed(heard: Sequence[str], reasons: dict[str, str]) -> ClosesUnavailable:
    told = "; ".join(f"{venue}: {why}" for venue, why in reasons.items()) or "no other venue was asked"
    reason = f"no two venues agree, heard from {', '.join(heard) or 'none'} ({told})"
    return ClosesUnavailable(reason=reason, heard=list(heard), venues=reasons)
