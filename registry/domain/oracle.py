"""The oracle: one price out of what many venues say.

A quote too old is left out, then one too far from the median of the rest. The price is the median of those
left; the median of an even number is the mean of the middle two, floored.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil
from statistics import median_high, median_low
from typing import Any

from registry.domain.parameters import Parameters
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.units import PPM, Ppm, Usd8, floor_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one venue said: a positive price, its own time or else that of the fetch, both with a zone.

    `excluded` is why the oracle left it out; None while it was not judged, or was used.
    """

    venue: str
    pair: Pair
    price: Usd8
    source_time: datetime
    fetched_at: datetime
    excluded: str | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be voted on."""
        if self.price <= 0:
            raise ValueError(f"{self.venue} says {self.price}, not positive")
        if self.source_time.tzinfo is None or self.fetched_at.tzinfo is None:
            raise ValueError(f"{self.venue}'s times have no zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A venue that gave no usable answer, and why."""

    venue: str
    pair: Pair
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """A price with everything it came from; each observation that was left out says why."""

    pair: Pair
    price: Usd8
    at: datetime
    observations: tuple[Observation, ...]
    failures: tuple[Failure, ...]

    @property
    def used(self) -> tuple[Observation, ...]:
        """The observations that made the price."""
        return tuple(each for each in self.observations if each.excluded is None)

    @property
    def fetched_from(self) -> datetime:
        """When the first observation that made the price was fetched: a request before that is older."""
        return min(each.fetched_at for each in self.used)

    @property
    def observed_at(self) -> datetime:
        """The time of the oldest observation that made the price: its age is counted from here."""
        return min(each.source_time for each in self.used)

    def to_json(self) -> dict[str, Any]:
        """A snapshot for the policy's record: USD × 10^8, times in ISO 8601."""
        return {
            "pair": self.pair.value,
            "price": self.price,
            "at": self.at.isoformat(),
            "sources": [
                {
                    "venue": each.venue,
                    "price": each.price,
                    "source_time": each.source_time.isoformat(),
                    "fetched_at": each.fetched_at.isoformat(),
                    "excluded": each.excluded,
                }
                for each in self.observations
            ],
            "failures": {each.venue: each.reason for each in self.failures},
        }


def aggregate(
    pair: Pair,
    observations: Iterable[Observation],
    *,
    failures: Iterable[Failure] = (),
    now: datetime,
    parameters: Parameters,
) -> Aggregate:
    """Agree on a price at `now`, or raise `PriceUnavailable` saying what each venue failed by."""
    timely = [
        _judge_age(each, now=now, max_age=timedelta(seconds=parameters.price_max_age_seconds))
        for each in _one_per_venue(pair, observations)
    ]
    judged = _judge_distance(timely, max_deviation=parameters.max_price_deviation_ppm)
    used = [each.price for each in judged if each.excluded is None]
    failed = tuple(failures)
    needed = parameters.min_sources(pair)
    if len(used) < needed:
        raise _unavailable(pair, judged, failed, needed=needed)
    return Aggregate(pair=pair, price=median(used), at=now, observations=tuple(judged), failures=failed)


def require_fresh(pair: Pair, *, observed_at: datetime, now: datetime, parameters: Parameters) -> None:
    """Raise `PriceUnavailable` for a price that was agreed on, and has grown too old to quote by."""
    age = now - observed_at
    limit = parameters.price_max_age_seconds
    if age > timedelta(seconds=limit):
        raise PriceUnavailable(pair=pair.value, reason=f"it is {_seconds(age)} s old, at most {limit} are allowed")


def median(prices: Sequence[Usd8]) -> Usd8:
    """The middle price of at least one; of an even number the mean of the middle two, floored."""
    return Usd8(floor_div(median_low(prices) + median_high(prices), 2))


def _one_per_venue(pair: Pair, observations: Iterable[Observation]) -> list[Observation]:
    """Give each venue one vote, its latest."""
    latest: dict[str, Observation] = {}
    for each in observations:
        if each.pair is not pair:
            raise ValueError(f"{each.venue} was asked for {pair} and says {each.pair}")
        known = latest.get(each.venue)
        if known is None or known.source_time < each.source_time:
            latest[each.venue] = each
    return list(latest.values())


def _judge_age(observation: Observation, *, now: datetime, max_age: timedelta) -> Observation:
    """Exclude what is too old, and what claims to come from as far in the future."""
    age = now - observation.source_time
    limit = _seconds(max_age)
    if age > max_age:
        return replace(observation, excluded=f"it is {_seconds(age)} s old, at most {limit} are allowed")
    if -age > max_age:
        return replace(observation, excluded=f"it is dated {_seconds(-age)} s ahead, at most {limit} are allowed")
    return observation


def _judge_distance(observations: Sequence[Observation], *, max_deviation: Ppm) -> list[Observation]:
    """Exclude, in one round, what lies farther than `max_deviation` from the median of the timely ones."""
    timely = [each.price for each in observations if each.excluded is None]
    middle = median(timely) if timely else Usd8(0)
    judged = []
    for each in observations:
        distance = abs(each.price - middle) * PPM
        if each.excluded is None and distance > max_deviation * middle:
            apart = floor_div(distance, middle)
            reason = f"it is {apart} ppm from the median {middle}, at most {max_deviation} are allowed"
            judged.append(replace(each, excluded=reason))
        else:
            judged.append(each)
    return judged


def _unavailable(
    pair: Pair, judged: Sequence[Observation], failures: Sequence[Failure], *, needed: int
) -> PriceUnavailable:
    used = sum(each.excluded is None for each in judged)
    venues = {each.venue: each.excluded for each in judged if each.excluded is not None}
    venues |= {each.venue: each.reason for each in failures}
    told = "; ".join(f"{venue}: {why}" for venue, why in venues.items()) or "no other venue was asked"
    reason = f"{used} of the {needed} sources needed are left ({told})"
    return PriceUnavailable(pair=pair.value, reason=reason, used=used, needed=needed, venues=venues)


def _seconds(span: timedelta) -> int:
    """Ceiled, so that what is told to be too old reads as more than the limit."""
    return ceil(span.total_seconds())
