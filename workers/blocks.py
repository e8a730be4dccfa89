"""Tasks about the chain: follow its blocks, take what somebody pushed."""

from datetime import datetime, timedelta
from typing import Any

from registry.services import blocks, pushed_events, pushes
from workers import canvases
from workers.app import app
from workers.runtime import Runtime, runtime

MOST_AT_ONCE = 100
MOST_PUSHES = 20
MOST_PRUNED = 100
PATIENCE = timedelta(minutes=10)
"""How long a push waits for an API that does not show its blocks yet."""
TRIES = 3


@app.task(name="chain.follow")
def follow() -> int:
    """Apply new blocks in order, then have every policy looked at that they concern; answer how many were applied."""
    own = runtime()
    now = own.now()
    waiting = pushes.waiting(own.database, limit=MOST_PUSHES)
    applied = _follow(own, now=now)
    pushes.take(own.database, waiting, patience=PATIENCE, now=now)
    pushes.prune(own.database, before=now - timedelta(days=own.settings.push_days), limit=MOST_PRUNED)
    return applied


@app.task(name="chain.take_push")
def take_push(push_id: int, tries: int = 0) -> str | None:
    """Follow the chain because of a push, then say what became of it: None if it waits on or was taken before."""
    own = runtime()
    now = own.now()
    waiting = pushes.waiting(own.database, first=push_id, limit=MOST_PUSHES)
    _follow(own, now=now)
    taken = pushes.take(own.database, waiting, patience=PATIENCE, now=now)
    is_left = push_id in {each.id for each in waiting} - taken.keys()
    # an API learns of a block when we do, and shows it a moment later
    if is_left and tries < TRIES:
        canvases.take_push(push_id, tries=tries + 1, seconds=2**tries).delay()
    return taken.get(push_id)


def _follow(own: Runtime, *, now: datetime) -> int:
    followed = blocks.follow(
        own.database,
        own.node,
        own.contracts,
        depths=own.settings.depths,
        limit=own.blocks_at_once(MOST_AT_ONCE),
        now=now,
    )
    for policy_id in followed.policy_ids:
        canvases.confirmation(policy_id).delay()
    if followed.applied:
        canvases.advance().delay()
    if followed.behind:
        canvases.follow().delay()
    return followed.applied


@app.task(name="policies.handle_on_chain_event", ignore_result=False)
def handle_on_chain_event(message: dict[str, Any]) -> dict[str, Any]:
    """Take one event in the node's form. It is a hint: the block that holds it is applied in its turn."""
    own = runtime()
    tx_id = pushed_events.check(own.contracts, message)
    canvases.follow().delay()
    return {"accepted": True, "tx_id": tx_id}
