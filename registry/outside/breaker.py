"""A breaker: whoever fails again and again is not asked for a while, then by one call that finds out."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """After how many failures in a row a pause begins, the first one's seconds, which double, and the longest one's.

    `longest_named_seconds` bounds a pause that the other side asks for.
    """

    failures: int = 5
    first_seconds: float = 10.0
    longest_seconds: float = 300.0
    longest_named_seconds: float = 600.0


USUAL = Pauses()


@dataclass(frozen=True, slots=True, kw_only=True)
class Shut:
    """Not to be asked for so many seconds more, and because of what."""

    seconds: float
    because: str


class Breaker:
    """One endpoint's. Closed: everybody asks. Open: nobody does. Half-open: one asks, and its answer decides.

    Safe to share between threads; each process finds out for itself.
    """

    def __init__(self, pauses: Pauses = USUAL, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds and never goes back."""
        self._pauses = pauses
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = 0.0
        self._shut_until: float | None = None
        self._because = ""
        self._is_probed = False

    def refuses(self) -> Shut | None:
        """Say why it is not to be asked; None, and it may be: then say by `succeeded` or `failed` how that went.

        When a pause is over, one caller is let through. Where nothing is heard of it, another is after one more pause.
        """
        with self._lock:
            now = self._clock()
            if self._shut_until is None:
                return None
            if now < self._shut_until:
                return Shut(seconds=self._shut_until - now, because=self._because)
            self._is_probed = True
            self._shut_until = now + max(self._pause, self._pauses.first_seconds)
            return None

    @property
    def is_open(self) -> bool:
        """Whether a pause has begun that no answer has ended."""
        return self._shut_until is not None

    def succeeded(self) -> None:
        """It gave a usable answer: all is forgotten."""
        with self._lock:
            self._close()

    def failed(self, because: str, *, wait: float | None = None) -> None:
        """It gave none; `wait` is for how many seconds it asked to be left alone."""
        with self._lock:
            self._failures += 1
            if wait is not None:
                self._open(min(wait, self._pauses.longest_named_seconds), f"it asked for a pause ({because})")
            elif self._shut_until is not None and not self._is_probed:
                return  # it was under way when the pause began
            elif self._is_probed or self._failures >= self._pauses.failures:
                self._pause = min(max(2 * self._pause, self._pauses.first_seconds), self._pauses.longest_seconds)
                self._open(self._pause, f"it failed {self._failures} times in a row ({because})")

    def _open(self, seconds: float, because: str) -> None:
        self._shut_until = self._clock() + seconds
        self._because = because
        self._is_probed = False

    def _close(self) -> None:
        self._failures = 0
        self._pause = 0.0
        self._shut_until = None
        self._because = ""
        self._is_probed = False
