"""How deep on the chain a policy's purchase and its end lie: shown from the block on that holds them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight, Depths
from registry.domain.units import BurnHeight
from registry.store import blocks

_ENDS = ("policy-settled", "collateral-released")

USUAL = Depths()
"""The depths of a program that names no others."""


def on_chain(session: Session, policy_id: UUID, *, depths: Depths) -> dict[str, Any]:
    """Purchase and end as `{"tx_id", "height", "depth"}`, each null while no canonical block holds it.

    `depth` is included, confirmed or final. What is only included moves nothing yet: a fork may take it.
    """
    tip = blocks.tip(session)
    if tip is None:
        return {"purchase": None, "end": None}
    height = ChainHeight.at(BurnHeight(tip.burn_height), depths=depths)
    ends = (_told(session, policy_id, name, height) for name in _ENDS)
    return {
        "purchase": _told(session, policy_id, "policy-purchased", height),
        "end": next((end for end in ends if end is not None), None),
    }


def _told(session: Session, policy_id: UUID, name: str, height: ChainHeight) -> Mapping[str, Any] | None:
    found = blocks.event_of(session, policy_id, name)
    if found is None:
        return None
    event, block = found
    depth = height.depth_of(BurnHeight(block.burn_height))
    return {"tx_id": event.tx_id, "height": block.burn_height, "depth": depth.value}
