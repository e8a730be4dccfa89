"""Retries: how often, and after which pause, what was refused is tried again by itself. The rest is a person's."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

from registry.domain.transaction import NO_CODE, NODE_REFUSED

AUTOMATIC = "tried again by itself"
"""The cause of the events that count as such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """How many there are, and the pause before the first; each further one is twice as long."""

    times: int
    pause: timedelta

    def due_at(self, failed_at: datetime, *, made: int) -> datetime | None:
        """When the next one is due, after so many; None if there is none left."""
        return failed_at + self.pause * 2**made if made < self.times else None


NONE = Retries(times=0, pause=timedelta())

BY_REFUSAL: Mapping[int, Retries] = MappingProxyType(
    {
        # a node that lags or was misconfigured may take the same call an hour later
        NODE_REFUSED: Retries(times=3, pause=timedelta(minutes=5)),
        # a post-condition or a runtime error: what the pool held at that moment may have been the reason
        NO_CODE: Retries(times=2, pause=timedelta(minutes=10)),
        # the pool was short for a moment: providers come and go
        1: Retries(times=5, pause=timedelta(minutes=30)),
        206: Retries(times=5, pause=timedelta(minutes=30)),
        # the backend is not appointed: whoever appoints it need not know of us
        100: Retries(times=3, pause=timedelta(hours=1)),
        200: Retries(times=3, pause=timedelta(hours=1)),
    }
)
"""By the contract's error. Any other says that the call itself is wrong: only a person can mend that."""


def retries_of(refusal: int | None) -> Retries:
    """What is tried by itself after this refusal."""
    return NONE if refusal is None else BY_REFUSAL.get(refusal, NONE)
