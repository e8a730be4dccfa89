"""The audit: Postgres against the chain, by SQL and call-reads of its own. Run it when nothing is under way."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from registry.domain.policy import TRANSITIONS, Edge, OnChainStatus, PolicyStatus
from registry.domain.units import Token
from workers.audit.chain import Addresses, Chain, ChainReader
from workers.audit.ledger import Book, Ledger, read_ledger

_S = PolicyStatus
_AGREES: Mapping[int | None, frozenset[PolicyStatus]] = MappingProxyType(
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

_HOLDS: Mapping[str, frozenset[PolicyStatus]] = MappingProxyType(
    {
        "reserved": frozenset({_S.PENDING_CREATION}),
        "locked": _AGREES[OnChainStatus.ACTIVE],
        "released": frozenset({_S.FAILED_CREATION, _S.SETTLED, _S.EXPIRED}),
    }
)
"""For each state of a hold on collateral, the statuses that may have it."""

Complaints = Iterator[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What held and what did not; `details` says for each broken check, in sentences, where and how."""

    ok: bool
    checks: Mapping[str, bool]
    details: Mapping[str, tuple[str, ...]]

    def to_json(self) -> dict[str, object]:
        """The verdicts alone."""
        return {"ok": self.ok, "checks": dict(self.checks)}


def audit(database_url: str, addresses: Addresses) -> Audit:
    """Read both sides and hold them against each other."""
    ledger = read_ledger(database_url)
    reader = ChainReader(addresses)
    try:
        chain = reader.read(block=ledger.block, signers=[signer.principal for signer in ledger.signers])
    finally:
        reader.close()
    return judge(ledger, chain)


def judge(ledger: Ledger, chain: Chain) -> Audit:
    """Run every check."""
    details = {name: tuple(check(ledger, chain)) for name, check in CHECKS.items()}
    checks = {name: not complaints for name, complaints in details.items()}
    return Audit(
        ok=all(checks.values()),
        checks=checks,
        details={name: complaints for name, complaints in details.items() if complaints},
    )


def statuses_agree(ledger: Ledger, chain: Chain) -> Complaints:
    """Every policy's status here agrees with the contract's, and neither side has one that the other lacks."""
    for policy in ledger.policies:
        found = None if policy.on_chain is None else chain.positions.get(policy.on_chain)
        status = None if found is None else found.status
        # A payout or release that is not confirmed yet stands on chain alone.
        ours = {status, int(OnChainStatus.ACTIVE)} if policy.status in {_S.SETTLING, _S.EXPIRING} else {status}
        if policy.status not in _AGREES[status] or policy.status_on_chain not in ours:
            yield f"policy {policy.id} is {policy.status} ({policy.status_on_chain}), the contract says {status}"
        if found is not None and found.owner != policy.owner:
            yield f"policy {policy.id} belongs to {policy.owner}, the contract says {found.owner}"
    known = {policy.on_chain for policy in ledger.policies}
    for unknown in sorted(set(chain.positions) - known):
        yield f"the pool has a policy {unknown} that no row of ours names"


def positions_agree_with_registry(_ledger: Ledger, chain: Chain) -> Complaints:
    """The pool and the registry contract say the same of every policy."""
    for on_chain, position in chain.positions.items():
        if position.status != position.position_status:
            yield f"policy {on_chain} is {position.status} in the registry and {position.position_status} in the pool"


def pool_balances(_ledger: Ledger, chain: Chain) -> Complaints:
    """The pool holds, to the last unit, its assets and what it has yet to earn."""
    for token, booked in chain.booked.items():
        if chain.balances[token] != booked:
            yield f"the pool has {chain.balances[token]} base units of {token} and books {booked}"


def locked_is_open_collateral(_ledger: Ledger, chain: Chain) -> Complaints:
    """What the pool calls locked is the collateral of its open positions, and its assets cover it."""
    for token, pool in chain.pools.items():
        open_collateral = _open_collateral(chain, token)
        if pool.locked != open_collateral:
            yield f"the pool has {pool.locked} of {token} locked, open positions need {open_collateral}"
        if pool.assets < pool.locked:
            yield f"the pool's {pool.assets} of {token} do not cover the {pool.locked} locked"


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
    """Each tier's sums are those of its holds, and all tiers' locks are the contract's."""
    sums: Counter[tuple[str, str, str]] = Counter()
    for hold in ledger.holds:
        sums[hold.tier, hold.token, hold.state] += hold.amount
    for tier in ledger.tiers:
        kept = (tier.reserved, tier.locked)
        held = (sums[tier.tier, tier.token, "reserved"], sums[tier.tier, tier.token, "locked"])
        if kept != held:
            yield f"{tier.tier} in {tier.token} has {kept} reserved and locked, its policies hold {held}"
    for token in Token:
        locked = sum(hold.amount for hold in ledger.holds if hold.token == token and hold.state == "locked")
        if locked != chain.pools[token].locked:
            yield f"{locked} of {token} are locked here, {chain.pools[token].locked} on chain"


