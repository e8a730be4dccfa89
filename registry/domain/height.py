"""Heights of the canonical chain, and how deep something must lie before we act on it."""

from dataclasses import dataclass
from enum import StrEnum

from registry.domain.units import BurnHeight


class Depth(StrEnum):
    """How deep something lies: in a block at all, or as deep as each of the two depths at which we act."""

    INCLUDED = "included"
    CONFIRMED = "confirmed"
    FINAL = "final"


@dataclass(frozen=True, slots=True, kw_only=True)
class Depths:
    """Burn blocks on top of a transaction's own before it counts as confirmed, and as final."""

    confirmed: int = 2
    final: int = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHeight:
    """The burn height of the canonical Stacks tip; what lies at or under `confirmed` or `final` is that deep."""

    tip: BurnHeight
    confirmed: BurnHeight
    final: BurnHeight

    @classmethod
    def at(cls, tip: BurnHeight, *, depths: Depths) -> "ChainHeight":
        """Measure both depths from one tip."""
        return cls(
            tip=tip,
            confirmed=BurnHeight(tip - depths.confirmed),
            final=BurnHeight(tip - depths.final),
        )

    def depth_of(self, height: BurnHeight) -> Depth:
        """How deep a block at `height` lies under this tip."""
        if height <= self.final:
            return Depth.FINAL
        return Depth.CONFIRMED if height <= self.confirmed else Depth.INCLUDED
