"""The feed: every venue asked at once for a price, and for the history until two agree."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime

from registry.domain.closes import Close, ClosesUnavailable, differing_day
from registry.domain.oracle import Aggregate, Failure, Observation, aggregate
from registry.domain.parameters import Parameters
from registry.domain.prices import Pair
from registry.domain.units import Ppm
from registry.market.http import utc_now
from registry.market.venue import CandleVenue, Venue, VenueError

MOST_THREADS = 8


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
    """Asks venues; the order of `candle_venues` is the order of preference."""

    venues: Sequence[Venue]
    candle_venues: Sequence[CandleVenue]
    clock: Callable[[], datetime] = utc_now

    def quotes(self, pair: Pair) -> Quotes:
        """Ask every venue that lists the pair, side by side."""
        asked = [venue for venue in self.venues if pair in venue.pairs]
        with ThreadPoolExecutor(max_workers=min(MOST_THREADS, len(asked) or 1)) as threads:
            answers = list(threads.map(lambda venue: _ask(venue, pair), asked))
        return Quotes(
            pair=pair,
            observations=tuple(each for each in answers if isinstance(each, Observation)),
            failures=tuple(each for each in answers if isinstance(each, Failure)),
        )

    def price(self, pair: Pair, *, parameters: Parameters) -> Aggregate:
        """What the venues agree on now, or `PriceUnavailable`."""
        quotes = self.quotes(pair)
        return aggregate(pair, quotes.observations, failures=quotes.failures, now=self.clock(), parameters=parameters)

    def history(self, pair: Pair, *, count: int, today: date, tolerance: Ppm) -> History:
        """The closes of the `count` days before `today`, from the first venue that a later one confirms.

        No day may differ by more than `tolerance`; where no two venues agree, `ClosesUnavailable` says why.
        """
        heard: list[tuple[str, list[Close]]] = []
        reasons: dict[str, str] = {}
        for venue in self.candle_venues:
            if pair not in venue.pairs:
                continue
            try:
                closes = venue.daily_closes(pair, count=count, today=today)
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


def _ask(venue: Venue, pair: Pair) -> Observation | Failure:
    try:
        return venue.latest(pair)
    except VenueError as error:
        return Failure(venue=venue.name, pair=pair, reason=str(error.figures["reason"]))


def _unconfirmed(heard: Sequence[str], reasons: dict[str, str]) -> ClosesUnavailable:
    told = "; ".join(f"{venue}: {why}" for venue, why in reasons.items()) or "no other venue was asked"
    reason = f"no two venues agree, heard from {', '.join(heard) or 'none'} ({told})"
    return ClosesUnavailable(reason=reason, heard=list(heard), venues=reasons)
