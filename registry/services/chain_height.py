"""The height that a decision is taken at, read from the node just before and outside any transaction."""

from registry.domain.units import BurnHeight
from registry.stacks.node import NodeUnavailable, StacksNode
from registry.store import blocks
from registry.store.session import Database, unit_of_work


def read(node: StacksNode, database: Database) -> BurnHeight:
    """The canonical tip's burn height; a node that is unsynced, or behind what was seen already, is unavailable."""
    info = node.info()
    if not info.is_fully_synced:
        raise NodeUnavailable(endpoint="/v2/info", reason="the node is not synced", maybe_sent=False)
    tip = node.tip()
    with unit_of_work(database) as session:
        seen = blocks.tip(session)
    if seen is not None and tip.burn_height < seen.burn_height:
        reason = f"its tip is at height {tip.burn_height}, {seen.burn_height} was seen before"
        raise NodeUnavailable(endpoint="/extended/v2/blocks/latest", reason=reason, maybe_sent=False)
    return tip.burn_height