def no_collateral_left_behind(ledger: Ledger, _chain: Chain) -> Complaints:
    """Every hold is in the state that its policy's status allows."""
    statuses = {policy.id: policy.status for policy in ledger.policies}
    for hold in ledger.holds:
        if statuses.get(hold.policy) not in _HOLDS[hold.state]:
            yield f"policy {hold.policy} is {statuses.get(hold.policy)} and its {hold.amount} are {hold.state}"


def nonces_have_no_gap(ledger: Ledger, chain: Chain) -> Complaints:
    """Each signer used every nonce from its first on, once, and the chain has seen all that were mined."""
    for signer in ledger.signers:
        first = signer.nonces[0] if signer.nonces else signer.next_nonce
        if signer.nonces != tuple(range(first, signer.next_nonce)):
            yield f"{signer.principal} used the nonces {signer.nonces}, the next is {signer.next_nonce}"
        mined = signer.next_nonce - signer.unmined
        if chain.nonces[signer.principal] != mined:
            yield f"{signer.principal} is at nonce {chain.nonces[signer.principal]} on chain, at {mined} here"


def paid_once_as_pinned(ledger: Ledger, chain: Chain) -> Complaints:
    """Each settled policy was paid in one transaction, to its owner, the amount that was pinned; nothing else was."""
    paid = {payout.on_chain: payout for payout in chain.payouts}
    for on_chain, times in Counter(payout.on_chain for payout in chain.payouts).items():
        if times > 1:
            yield f"policy {on_chain} was paid {times} times"
    for policy in ledger.policies:
        payout = None if policy.on_chain is None else paid.pop(policy.on_chain, None)
        pinned = ledger.pinned.get(policy.id)
        if policy.status == _S.SETTLED and (payout is None or pinned is None):
            yield f"policy {policy.id} is Settled, with payout {payout} and pinned {pinned}"
        if payout is None:
            continue
        owed = (policy.owner, pinned.token, pinned.amount, pinned.amount) if pinned else None
        if (payout.owner, payout.token, payout.amount, payout.received) != owed:
            yield f"policy {policy.id} was paid {payout}, owed was {owed}"
        if policy.status == _S.SETTLED and (policy.settlement_token, policy.settlement_amount) != (
            payout.token,
            payout.amount,
        ):
            yield f"policy {policy.id} says {policy.settlement_amount} {policy.settlement_token}, paid was {payout}"
    for on_chain in sorted(paid):
        yield f"policy {on_chain} was paid and no row of ours names it"


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


def _open_collateral(chain: Chain, token: str) -> int:
    return sum(
        position.collateral
        for position in chain.positions.values()
        if position.token == token and position.position_status == OnChainStatus.ACTIVE
    )


def _earned(book: Book, *, height: int) -> int:
    """What of the unearned is earned by a height: evenly, floored."""
    if height >= book.until:
        return book.unearned
    return book.unearned * max(height - book.since, 0) // (book.until - book.since)


CHECKS: Mapping[str, Callable[[Ledger, Chain], Complaints]] = MappingProxyType(
    {
        "statuses_agree_with_the_contract": statuses_agree,
        "registry_and_pool_agree": positions_agree_with_registry,
        "pool_balance_is_assets_plus_unearned": pool_balances,
        "locked_is_the_open_collateral": locked_is_open_collateral,
        "pool_mirror_agrees_with_the_contract": pool_mirror_agrees,
        "tier_capital_adds_up": tier_capital_adds_up,
        "no_collateral_left_behind": no_collateral_left_behind,
        "nonces_have_no_gap": nonces_have_no_gap,
        "one_payout_per_settled_policy_as_pinned": paid_once_as_pinned,
        "events_walk_the_diagram": events_walk_the_diagram,
    }
)
