"""Checks of who says what of a policy: our row, the registry contract, the pool; and of policies that are not ours."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from registry.domain.policy import TRANSITIONS, Edge, OnChainStatus, PolicyStatus
from workers.audit.chain import Chain, Purchase
from workers.audit.records import Ledger, PolicyRecord, RequestRecord

_S = PolicyStatus
AGREES: Mapping[int | None, frozenset[PolicyStatus]] = MappingProxyType(
    {
        None: frozenset({_S.PENDING_CREATION, _S.FAILED_CREATION}),
        OnChainStatus.ACTIVE: frozenset(
            {_S.ACTIVE, _S.SETTLING, _S.EXPIRING, _S.FAILED_SETTLEMENT, _S.FAILED_EXPIRATION, _S.QUARANTINED}
        ),
        OnChainStatus.SETTLED: frozenset({_S.SETTLING, _S.SETTLED}),
        OnChainStatus.EXPIRED: frozenset({_S.EXPIRING, _S.EXPIRED}),
    }
)
"""For each status on chain (None: not there), the statuses of ours that agree with it."""

Complaints = Iterator[str]


def statuses_agree(ledger: Ledger, chain: Chain) -> Complaints:
    """Every policy's status here agrees with the contract's, and neither side has one that the other lacks."""
    for policy in ledger.policies:
        found = None if policy.on_chain is None else chain.entries.get(policy.on_chain)
        status = None if found is None else found.status
        # A payout or release that is not confirmed yet stands on chain alone.
        ours = {status, int(OnChainStatus.ACTIVE)} if policy.status in {_S.SETTLING, _S.EXPIRING} else {status}
        if policy.status not in AGREES[status] or policy.status_on_chain not in ours:
            yield f"policy {policy.id} is {policy.status} ({policy.status_on_chain}), the contract says {status}"
    known = {policy.on_chain for policy in ledger.policies}
    for unknown in sorted(set(chain.positions) - known):
        yield f"the pool has a policy {unknown} that no row of ours names"


def registry_and_pool_agree(_ledger: Ledger, chain: Chain) -> Complaints:
    """The pool has a position for each of its entries in the registry and no other, and both say the same of it."""
    ours = {on_chain: entry for on_chain, entry in chain.entries.items() if entry.counterparty == chain.pool}
    for on_chain in sorted(ours.keys() ^ chain.positions.keys()):
        yield f"policy {on_chain} is in only one of registry and pool"
    for on_chain in sorted(ours.keys() & chain.positions.keys()):
        entry, position = ours[on_chain], chain.positions[on_chain]
        if (entry.status, entry.owner) != (position.status, position.owner):
            yield f"policy {on_chain} is {entry} in the registry and {position} in the pool"


def terms_agree(ledger: Ledger, chain: Chain) -> Complaints:
    """Owner, strike, amount, end, premium, fee, token and collateral of each row are those of its one purchase.

    And that is the purchase of what was quoted for it.
    """
    quoted = {request.policy: request for request in ledger.requests}
    purchases = {purchase.on_chain: purchase for purchase in chain.purchases}
    holds = {hold.policy: hold for hold in ledger.holds}
    if len(purchases) != len(chain.purchases) or len({each.quote_id for each in chain.purchases}) != len(purchases):
        yield "an on-chain id or a quote was bought twice"
    for policy in ledger.policies:
        if policy.on_chain is None:
            continue
        entry, purchase = chain.entries.get(policy.on_chain), purchases.get(policy.on_chain)
        if entry is None or purchase is None:
            yield f"policy {policy.id} is {policy.on_chain} on chain, where no entry or no purchase has that id"
            continue
        sold = (entry.owner, entry.strike, entry.amount, entry.expiration)
        paid = (purchase.buyer, purchase.token, purchase.premium, purchase.fee, purchase.tx_id)
        if (policy.owner, policy.strike, policy.amount, policy.expiration) != sold:
            yield f"policy {policy.id} has other terms than the contract: {sold}"
        if (policy.owner, policy.token, policy.premium, policy.fee, policy.tx_creation) != paid:
            yield f"policy {policy.id} was paid for otherwise than its row says: {paid}"
        hold = holds.get(policy.id)
        if hold is not None and (hold.token, hold.amount) != (purchase.token, purchase.collateral):
            yield f"policy {policy.id} holds {hold.amount} {hold.token} here, {purchase.collateral} on chain"
        if policy.id in quoted and not _is_of(purchase, quoted[policy.id]):
            yield f"policy {policy.id} was bought by {purchase}, its quote is {quoted[policy.id]}"


def _is_of(purchase: Purchase, quote: RequestRecord) -> bool:
    bought = (purchase.quote_id, purchase.premium, purchase.fee, purchase.collateral)
    return bought == (quote.quote_id, quote.premium, quote.fee, quote.collateral)


def others_are_skipped(ledger: Ledger, chain: Chain) -> Complaints:
    """The registry's ids have no gap, and no row of ours is about another counterparty's entry."""
    if sorted(chain.entries) != list(range(1, len(chain.entries) + 1)):
        yield f"the registry's ids are {sorted(chain.entries)}"
    others = {on_chain for on_chain, entry in chain.entries.items() if entry.counterparty != chain.pool}
    for policy in ledger.policies:
        if policy.on_chain in others:
            yield f"policy {policy.id} is {policy.on_chain} on chain, which is another counterparty's"


def refused_calls_left_nothing(ledger: Ledger, chain: Chain) -> Complaints:
    """What the contracts refused moved nothing, printed nothing, and no row of ours comes from it."""
    created = {policy.tx_creation for policy in ledger.policies}
    for principal, account in chain.accounts.items():
        for tx_id in account.refused:
            if tx_id in account.touched or tx_id in chain.logged:
                yield f"{tx_id} of {principal} was refused, and left an event"
            if tx_id in ledger.followed or tx_id in created:
                yield f"{tx_id} of {principal} was refused, and a row of ours comes from it"


def quarantined_are_left_alone(ledger: Ledger, chain: Chain) -> Complaints:
    """A purchase that nothing explains stays locked: nothing is owed, held, asked, signed or paid for it."""
    ended = {payout.on_chain for payout in chain.payouts} | {release.on_chain for release in chain.releases}
    busy: dict[str, set[str]] = {
        "is owed a payout": set(ledger.pinned),
        "holds capital of a tier": {hold.policy for hold in ledger.holds},
        "was activated": set(ledger.asked),
        "is named by a transaction of ours": {intent.policy for intent in ledger.intents},
    }
    for policy in _quarantined(ledger):
        for what, which in busy.items():
            if policy.id in which:
                yield f"policy {policy.id} is Quarantined and {what}"
        position = None if policy.on_chain is None else chain.positions.get(policy.on_chain)
        untouched = position is not None and position.status == OnChainStatus.ACTIVE and position.payout == 0
        if not untouched or policy.on_chain in ended:
            yield f"policy {policy.id} is Quarantined, the pool has it as {position}"


def _quarantined(ledger: Ledger) -> list[PolicyRecord]:
    return [policy for policy in ledger.policies if policy.status == _S.QUARANTINED]


def events_walk_the_diagram(ledger: Ledger, _chain: Chain) -> Complaints:
    """Each policy's events begin at its beginning, follow the diagram's edges and end at its status."""
    for policy in ledger.policies:
        at: str | None = None
        for move in ledger.walks.get(policy.id, ()):
            may_leave, enters = TRANSITIONS[Edge(move.edge)]
            if move.leaves != at or at not in may_leave or move.enters != enters:
                yield f"policy {policy.id} took edge {move.edge} from {move.leaves} to {move.enters}, standing at {at}"
            at = move.enters
        if at != policy.status:
            yield f"policy {policy.id} is {policy.status}, its events end at {at}"
