"""The pool's book of one token, kept exactly as the contract keeps it, from its events."""

from dataclasses import dataclass, replace

from registry.domain.units import BaseUnits, BurnHeight, Token, ceil_div, floor_div

LONGEST_EARNING = 52_560
"""Blocks over which the contract lets a premium be earned at most: a year, however late the policy ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBook:
    """Assets, what of them is locked, and premiums still to be earned evenly from `since` to `until`."""

    token: Token
    assets: int = 0
    locked: int = 0
    unearned: int = 0
    since: int = 0
    until: int = 0

    def at(self, height: BurnHeight) -> "PoolBook":
        """Earn what is due by this height, floored as the contract floors it."""
        if height <= self.since:
            return self
        if height >= self.until:
            earned = self.unearned
        else:
            earned = floor_div(self.unearned * (height - self.since), self.until - self.since)
        return replace(self, assets=self.assets + earned, unearned=self.unearned - earned, since=height)

    def deposited(self, amount: int, *, height: BurnHeight) -> "PoolBook":
        """Add a provider's coins."""
        book = self.at(height)
        return replace(book, assets=book.assets + amount)

    def withdrawn(self, amount: int, *, height: BurnHeight) -> "PoolBook":
        """Take a provider's coins out."""
        book = self.at(height)
        return replace(book, assets=book.assets - amount)

    def sold(
        self, *, premium: BaseUnits, collateral: BaseUnits, expiration: BurnHeight, height: BurnHeight
    ) -> "PoolBook":
        """Lock the collateral; the premium (without fee) is earned over the weighted mean of the time left, ceiled."""
        book = self.at(height)
        unearned = book.unearned + premium
        left = max(book.until - height, 0)
        weighted = book.unearned * left + premium * min(expiration - height, LONGEST_EARNING)
        return replace(
            book,
            locked=book.locked + collateral,
            unearned=unearned,
            until=height + ceil_div(weighted, unearned),
        )

    def ended(self, *, payout: int, collateral: int) -> "PoolBook":
        """Free the collateral; a payout is borne at once. The contract does not accrue here."""
        return replace(self, assets=self.assets - payout, locked=self.locked - collateral)
