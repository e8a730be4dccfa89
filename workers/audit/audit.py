"""The audit: Postgres against the chain, by SQL and call-reads of its own. Run it when nothing is under way."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from workers.audit import capital, money, statuses
from workers.audit.chain import NOTHING, Addresses, Chain, ChainReader, Coins
from workers.audit.ledger import read_ledger
from workers.audit.records import Ledger, Move

Check = Callable[[Ledger, Chain], Iterator[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What held and what did not; `details` says for each broken check, in sentences, where and how.

    `walks` are the edges that each policy went, by its id.
    """

    ok: bool
    checks: Mapping[str, bool]
    details: Mapping[str, tuple[str, ...]]
    walks: Mapping[str, tuple[Move, ...]]

    def to_json(self) -> dict[str, object]:
        """The verdicts alone."""
        return {"ok": self.ok, "checks": dict(self.checks)}


def audit(database_url: str, addresses: Addresses, *, openings: Mapping[str, Coins] = NOTHING) -> Audit:
    """Read both sides and hold them against each other.

    `openings` are accounts whose coins move by our contracts alone, with what each had before its first transaction.
    """
    return judge(*read_facts(database_url, addresses, openings=openings))


def read_facts(
    database_url: str, addresses: Addresses, *, openings: Mapping[str, Coins] = NOTHING
) -> tuple[Ledger, Chain]:
    """Read both sides: Postgres in one snapshot, the chain as of the newest block that Postgres has applied."""
    ledger = read_ledger(database_url)
    reader = ChainReader(addresses)
    try:
        signers = [signer.principal for signer in ledger.signers]
        return ledger, reader.read(block=ledger.block, signers=signers, openings=openings)
    finally:
        reader.close()


def judge(ledger: Ledger, chain: Chain) -> Audit:
    """Run every check."""
    details = {name: tuple(check(ledger, chain)) for name, check in CHECKS.items()}
    checks = {name: not complaints for name, complaints in details.items()}
    return Audit(
        ok=all(checks.values()),
        checks=checks,
        details={name: complaints for name, complaints in details.items() if complaints},
        walks=ledger.walks,
    )


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "statuses_agree_with_the_contract": statuses.statuses_agree,
        "registry_and_pool_agree": statuses.registry_and_pool_agree,
        "terms_are_those_of_the_purchase": statuses.terms_agree,
        "others_entries_are_skipped": statuses.others_are_skipped,
        "refused_calls_left_nothing": statuses.refused_calls_left_nothing,
        "quarantined_are_left_alone": statuses.quarantined_are_left_alone,
        "events_walk_the_diagram": statuses.events_walk_the_diagram,
        "pool_balance_is_assets_plus_unearned": money.pool_balances,
        "pool_balance_is_what_flowed": money.pool_flows,
        "owners_balances_add_up": money.owners_balances,
        "locked_is_the_open_collateral": money.locked_is_open_collateral,
        "one_payout_per_settled_policy_as_pinned": money.paid_once_as_pinned,
        "payouts_follow_from_pinned_prices": money.payouts_follow_from_prices,
        "one_effect_per_intent": money.one_effect_per_intent,
        "nonces_have_no_gap": money.nonces_have_no_gap,
        "pool_mirror_agrees_with_the_contract": capital.pool_mirror_agrees,
        "tier_capital_adds_up": capital.tier_capital_adds_up,
        "no_collateral_left_behind": capital.no_collateral_left_behind,
    }
)
