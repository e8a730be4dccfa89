"""A push: what a node or a hook says of blocks, and what following the chain makes of it. It is a hint and no more."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from registry.domain.units import BlockHash, StacksHeight


class PushSource(StrEnum):
    """Who pushes: a node's event observer, or a chainhook."""

    NODE = "node"
    CHAINHOOK = "chainhook"


class PushOutcome(StrEnum):
    """What became of a push once the chain was followed.

    `followed` is what a push without a block comes to; `given_up`: what it says was not seen in time.
    """

    APPLIED = "applied"
    KNOWN = "known"
    NOT_CANONICAL = "not_canonical"
    FOLLOWED = "followed"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class SaidBlock:
    """A block that is said to stand, by its index block hash."""

    hash: BlockHash
    height: StacksHeight
    parent: BlockHash


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a push says: the blocks taken back, newest first, then those that stand in their place, oldest first."""

    rolled_back: tuple[BlockHash, ...] = ()
    applied: tuple[SaidBlock, ...] = ()

    @property
    def hashes(self) -> frozenset[BlockHash]:
        """Every block that it names."""
        return frozenset(self.rolled_back) | {block.hash for block in self.applied}

    def to_json(self) -> dict[str, Any]:
        """The form in which it is kept."""
        return {
            "rolled_back": list(self.rolled_back),
            "applied": [{"hash": one.hash, "height": one.height, "parent": one.parent} for one in self.applied],
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "Said":
        """Read what `to_json` wrote."""
        return cls(
            rolled_back=tuple(kept["rolled_back"]), applied=tuple(SaidBlock(**block) for block in kept["applied"])
        )


def judge(
    said: Said, *, before: Collection[BlockHash], after: Collection[BlockHash], tip: StacksHeight | None
) -> PushOutcome | None:
    """Compare what is said with the blocks that stood before and after a round of following; None: not seen yet.

    A block of the tip's height or above may be one that the API does not show yet, and so may the end of one that
    is said to be taken back. One below the tip that does not stand has lost.
    """
    if not said.hashes:
        return PushOutcome.FOLLOWED
    named = {block.hash for block in said.applied}
    missing = [block for block in said.applied if block.hash not in after]
    undone = [block for block in said.rolled_back if block not in named]
    if tip is None or any(block.height >= tip for block in missing) or any(block in after for block in undone):
        return None
    if missing:
        return PushOutcome.NOT_CANONICAL
    is_news = not named <= set(before) or any(block in before for block in undone)
    return PushOutcome.APPLIED if is_news else PushOutcome.KNOWN
