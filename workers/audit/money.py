"""Checks of coins: where they are, where they came from, what was owed and what was paid."""

from collections import Counter

from registry.domain.policy import OnChainStatus, PolicyStatus
from registry.domain.units import Token
from workers.audit.chain import Chain
from workers.audit.records import Ledger, Pinned
from workers.audit.statuses import Complaints

BTC, STX = "BTC/USD", "STX/USD"
USD8 = 10**8
MICRO = 10**6

_S = PolicyStatus
_ENDS = {_S.SETTLED: (1, 0), _S.EXPIRED: (0, 1)}
"""How many payouts and releases belong to a status; to any other none."""


def pool_balances(_ledger: Ledger, chain: Chain) -> Complaints:
    """The pool holds, to the last unit, its assets and what it has yet to earn."""
    for token, booked in chain.booked.items():
        if chain.balances[token] != booked:
            yield f"the pool has {chain.balances[token]} base units of {token} and books {booked}"


def pool_flows(_ledger: Ledger, chain: Chain) -> Complaints:
    """The pool holds what was deposited and not withdrawn, with every premium less its fee, less every payout."""
    for token in Token:
        lent = sum(deposit.amount for deposit in chain.deposits if deposit.token == token)
        earned = sum(each.premium - each.fee for each in chain.purchases if each.token == token)
        paid = sum(each.amount for each in chain.payouts if each.token == token)
        if chain.balances[token] != lent + earned - paid:
            yield f"the pool has {chain.balances[token]} of {token}: {lent} lent, {earned} earned, {paid} paid out"


def owners_balances(_ledger: Ledger, chain: Chain) -> Complaints:
    """Each account has what it began with, its payouts and withdrawals, less premiums, deposits and network fees."""
    for principal, account in chain.accounts.items():
        moved: Counter[str] = Counter({Token.STX.value: -account.network_fees})
        for payout in chain.payouts:
            moved[payout.token] += payout.amount if payout.owner == principal else 0
        for purchase in chain.purchases:
            moved[purchase.token] -= purchase.premium if purchase.buyer == principal else 0
            moved[purchase.token] += purchase.fee if principal == chain.treasury else 0
        for deposit in chain.deposits:
            moved[deposit.token] -= deposit.amount if deposit.provider == principal else 0
        for token in Token:
            left = account.opening[token] + moved[token]
            if account.balance[token] != left:
                yield f"{principal} has {account.balance[token]} of {token}, it should be {left}"


def locked_is_open_collateral(_ledger: Ledger, chain: Chain) -> Complaints:
    """What the pool calls locked is the collateral of its open positions, and its assets cover it."""
    for token, pool in chain.pools.items():
        open_collateral = sum(
            position.collateral
            for position in chain.positions.values()
            if position.token == token and position.status == OnChainStatus.ACTIVE
        )
        if pool.locked != open_collateral:
            yield f"the pool has {pool.locked} of {token} locked, open positions need {open_collateral}"
        if pool.assets < pool.locked:
            yield f"the pool's {pool.assets} of {token} do not cover the {pool.locked} locked"


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
        due = (policy.owner, pinned.token, pinned.amount, pinned.amount) if pinned else None
        if (payout.owner, payout.token, payout.amount, payout.received) != due:
            yield f"policy {policy.id} was paid {payout}, owed was {due}"
        if policy.status == _S.SETTLED and (policy.settlement_token, policy.settlement_amount) != (
            payout.token,
            payout.amount,
        ):
            yield f"policy {policy.id} says {policy.settlement_amount} {policy.settlement_token}, paid was {payout}"
    for on_chain in sorted(paid):
        yield f"policy {on_chain} was paid and no row of ours names it"


def payouts_follow_from_prices(ledger: Ledger, chain: Chain) -> Complaints:
    """What is owed is what the pinned prices, the chain's terms and the collateral come to, computed here again."""
    for policy in ledger.policies:
        pinned = ledger.pinned.get(policy.id)
        if pinned is None or policy.on_chain is None:
            continue
        if pinned.said != pinned.kept or BTC not in pinned.kept:
            yield f"policy {policy.id} was decided by {pinned.said}, kept are {pinned.kept}"
            continue
        position = chain.positions.get(policy.on_chain)
        formula = owed(pinned, strike=policy.strike, amount=policy.amount)
        most = formula if position is None else min(formula, position.collateral)
        if formula <= 0 or (pinned.amount, pinned.capped) != (most, most < formula):
            told = f"{pinned.amount} (capped: {pinned.capped})"
            yield f"policy {policy.id} is owed {told}, the prices make it {most} of {formula}"


def owed(pinned: Pinned, *, strike: int, amount: int) -> int:
    """(K - S) × A at the pinned prices, in the policy's token, floored and not capped; 0 or less out of the money."""
    spot = pinned.kept[BTC]
    worth = (strike - spot) * amount
    if pinned.token == Token.SBTC:
        return worth // spot
    return worth * MICRO // (USD8 * pinned.kept[STX]) if STX in pinned.kept else 0


def one_effect_per_intent(ledger: Ledger, chain: Chain) -> Complaints:
    """Each policy that ended did so once on chain, by the transaction in its row, and we did nothing for it twice."""
    payouts = Counter(payout.on_chain for payout in chain.payouts)
    releases = Counter(release.on_chain for release in chain.releases)
    by = {release.on_chain: release.tx_id for release in chain.releases}
    by |= {payout.on_chain: payout.tx_id for payout in chain.payouts}
    for policy in ledger.policies:
        if policy.on_chain is None:
            continue
        ends = (payouts[policy.on_chain], releases[policy.on_chain])
        # One that is under way may be over on chain, and not confirmed yet.
        under_way = policy.status in {_S.SETTLING, _S.EXPIRING} and sum(ends) <= 1
        if not under_way and ends != _ENDS.get(PolicyStatus(policy.status), (0, 0)):
            yield f"policy {policy.id} is {policy.status}, with {ends[0]} payouts and {ends[1]} releases on chain"
        if policy.status in _ENDS and policy.tx_end != by.get(policy.on_chain):
            yield f"policy {policy.id} ended by {by.get(policy.on_chain)}, its row says {policy.tx_end}"
    done = Counter((intent.policy, intent.purpose) for intent in ledger.intents if intent.is_done)
    for (policy_id, purpose), times in done.items():
        if times > 1:
            yield f"policy {policy_id} was the object of {times} transactions that did {purpose}"


def nonces_have_no_gap(ledger: Ledger, chain: Chain) -> Complaints:
    """Each signer used every nonce from its first on, once, and the chain has seen all that were mined."""
    for signer in ledger.signers:
        first = signer.nonces[0] if signer.nonces else signer.next_nonce
        if signer.nonces != tuple(range(first, signer.next_nonce)):
            yield f"{signer.principal} used the nonces {signer.nonces}, the next is {signer.next_nonce}"
        mined = signer.next_nonce - signer.unmined
        if chain.nonces[signer.principal] != mined:
            yield f"{signer.principal} is at nonce {chain.nonces[signer.principal]} on chain, at {mined} here"
