"""Tasks about the chain: follow its blocks, take an event that somebody pushed."""

from datetime import UTC, datetime
from typing import Any

from registry.services import blocks, pushed_events
from workers import canvases
from workers.app import app
from workers.runtime import runtime

MOST_AT_ONCE = 100


@app.task(name="chain.follow")
def follow() -> int:
    """Apply new blocks in order, then have every policy looked at that they concern; answer how many were applied."""
    own = runtime()
    followed = blocks.follow(
        own.database,
        own.node,
        own.contracts,
        depths=own.settings.depths,
        limit=MOST_AT_ONCE,
        now=datetime.now(UTC),
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
