"""A bucket of tokens for one API: what may be asked of it in any minute, and who goes first when that is scarce."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

LEAST_PER_MINUTE = 40
"""Below, the bucket would be too small for what one task asks."""

KEPT_FOR_SUBMISSIONS = 6
"""Tokens that reading leaves: two payouts go out while everybody polls."""


class Cost(IntEnum):
    """Tokens that a call takes."""

    READ = 1
    CALL_READ = 2
    SUBMISSION = 3

    @property
    def kept(self) -> int:
        """Tokens that must be left for dearer calls."""
        return 0 if self is Cost.SUBMISSION else KEPT_FOR_SUBMISSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Tokens of a minute. Half of them may be taken at once, the others come evenly: no minute has more."""

    per_minute: int

    @property
    def at_once(self) -> int:
        """What a full bucket holds."""
        return self.per_minute // 2

    @property
    def per_second(self) -> float:
        """What comes back."""
        return (self.per_minute - self.at_once) / 60


class Bucket(Protocol):
    """Whoever calls takes tokens first."""

    def take(self, cost: Cost, /) -> float:
        """Take what a call costs and answer 0, or take nothing and answer in how many seconds it would be there."""
        ...


class LocalBucket:
    """This process's own."""

    def __init__(self, rate: Rate, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds and never goes back."""
        self._rate = rate
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens = float(rate.at_once)
        self._at = clock()

    def take(self, cost: Cost, /) -> float:
        """As the protocol says."""
        with self._lock:
            now = self._clock()
            self._tokens = min(self._rate.at_once, self._tokens + (now - self._at) * self._rate.per_second)
            self._at = now
            missing = cost + cost.kept - self._tokens
            if missing > 0:
                return missing / self._rate.per_second
            self._tokens -= cost
            return 0.0
