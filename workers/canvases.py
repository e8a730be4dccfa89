"""What follows what: the only place that makes signatures of steps. Nothing runs here.

A canvas runs to the next wait and ends there; the value that one link hands to the next is an id.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from celery import Signature, chain

from registry.domain.prices import Pair
from registry.domain.steps import Step, StepKind
from workers.app import app


def _alone(task: str, **arguments: Any) -> Signature:  # noqa: ANN401 - JSON
    """A link that does not take what the one before answered."""
    return app.signature(task, kwargs=arguments, immutable=True)


def _after(task: str, **arguments: Any) -> Signature:  # noqa: ANN401 - JSON
    """A link whose first argument is what the one before answered."""
    return app.signature(task, kwargs=arguments)


def creation(quote: UUID, pairs: Sequence[Pair]) -> Signature:
    """Fetch prices | quote | check capacity | record | prepare; the last link's result is the caller's."""
    return chain(
        _alone("prices.fetch", pairs=list(pairs)),
        _after("premiums.quote", quote=str(quote)),
        _alone("pool.check_capacity", quote=str(quote)),
        _alone("policies.record_attempt", quote=str(quote)),
        _after("policies.prepare_creation").set(ignore_result=False),
    )


def preparation(policy_id: UUID) -> Signature:
    """The last link of a creation alone: what a repeated request is answered with."""
    return _alone("policies.prepare_creation", policy_id=str(policy_id)).set(ignore_result=False)


def decision(policy_id: UUID, pairs: Sequence[Pair]) -> Signature:
    """Fetch prices | decide; the last link's result is the caller's."""
    return chain(
        _alone("prices.fetch", pairs=list(pairs)),
        _after("policies.begin_settlement", policy_id=str(policy_id)).set(ignore_result=False),
    )


def decided(policy_id: UUID) -> Signature:
    """The decision that stands, for a repeated request."""
    return _alone("policies.begin_settlement", price_ids=[], policy_id=str(policy_id)).set(ignore_result=False)


def expiration(policy_ids: Sequence[UUID]) -> Signature:
    """Begin to expire | sign and broadcast one batch | look at it once."""
    return chain(
        _alone("policies.begin_expiration", policy_ids=[str(each) for each in policy_ids]),
        _after("transactions.sign_and_broadcast"),
        _after("transactions.monitor"),
    )


def broadcast(policy_ids: Sequence[UUID]) -> Signature:
    """Sign and broadcast what these policies need | look at it once."""
    return chain(
        _alone("transactions.sign_and_broadcast", policy_ids=[str(each) for each in policy_ids]),
        _after("transactions.monitor"),
    )


def confirmation(policy_id: UUID) -> Signature:
    """Move the policy by what was confirmed, then do what it needs next."""
    return chain(_alone("policies.sync_status", policy_id=str(policy_id)), advance(policy_id))


def advance(policy_id: UUID | None = None) -> Signature:
    """Do what one policy needs now, or what any needs that stands still."""
    return _alone("policies.advance", **({} if policy_id is None else {"policy_id": str(policy_id)}))


def follow() -> Signature:
    """Apply new blocks."""
    return _alone("chain.follow")


def of_step(policy_id: UUID, step: Step, *, pairs: Sequence[Pair] = ()) -> Signature:
    """Map what `next_step` says to the canvas that does it."""
    canvases: Mapping[StepKind, Callable[[], Signature]] = {
        StepKind.PREPARE_CREATION: lambda: preparation(policy_id),
        StepKind.GIVE_UP: lambda: _alone("policies.expire_quotes", policy_id=str(policy_id)),
        StepKind.SYNC_STATUS: lambda: confirmation(policy_id),
        StepKind.DECIDE: lambda: decision(policy_id, pairs),
        StepKind.BEGIN_EXPIRATION: lambda: expiration([policy_id]),
        StepKind.SIGN_AND_BROADCAST: lambda: broadcast([policy_id]),
        StepKind.MONITOR: lambda: _alone("transactions.monitor", transaction_id=str(step.transaction_id)),
    }
    return canvases[step.kind]()
