"""What follows what: the only place that makes signatures of steps. Nothing runs here.

A canvas runs to the next wait and ends there; the value that one link hands to the next is an id.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from celery import Signature, chain

from registry.domain.lease import Held
from registry.domain.prices import Pair
from registry.domain.steps import StepKind
from registry.services.advance import Drive
from workers.app import app


def _alone(task: str, **arguments: Any) -> Signature:  # noqa: ANN401 - JSON
    """A link that does not take what the one before answered."""
    return app.signature(task, kwargs=arguments, immutable=True)


def _after(task: str, **arguments: Any) -> Signature:  # noqa: ANN401 - JSON
    """A link whose first argument is what the one before answered."""
    return app.signature(task, kwargs=arguments)


def _under(lease: int | None) -> dict[str, int]:
    """The token of whoever drives the policy; an owner's own request asks for none."""
    return {} if lease is None else {"lease": lease}


def creation(quote: UUID, pairs: Sequence[Pair]) -> Signature:
    """Fetch prices | quote | check capacity | record | prepare; the last link's result is the caller's."""
    return chain(
        _alone("prices.fetch", pairs=list(pairs)), _after("premiums.quote", quote=str(quote)), recording(quote)
    )


def recording(quote: UUID) -> Signature:
    """What follows a price that is fresh: a repeated request begins here, and asks no venue again."""
    return chain(
        _alone("pool.check_capacity", quote=str(quote)),
        _alone("policies.record_attempt", quote=str(quote)),
        _after("policies.prepare_creation").set(ignore_result=False),
    )


def preparation(policy_id: UUID, *, lease: int | None = None) -> Signature:
    """The last link of a creation alone: what a repeated request is answered with."""
    return _alone("policies.prepare_creation", policy_id=str(policy_id), **_under(lease)).set(ignore_result=False)


def decision(policy_id: UUID, pairs: Sequence[Pair], *, lease: int | None = None) -> Signature:
    """Fetch prices | decide; the last link's result is the caller's."""
    return chain(
        _alone("prices.fetch", pairs=list(pairs)),
        _after("policies.begin_settlement", policy_id=str(policy_id), **_under(lease)).set(ignore_result=False),
    )


def decided(policy_id: UUID) -> Signature:
    """The decision that stands, for a repeated request."""
    return _alone("policies.begin_settlement", price_ids=[], policy_id=str(policy_id)).set(ignore_result=False)


def expiration(held: Sequence[Held]) -> Signature:
    """Begin to expire | sign and broadcast one batch | look at it once."""
    ids, leases = [str(each.policy_id) for each in held], {str(each.policy_id): each.token for each in held}
    return chain(
        _alone("policies.begin_expiration", policy_ids=ids, leases=leases),
        _after("transactions.sign_and_broadcast", leases=leases),
        _after("transactions.monitor"),
    )


def broadcast(held: Held) -> Signature:
    """Sign and broadcast what this policy needs | look at it once."""
    named = str(held.policy_id)
    return chain(
        _alone("transactions.sign_and_broadcast", policy_ids=[named], leases={named: held.token}),
        _after("transactions.monitor"),
    )


def confirmation(policy_id: UUID, *, lease: int | None = None) -> Signature:
    """Move the policy by what was confirmed, then do what it needs next."""
    return chain(_alone("policies.sync_status", policy_id=str(policy_id), **_under(lease)), advance(policy_id))


def advance(policy_id: UUID | None = None) -> Signature:
    """Do what one policy needs now, or what any needs that stands still."""
    return _alone("policies.advance", **({} if policy_id is None else {"policy_id": str(policy_id)}))


def follow() -> Signature:
    """Apply new blocks."""
    return _alone("chain.follow")


def reconcile() -> Signature:
    """Compare the next page with the contracts."""
    return _alone("policies.reconcile")


def payout_notices() -> Signature:
    """Fetch prices | tell of policies that are in the money by them."""
    return chain(_alone("prices.fetch", pairs=[Pair.BTC_USD, Pair.STX_USD]), _alone("webhooks.notice_payouts"))


def take_push(push_id: int, *, tries: int, seconds: int) -> Signature:
    """Look at a push once more, shortly."""
    return _alone("chain.take_push", push_id=push_id, tries=tries).set(countdown=seconds)


def of_step(policy_id: UUID, drive: Drive, *, pairs: Sequence[Pair] = ()) -> Signature:
    """Map what `next_step` says to the canvas that does it, under the lease of whoever asked."""
    step, token = drive.step, drive.token
    held = Held(policy_id=policy_id, token=token)
    canvases: Mapping[StepKind, Callable[[], Signature]] = {
        StepKind.PREPARE_CREATION: lambda: preparation(policy_id, lease=token),
        StepKind.GIVE_UP: lambda: _alone("policies.expire_quotes", policy_id=str(policy_id), lease=token),
        StepKind.SYNC_STATUS: lambda: confirmation(policy_id, lease=token),
        StepKind.DECIDE: lambda: decision(policy_id, pairs, lease=token),
        StepKind.BEGIN_EXPIRATION: lambda: expiration([held]),
        StepKind.SIGN_AND_BROADCAST: lambda: broadcast(held),
        StepKind.RETRY: lambda: _alone("policies.retry_failed", policy_id=str(policy_id), lease=token),
        StepKind.MONITOR: lambda: _alone("transactions.monitor", transaction_id=str(step.transaction_id)),
    }
    return canvases[step.kind]()
