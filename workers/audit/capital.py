"""Checks of what we keep of the pool: its book, the tiers' capital, and what each policy holds of it."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

from registry.domain.policy import OnChainStatus, PolicyStatus
from registry.domain.units import Token
from workers.audit.chain import Chain
from workers.audit.records import Book, Ledger
from workers.audit.statuses import AGREES, Complaints

_S = PolicyStatus
_HOLDS: Mapping[str, frozenset[PolicyStatus]] = MappingProxyType(
    {
        "reserved": frozenset({_S.PENDING_CREATION}),
        "locked": AGREES[OnChainStatus.ACTIVE] - {_S.QUARANTINED},
        "released": frozenset({_S.FAILED_CREATION, _S.SETTLED, _S.EXPIRED}),
    }
)
"""For each state of a hold on collateral, the statuses that may have it."""


def pool_mirror_agrees(ledger: Ledger, chain: Chain) -> Complaints:
    """Our book of each pool, earned up to the newest block, is the contract's."""
    for token, pool in chain.pools.items():
        book = ledger.books.get(token)
        if book is None:
            yield f"there is no book of the pool in {token}"
            continue
        earned = _earned(book, height=ledger.burn_height)
        ours = (book.assets + earned, book.locked, book.unearned - earned)
        theirs = (pool.assets, pool.locked, pool.unearned)
        if ours != theirs:
            yield f"assets, locked and unearned of {token} are {ours} in our book, {theirs} in the contract"


def tier_capital_adds_up(ledger: Ledger, chain: Chain) -> Complaints:
    """Each tier's sums are those of its holds; all tiers' locks and what is in quarantine are the contract's."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for hold in ledger.holds:
        sums[hold.tier, hold.token, hold.state] += hold.amount
    for tier in ledger.tiers:
        kept = (tier.reserved, tier.locked)
        held = (sums[tier.tier, tier.token, "reserved"], sums[tier.tier, tier.token, "locked"])
        if kept != held:
            yield f"{tier.tier} in {tier.token} has {kept} reserved and locked, its policies hold {held}"
    apart = _in_quarantine(ledger, chain)
    for token in Token:
        locked = sum(hold.amount for hold in ledger.holds if hold.token == token and hold.state == "locked")
        if locked + apart[token] != chain.pools[token].locked:
            yield (
                f"{locked} of {token} are locked here and {apart[token]} in quarantine,"
                f" {chain.pools[token].locked} on chain"
            )


def no_collateral_left_behind(ledger: Ledger, _chain: Chain) -> Complaints:
    """Every hold is in the state that its policy's status allows."""
    statuses = {policy.id: policy.status for policy in ledger.policies}
    for hold in ledger.holds:
        if statuses.get(hold.policy) not in _HOLDS[hold.state]:
            yield f"policy {hold.policy} is {statuses.get(hold.policy)} and its {hold.amount} are {hold.state}"


def _in_quarantine(ledger: Ledger, chain: Chain) -> Counter[str]:
    """The collateral that the pool locks for what no quote of ours explains."""
    locked: Counter[str] = Counter()
    for policy in ledger.policies:
        position = None if policy.on_chain is None else chain.positions.get(policy.on_chain)
        if policy.status == _S.QUARANTINED and position is not None:
            locked[position.token] += position.collateral
    return locked


def _earned(book: Book, *, height: int) -> int:
    """What of the unearned is earned by a height: evenly, floored."""
    if height >= book.until:
        return book.unearned
    return book.unearned * max(height - book.since, 0) // (book.until - book.since)
