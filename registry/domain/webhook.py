"""Webhooks: what services are told of and what never twice, how a message is signed, when it is tried again.

Headers, secrets and signatures are those of Standard Webhooks (standardwebhooks.com), version v1.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID, uuid5

from registry.domain.errors import Conflict, Unavailable
from registry.domain.policy import PolicyStatus

MOST_ENDPOINTS = 20
"""Of one key."""

OVERLAP = timedelta(hours=24)
"""How long the secret before a rotation signs beside the new one."""


class Kind(StrEnum):
    """What a message is about. Of a status: a policy has entered it, a fork's undoing of something included."""

    PENDING_CREATION = "policy.pending_creation"
    ACTIVE = "policy.active"
    SETTLING = "policy.settling"
    SETTLED = "policy.settled"
    EXPIRING = "policy.expiring"
    EXPIRED = "policy.expired"
    FAILED_CREATION = "policy.failed_creation"
    FAILED_SETTLEMENT = "policy.failed_settlement"
    FAILED_EXPIRATION = "policy.failed_expiration"
    QUARANTINED = "policy.quarantined"
    EXPIRING_SOON = "policy.expiring_soon"
    IN_THE_MONEY = "policy.in_the_money"
    TEST = "test"


OF_STATUS: Mapping[PolicyStatus, Kind] = MappingProxyType({status: Kind[status.name] for status in PolicyStatus})

MEANINGS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.PENDING_CREATION: "a quote was recorded, or a fork took the purchase back (edge p)",
        Kind.ACTIVE: "the purchase is confirmed, or an operator stands by a quarantined one",
        Kind.SETTLING: "a payout was decided, is tried again, or a fork took it back (edge q)",
        Kind.SETTLED: "the payout is confirmed on the chain",
        Kind.EXPIRING: "it ran out, is tried again, or a fork took its end back (edge r)",
        Kind.EXPIRED: "the collateral is free again, confirmed on the chain",
        Kind.FAILED_CREATION: "nobody bought it in time, or a fork took an unexplained purchase back (edge s)",
        Kind.FAILED_SETTLEMENT: "the payout was refused for good",
        Kind.FAILED_EXPIRATION: "the expiration was refused for good",
        Kind.QUARANTINED: "a purchase that no quote of ours explains",
        Kind.EXPIRING_SOON: "an Active policy has few blocks left; told once of each policy",
        Kind.IN_THE_MONEY: "the last price is below an Active policy's strike; told once in a UTC day at most",
        Kind.TEST: "somebody asked whether this arrives",
    }
)


class TooManyEndpoints(Conflict):
    """A key has all the endpoints that it may have."""

    code = "too_many_endpoints"
    sentence = "this key has {most} webhook endpoints, and may have no more"
    remedy = "delete one of them first"


class EndpointDisabled(Conflict):
    """Nothing is sent to an endpoint that is disabled."""

    code = "endpoint_disabled"
    sentence = "the webhook endpoint {endpoint} is disabled: {because}"
    remedy = "enable it first"


class WebhooksOff(Unavailable):
    """What endpoints' secrets are made of is not there."""

    code = "webhook_secret_file_missing"
    sentence = "nobody can be told of anything here: REGISTRY_WEBHOOK_SECRET_FILE names no file"


# what is told once

_NAMES = UUID("4f2a5f0e-93a4-4f0b-9d53-5d9c7e2f1b6a")
"""Any UUID, the same in every process and for ever."""


def message_id(once: str) -> UUID:
    """The id of the message that tells this: made from what it tells, so that a second one would have it too."""
    return uuid5(_NAMES, once)


def once_of_event(policy_id: UUID, *, seq: int, edge: str) -> str:
    """An event of the feed is told once."""
    return f"event:{policy_id}:{seq}:{edge}"


def once_expiring_soon(policy_id: UUID | str) -> str:
    """That a policy runs out soon is told once."""
    return f"expiring_soon:{policy_id}"


def once_in_the_money(policy_id: UUID | str, *, day: date) -> str:
    """That a policy is in the money is told once in a UTC day at most, however often the price crosses the strike."""
    return f"in_the_money:{policy_id}:{day.isoformat()}"


# how it is signed


def secret_of(master: bytes, endpoint_id: UUID, *, version: int) -> bytes:
    """An endpoint's secret of a version: 32 bytes that nobody can make without the master."""
    return hmac.digest(master, b"webhook endpoint" + endpoint_id.bytes + version.to_bytes(8), hashlib.sha256)


def secret_text(secret: bytes) -> str:
    """A secret as its receiver configures it."""
    return f"whsec_{base64.b64encode(secret).decode()}"


def body_of(*, kind: str, at: datetime, data: Mapping[str, object]) -> bytes:
    """A message's body: the same message is always the same bytes."""
    told = {"type": kind, "timestamp": at.isoformat(), "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def headers_of(body: bytes, *, message: UUID, now: datetime, secrets: Iterable[bytes]) -> dict[str, str]:
    """The headers that name, date and sign a body, once with each secret."""
    named, sent = str(message), str(int(now.timestamp()))
    signed = f"{named}.{sent}.".encode() + body
    return {
        "content-type": "application/json",
        "webhook-id": named,
        "webhook-timestamp": sent,
        "webhook-signature": " ".join(_signature(secret, signed) for secret in secrets),
    }


def _signature(secret: bytes, signed: bytes) -> str:
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


# when it is tried again

PAUSES = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
)
"""After the first try, the second, and so on; the last one again after all others."""
JITTER_PPM = 200_000
"""By how much a pause is longer at most, so that what failed together does not come back together."""
LONGEST_NAMED = timedelta(hours=1)
"""The longest pause that a receiver may ask for."""
TROUBLE = 2
"""So many failures in a row, of one endpoint: what else is due to it waits."""
LONGEST_PUT_OFF = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A delivery after one more try that failed: how often it was tried, and since when."""

    delivery: UUID
    attempts: int
    first_at: datetime

    def next_at(self, *, now: datetime, named: timedelta | None, within: timedelta) -> datetime | None:
        """When it is tried again; None once its time is over: the last try is at the end of that.

        `named` is the pause that the receiver asked for; it can make the usual one longer, within bounds.
        """
        over = self.first_at + within
        if now >= over:
            return None
        usual = PAUSES[min(self.attempts, len(PAUSES)) - 1]
        # by the id, so that it is the same whoever computes it
        usual += usual * ((self.delivery.int + self.attempts) % JITTER_PPM) / 1_000_000
        return min(now + max(usual, min(named or usual, LONGEST_NAMED)), over)


def put_off_until(next_at: datetime | None, *, now: datetime) -> datetime:
    """Until when the others of an endpoint that is in trouble wait: as long as the one that failed, in bounds."""
    longest = now + LONGEST_PUT_OFF
    return longest if next_at is None else min(next_at, longest)
