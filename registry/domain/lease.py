"""A lease: who drives a policy, and for how long nobody else takes it."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from registry.domain.errors import Conflict

MOST_DOUBLINGS = 3
"""A policy that is taken again and again without moving is taken more rarely, but no more rarely than this."""


class LeaseLost(Conflict):
    """Somebody else drives the policy by now: what was begun here is over."""

    code = "lease_lost"
    sentence = "policy {policy_id} was taken under lease {token}, and is driven under {newest} by now"
    remedy = "leave it to whoever has it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What a driver asks for: under whose name, and how long the first one lasts."""

    owner: str
    length: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A policy that was taken. Whoever holds an older token writes nothing any more."""

    policy_id: UUID
    token: int
