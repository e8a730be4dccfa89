"""The toll counts what was lost, doubled, stuck or adrift, and nothing of a run in which all went well."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.domain.units import Token
from workers.audit.chain import Chain, Payout, Purchase, Release
from workers.audit.records import Intent, Ledger, Move, Pinned, PolicyRecord, RequestRecord, WishRecord
from workers.audit.toll import Asked, Journal, Struck, Toll, Wished, percentile, recoveries, take

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
OWNER = "owner"
PAID, RAN_OUT, NEVER_BOUGHT, RESTS = "policy-paid", "policy-ran-out", "policy-never-bought", "policy-rests"
ENTERS = {
    "a": "PendingCreation",
    "b": "Active",
    "c": "Settling",
    "d": "Settled",
    "e": "FailedCreation",
    "f": "FailedSettlement",
    "h": "Settling",
    "j": "Expiring",
    "k": "Expired",
    "q": "Settling",
}


def walk(edges: str) -> tuple[Move, ...]:
    """An edge each second."""
    return tuple(
        Move(edge=edge, leaves=None, enters=ENTERS[edge], cause="", at=BEGUN + timedelta(seconds=number))
        for number, edge in enumerate(edges)
    )


def policy(name: str, status: str, on_chain: int | None) -> PolicyRecord:
    return PolicyRecord(
        id=name,
        on_chain=on_chain,
        owner=OWNER,
        strike=1,
        amount=1,
        expiration=1_000,
        status=status,
        status_on_chain=None,
        premium=None,
        fee=None,
        token=None,
        settlement_amount=None,
        settlement_token=None,
        tx_creation=None,
        tx_end=None,
    )


def request(name: str, *, key: str | None = None) -> RequestRecord:
    return RequestRecord(
        owner=OWNER, key=key or f"key-{name}", policy=name, quote_id="q", premium=1, fee=0, collateral=1
    )


LEDGER = Ledger(
    block="b",
    burn_height=900,
    policies=(
        policy(PAID, "Settled", 1),
        policy(RAN_OUT, "Expired", 2),
        policy(NEVER_BOUGHT, "FailedCreation", None),
        policy(RESTS, "Active", 3),
    ),
    walks={PAID: walk("abcd"), RAN_OUT: walk("abjk"), NEVER_BOUGHT: walk("ae"), RESTS: walk("ab")},
    holds=(),
    tiers=(),
    books={},
    pinned={PAID: Pinned(amount=7, token=Token.STX, capped=False, said={}, kept={})},
    intents=(
        Intent(policy=PAID, purpose="settle", transaction="t1", is_done=True, is_open=False),
        Intent(policy=RAN_OUT, purpose="expire", transaction="t2", is_done=True, is_open=False),
    ),
    requests=tuple(request(name) for name in (PAID, RAN_OUT, RESTS)),
    wishes=(WishRecord(policy=PAID, key="pay", state="accepted"), WishRecord(policy=RESTS, key="pay", state="refused")),
    asked=frozenset({PAID}),
    followed=frozenset(),
    signers=(),
)
CHAIN = Chain(
    pool="pool",
    treasury="treasury",
    entries={},
    positions={},
    pools={},
    balances={},
    booked={},
    purchases=tuple(
        Purchase(
            on_chain=number,
            quote_id=f"q{number}",
            buyer=OWNER,
            token=Token.STX,
            premium=1,
            fee=0,
            collateral=1,
            tx_id="t",
        )
        for number in (1, 2, 3)
    ),
    payouts=(Payout(on_chain=1, owner=OWNER, token=Token.STX, amount=7, tx_id="t1", received=7),),
    releases=(Release(on_chain=2, tx_id="t2"),),
    deposits=(),
    logged=frozenset(),
    accounts={},
    nonces={},
)


def answered(key: str, *policies: str) -> Journal:
    """One request, with the policies that answers to it named."""
    return Journal(asked=(Asked(owner=OWNER, key=key, policies=policies),))


JOURNAL = Journal(
    asked=(Asked(owner=OWNER, key=f"key-{PAID}", policies=(PAID,)), Asked(owner=OWNER, key="never answered")),
    wished=(Wished(policy=PAID, key="pay"),),
)


def toll(ledger: Ledger = LEDGER, chain: Chain = CHAIN, journal: Journal = JOURNAL) -> Toll:
    return take(ledger, chain, journal, complaints={})


def standing(name: str, status: str) -> Ledger:
    """The ledger with one policy in another status."""
    changed = (replace(each, status=status) if each.id == name else each for each in LEDGER.policies)
    return replace(LEDGER, policies=tuple(changed))


def counts(found: Toll) -> dict[str, int]:
    every = {"lost": found.lost, "doubled": found.doubled, "stuck": found.stuck, "drift": found.drift}
    return {name: count for name, count in every.items() if count}


def test_a_run_in_which_all_went_well_costs_nothing() -> None:
    found = toll()
    assert found.is_paid
    assert found.line == "policies 4 · faults 0 · lost 0 · doubled 0 · stuck 0 · drift 0 · recovery p95 – s"


LOST = {
    "an answered request without a row": (LEDGER, CHAIN, answered("another", "policy")),
    "a purchase without a row": (replace(LEDGER, policies=LEDGER.policies[1:]), CHAIN, JOURNAL),
    "a purchase that was given up": (standing(PAID, "FailedCreation"), CHAIN, Journal()),
    "an accepted activation without a row": (LEDGER, CHAIN, Journal(wished=(Wished(policy=PAID, key="other"),))),
    "an accepted activation that ran out": (standing(PAID, "Expired"), CHAIN, JOURNAL),
}


@pytest.mark.parametrize("what", LOST)
def test_an_acknowledged_intent_without_effect_is_lost(what: str) -> None:
    found = toll(*LOST[what])
    assert found.lost > 0, found
    assert set(counts(found)) == {"lost"}


def test_an_activation_whose_purchase_a_fork_took_for_good_is_not_lost() -> None:
    void = replace(standing(PAID, "FailedCreation"), wishes=(WishRecord(policy=PAID, key="pay", state="void"),))
    assert counts(toll(void, replace(CHAIN, purchases=CHAIN.purchases[1:], payouts=()))) == {}


def intent(purpose: str, *, is_done: bool = False, is_open: bool = False) -> Ledger:
    more = Intent(policy=PAID, purpose=purpose, transaction="t9", is_done=is_done, is_open=is_open)
    return replace(LEDGER, intents=(*LEDGER.intents, more))


SAME_KEY = replace(LEDGER, requests=(*LEDGER.requests, request(RESTS, key=f"key-{PAID}")))
DOUBLED = {
    "two rows for a key": (SAME_KEY, CHAIN, JOURNAL),
    "two policies answered for a key": (LEDGER, CHAIN, answered(f"key-{PAID}", PAID, RESTS)),
    "two purchases of a quote": (LEDGER, replace(CHAIN, purchases=(*CHAIN.purchases, CHAIN.purchases[0])), JOURNAL),
    "two payouts": (LEDGER, replace(CHAIN, payouts=CHAIN.payouts * 2), JOURNAL),
    "a payout and a release": (LEDGER, replace(CHAIN, releases=(Release(on_chain=1, tx_id="t"),)), JOURNAL),
    "two transactions that did it": (intent("settle", is_done=True), CHAIN, JOURNAL),
    "one that did it and one on its way": (intent("settle", is_open=True), CHAIN, JOURNAL),
    "an edge walked twice": (replace(LEDGER, walks={PAID: walk("abccd")}), CHAIN, JOURNAL),
}


@pytest.mark.parametrize("what", DOUBLED)
def test_more_than_one_effect_of_an_intent_is_doubled(what: str) -> None:
    assert counts(toll(*DOUBLED[what])) == {"doubled": 1}


@pytest.mark.parametrize("edges", ["abcdqd", "abcfhd", "abcfhfhd"])
def test_an_edge_that_was_undone_may_be_walked_again(edges: str) -> None:
    assert toll(replace(LEDGER, walks={PAID: walk(edges)})).is_paid


def test_transactions_for_different_purposes_are_not_doubled() -> None:
    assert toll(intent("release", is_done=True)).is_paid
    assert toll(intent("settle")).is_paid


@pytest.mark.parametrize("status", ["PendingCreation", "Settling", "FailedSettlement", "Expiring", "FailedExpiration"])
def test_whatever_is_in_no_end_state_is_stuck(status: str) -> None:
    wishless = replace(standing(RAN_OUT, status), burn_height=1_000)
    assert counts(toll(wishless, replace(CHAIN, purchases=()))) == {"stuck": 1}


def test_an_active_policy_is_stuck_once_it_ran_out_or_was_asked_for() -> None:
    assert toll(replace(LEDGER, burn_height=1_000)).is_paid
    assert counts(toll(replace(LEDGER, burn_height=1_001))) == {"stuck": 1}
    wished = WishRecord(policy=RESTS, key="pay", state="open")
    assert counts(toll(replace(LEDGER, wishes=(*LEDGER.wishes, wished)))) == {"stuck": 1}


def test_what_the_checks_complain_of_is_drift_unless_it_is_counted_already() -> None:
    complaints = {"statuses": (f"policy {PAID} is odd", f"policy {RAN_OUT} is odd"), "money": ("the pool is short",)}
    found = take(standing(RAN_OUT, "Expiring"), CHAIN, JOURNAL, complaints=complaints)
    assert counts(found) == {"stuck": 1, "drift": 2}
    assert found.details["drift"] == (f"statuses: policy {PAID} is odd", "money: the pool is short")


def struck(*, ended: float) -> Struck:
    return Struck(what="any", begun=BEGUN, ended=BEGUN + timedelta(seconds=ended))


def test_recovery_lasts_from_the_end_of_a_fault_until_a_policy_moves() -> None:
    walks = {PAID: walk("abcd"), RESTS: walk("ab")}
    assert recoveries(walks, [struck(ended=0.25), struck(ended=2.5)]) == [0.75, 0.5]


def test_a_fault_with_no_policy_on_its_way_has_no_recovery() -> None:
    assert recoveries({PAID: walk("abcd")}, [struck(ended=1.5), struck(ended=9.0)]) == []


def test_the_percentile_is_one_of_the_values() -> None:
    assert percentile([]) is None
    assert percentile([4.0]) == 4.0
    assert percentile([float(number) for number in range(1, 21)]) == 19.0


def test_the_line_tells_every_figure() -> None:
    costly = Toll(policies=312, faults=58, lost=1, doubled=2, stuck=3, drift=4, recovery_p95=2.345)
    assert costly.line == "policies 312 · faults 58 · lost 1 · doubled 2 · stuck 3 · drift 4 · recovery p95 2.3 s"
    assert not costly.is_paid
    assert costly.to_json()["recovery_p95"] == 2.345
