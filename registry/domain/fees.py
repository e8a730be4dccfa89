"""Fees: what a transaction of ours pays first, and what its replacement pays."""

from dataclasses import dataclass

from registry.domain.units import MicroStx, ceil_div

RAISED_BY_ONE_IN = 4
"""A replacement pays a quarter more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """The least and the most that one transaction pays, whatever a node estimates."""

    floor: MicroStx
    ceiling: MicroStx

    def first(self, *, estimate: MicroStx | None, size: int) -> MicroStx:
        """What the first attempt pays: the estimate within bounds, and never under a micro-STX for each byte."""
        wanted = max(self.floor, estimate or 0)
        return MicroStx(max(min(wanted, self.ceiling), size))

    def raised(self, fee: MicroStx) -> MicroStx | None:
        """What the next attempt at the same nonce pays; None if `fee` is the most already."""
        if fee >= self.ceiling:
            return None
        return MicroStx(min(fee + max(ceil_div(fee, RAISED_BY_ONE_IN), 1), self.ceiling))

    def above(self, fee: MicroStx) -> MicroStx:
        """What takes the place of bytes that must not be mined, even if those pay the most already."""
        return self.raised(fee) or MicroStx(fee + 1)
