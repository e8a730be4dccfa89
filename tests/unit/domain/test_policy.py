"""What moves a policy, and what it needs next."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from registry.domain.height import ChainHeight
from registry.domain.policy import (
    TRANSITIONS,
    Edge,
    ExerciseStyle,
    OnChainStatus,
    PolicyFacts,
    PolicyStatus,
    Purchase,
    chain_edge,
    contradicts,
    failure_edge,
)
from registry.domain.steps import Step, StepKind, is_due, may_sign, next_step
from registry.domain.transaction import TransactionFacts, TransactionStatus
from registry.domain.units import BurnHeight
from tests.unit.domain.lives import (
    BOUGHT,
    ELSEWHERE,
    ENDED,
    EXPIRATION,
    HERE,
    LATER,
    NOW,
    TRANSACTIONS,
    VALID_UNTIL,
    at,
    ended,
    every_life,
    policy,
    transaction,
    unbought,
)

S, T = PolicyStatus, TransactionStatus
SETTLED, EXPIRED = OnChainStatus.SETTLED, OnChainStatus.EXPIRED

DIAGRAM = """
a (none) PendingCreation
b PendingCreation Active
c Active Settling
d Settling Settled
e PendingCreation FailedCreation
f Settling FailedSettlement
h FailedSettlement Settling
i FailedCreation Active
j Active Expiring
k Expiring Expired
l Expiring FailedExpiration
m FailedExpiration Expiring
n (none) Quarantined
o Quarantined Active
p Active PendingCreation
p Settling PendingCreation
p FailedSettlement PendingCreation
q Settled Settling
r Expired Expiring
s Quarantined FailedCreation
"""


def step_of(facts: PolicyFacts, *own: TransactionFacts, tip: int = 200, now: datetime = NOW) -> Step | None:
    return next_step(facts, own, height=at(tip), now=now)


def kind_of(facts: PolicyFacts, *own: TransactionFacts, tip: int = 200, now: datetime = NOW) -> StepKind | None:
    step = step_of(facts, *own, tip=tip, now=now)
    return None if step is None else step.kind


# the table


@pytest.mark.parametrize("edge", Edge)
@pytest.mark.parametrize("status", [None, *PolicyStatus], ids=str)
def test_each_status_may_be_left_along_the_edges_of_the_diagram_only(status: PolicyStatus | None, edge: Edge) -> None:
    drawn = {tuple(line.split()) for line in DIAGRAM.split("\n") if line}
    may_leave, enters = TRANSITIONS[edge]
    assert (status in may_leave) is ((edge.value, status.value if status else "(none)", enters.value) in drawn)


def test_the_statuses_are_exactly_the_ordered_strings_and_two_of_our_own() -> None:
    ordered = "PendingCreation Active Settling Settled Expiring Expired FailedCreation FailedSettlement"
    assert {each.value for each in PolicyStatus} == {*ordered.split(), "FailedExpiration", "Quarantined"}


def test_every_status_can_be_entered_and_settled_only_by_a_payout() -> None:
    entered = {enters for _, enters in TRANSITIONS.values()}
    assert entered == set(PolicyStatus)
    assert [edge for edge, (_, enters) in TRANSITIONS.items() if enters is S.SETTLED] == [Edge.PAID]
    assert [edge for edge, (_, enters) in TRANSITIONS.items() if enters is S.EXPIRED] == [Edge.RELEASED]


def test_nothing_leads_from_settling_back_to_active_but_an_orphaned_purchase_that_comes_again() -> None:
    follow: dict[PolicyStatus, set[tuple[Edge, PolicyStatus]]] = {each: set() for each in PolicyStatus}
    for edge, (leaves, enters) in TRANSITIONS.items():
        for status in leaves:
            if status is not None and edge is not Edge.PURCHASE_ORPHANED:
                follow[status].add((edge, enters))
    reached, fresh = {S.SETTLING}, {S.SETTLING}
    while fresh:
        fresh = {enters for status in fresh for _, enters in follow[status]} - reached
        reached |= fresh
    assert reached == {S.SETTLING, S.SETTLED, S.FAILED_SETTLEMENT}


# what the chain moves


def test_a_purchase_counts_at_exactly_the_confirmed_depth() -> None:
    bought = unbought(purchase=Purchase(block=HERE, height=BOUGHT))
    assert chain_edge(bought, height=at(BOUGHT + 1)) is None
    assert chain_edge(bought, height=at(BOUGHT + 2)) is Edge.PURCHASE_CONFIRMED


def test_a_purchase_after_we_gave_up_counts_all_the_same() -> None:
    bought = unbought(S.FAILED_CREATION, purchase=Purchase(block=HERE, height=BOUGHT))
    assert chain_edge(bought, height=at(BOUGHT + 1)) is None
    assert chain_edge(bought, height=at(BOUGHT + 2)) is Edge.PURCHASED_AFTER_ALL


@pytest.mark.parametrize(
    ("status", "edge"),
    [
        (S.ACTIVE, Edge.PURCHASE_ORPHANED),
        (S.SETTLING, Edge.PURCHASE_ORPHANED),
        (S.FAILED_SETTLEMENT, Edge.PURCHASE_ORPHANED),
        (S.QUARANTINED, Edge.ENTRY_ORPHANED),
        (S.SETTLED, Edge.PAYOUT_ORPHANED),
        (S.EXPIRED, Edge.RELEASE_ORPHANED),
        (S.EXPIRING, None),
        (S.FAILED_EXPIRATION, None),
    ],
)
@pytest.mark.parametrize("purchase", [None, Purchase(block=ELSEWHERE, height=BOUGHT)], ids=["gone", "moved"])
def test_a_purchase_that_is_gone_or_stands_in_another_block_is_undone_at_once(
    status: PolicyStatus, edge: Edge | None, purchase: Purchase | None
) -> None:
    assert chain_edge(policy(status, purchase=purchase, recorded_end=ENDED), height=at(200)) is edge


@pytest.mark.parametrize(("status", "edge"), [(S.SETTLED, Edge.PAYOUT_ORPHANED), (S.EXPIRED, Edge.RELEASE_ORPHANED)])
def test_an_end_that_is_gone_or_stands_in_another_block_is_undone_at_once(status: PolicyStatus, edge: Edge) -> None:
    outcome = SETTLED if status is S.SETTLED else EXPIRED
    over = policy(status, recorded_end=ENDED, final=ended(outcome))
    assert chain_edge(over, height=at(501)) is None
    assert chain_edge(replace(over, final=None), height=at(501)) is edge
    assert chain_edge(replace(over, final=ended(outcome, block=ELSEWHERE)), height=at(900)) is edge


@pytest.mark.parametrize(
    ("status", "outcome", "edge"),
    [
        (S.SETTLING, SETTLED, Edge.PAID),
        (S.ACTIVE, SETTLED, Edge.ACTIVATED),
        (S.FAILED_SETTLEMENT, SETTLED, Edge.SETTLEMENT_RESUMED),
        (S.EXPIRING, EXPIRED, Edge.RELEASED),
        (S.ACTIVE, EXPIRED, Edge.DUE),
        (S.FAILED_EXPIRATION, EXPIRED, Edge.EXPIRATION_RESUMED),
        (S.QUARANTINED, SETTLED, None),
        (S.EXPIRING, SETTLED, None),
        (S.SETTLING, EXPIRED, None),
    ],
)
def test_an_end_counts_at_exactly_the_confirmed_depth(
    status: PolicyStatus, outcome: OnChainStatus, edge: Edge | None
) -> None:
    over = policy(status, final=ended(outcome, height=500))
    assert chain_edge(over, height=at(501)) is None
    assert chain_edge(over, height=at(502)) is edge


def test_an_end_that_nobody_here_asked_for_walks_the_same_edges() -> None:
    over = policy(S.ACTIVE, final=ended(SETTLED))
    assert chain_edge(over, height=at(600)) is Edge.ACTIVATED
    assert chain_edge(replace(over, status=S.SETTLING), height=at(600)) is Edge.PAID
    assert chain_edge(replace(over, status=S.SETTLED, recorded_end=ENDED), height=at(600)) is None


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(S.SETTLING, EXPIRED), (S.FAILED_SETTLEMENT, EXPIRED), (S.EXPIRING, SETTLED), (S.QUARANTINED, SETTLED)],
)
def test_an_end_that_no_edge_can_follow_is_a_contradiction_once_it_is_confirmed(
    status: PolicyStatus, outcome: OnChainStatus
) -> None:
    over = policy(status, final=ended(outcome, height=500))
    assert not contradicts(over, height=at(501))
    assert contradicts(over, height=at(502))


def test_an_end_that_an_edge_follows_or_has_followed_contradicts_nothing() -> None:
    assert not contradicts(policy(S.ACTIVE, final=ended(SETTLED)), height=at(600))
    assert not contradicts(policy(S.SETTLED, final=ended(SETTLED), recorded_end=ENDED), height=at(600))
    assert not contradicts(policy(S.ACTIVE), height=at(600))


# what our own transactions move


@pytest.mark.parametrize("code", [0, 200, 201, 202, 209, 100, 101])
@pytest.mark.parametrize(
    ("status", "edge"), [(S.SETTLING, Edge.SETTLEMENT_FAILED), (S.EXPIRING, Edge.EXPIRATION_FAILED), (S.ACTIVE, None)]
)
def test_a_refusal_that_would_come_again_fails_the_policy(status: PolicyStatus, edge: Edge | None, code: int) -> None:
    refused = transaction(T.ABORTED, refusal=code)
    assert failure_edge(policy(status), [refused]) is edge


@pytest.mark.parametrize("code", [None, 103, 104, 207, 208])
def test_a_refusal_that_says_wait_or_look_at_the_chain_fails_nothing(code: int | None) -> None:
    for status in PolicyStatus:
        assert failure_edge(policy(status), [transaction(T.SUCCEEDED, refusal=code)]) is None


@pytest.mark.parametrize("status", [T.SIGNED, T.SENT, T.MINED])
def test_a_refusal_counts_only_once_it_is_confirmed(status: TransactionStatus) -> None:
    assert failure_edge(policy(S.SETTLING), [transaction(status, refusal=201)]) is None


@pytest.mark.parametrize(
    ("status", "edge"),
    [(S.FAILED_SETTLEMENT, Edge.SETTLEMENT_RESUMED), (S.FAILED_EXPIRATION, Edge.EXPIRATION_RESUMED)],
)
def test_a_failure_that_a_fork_undid_never_happened(status: PolicyStatus, edge: Edge) -> None:
    assert failure_edge(policy(status), [transaction(T.ABORTED, refusal=201)]) is None
    assert failure_edge(policy(status), [transaction(T.SENT)]) is edge


def test_only_the_latest_transaction_counts_as_a_failure() -> None:
    earlier, latest = transaction(T.ABORTED, refusal=201), transaction(T.SENT, number=2)
    assert failure_edge(policy(S.SETTLING), [earlier, latest]) is None


def test_what_was_signed_before_a_policy_set_out_again_is_no_failure_of_it() -> None:
    refused = transaction(T.ABORTED, refusal=201, signed_at=NOW)
    again = policy(S.SETTLING, settlement_pinned=True, set_out_at=LATER)
    assert failure_edge(again, [refused]) is None
    assert may_sign(again, [refused], height=at(200))
    once_more = transaction(T.ABORTED, refusal=201, signed_at=LATER, number=2)
    assert failure_edge(again, [refused, once_more]) is Edge.SETTLEMENT_FAILED


def test_what_was_signed_before_is_still_waited_for_while_it_may_take_effect() -> None:
    again = policy(S.SETTLING, settlement_pinned=True, set_out_at=LATER)
    assert not may_sign(again, [transaction(T.SENT, signed_at=NOW)], height=at(200))


# what is needed next


def test_a_quote_is_prepared_while_it_can_still_be_signed() -> None:
    fresh = unbought(prepared=False)
    assert kind_of(fresh, tip=VALID_UNTIL) is StepKind.PREPARE_CREATION
    assert kind_of(fresh, tip=VALID_UNTIL + 1) is None
    assert kind_of(unbought(prepared=True), tip=VALID_UNTIL) is None


def test_a_quote_is_given_up_once_a_confirmed_height_is_above_its_last() -> None:
    assert kind_of(unbought(), tip=VALID_UNTIL + 2) is None
    assert kind_of(unbought(), tip=VALID_UNTIL + 3) is StepKind.GIVE_UP


def test_a_quote_that_was_bought_is_not_given_up_however_late_that_is_confirmed() -> None:
    late = unbought(purchase=Purchase(block=HERE, height=BurnHeight(110)))
    assert kind_of(late, tip=111) is None
    assert kind_of(late, tip=112) is StepKind.SYNC_STATUS


def test_the_expiration_height_itself_still_belongs_to_the_owner() -> None:
    assert not is_due(policy(), height=at(EXPIRATION + 2))
    assert is_due(policy(), height=at(EXPIRATION + 3))
    assert kind_of(policy(), tip=EXPIRATION + 2) is None
    assert kind_of(policy(), tip=EXPIRATION + 3) is StepKind.BEGIN_EXPIRATION


def test_a_european_policy_is_decided_when_it_is_due_and_not_before() -> None:
    european = policy(style=ExerciseStyle.EUROPEAN)
    assert kind_of(european, tip=EXPIRATION + 2) is None
    assert kind_of(european, tip=EXPIRATION + 3) is StepKind.DECIDE


def test_an_open_request_is_decided_and_never_expired() -> None:
    for tip in (200, EXPIRATION + 3, EXPIRATION + 500):
        assert kind_of(policy(request_open=True), tip=tip) is StepKind.DECIDE


def test_what_was_pinned_before_a_fork_goes_on_to_be_paid() -> None:
    assert kind_of(policy(settlement_pinned=True), tip=EXPIRATION + 500) is StepKind.DECIDE


def test_no_transaction_is_signed_before_the_purchase_is_final() -> None:
    settling = policy(S.SETTLING, settlement_pinned=True)
    assert kind_of(settling, tip=BOUGHT + 5) is None
    assert kind_of(settling, tip=BOUGHT + 6) is StepKind.SIGN_AND_BROADCAST


def test_a_stored_transaction_is_sent_before_another_is_thought_of() -> None:
    stored = transaction(T.SIGNED, number=7)
    assert step_of(policy(S.SETTLING, settlement_pinned=True), stored) == Step(
        kind=StepKind.SIGN_AND_BROADCAST, transaction_id=stored.id
    )


@pytest.mark.parametrize("status", [T.SENT, T.MINED])
def test_a_transaction_under_way_is_looked_at_when_its_time_has_come(status: TransactionStatus) -> None:
    settling = policy(S.SETTLING, settlement_pinned=True)
    under_way = transaction(status, look_at=LATER, number=7)
    assert step_of(settling, under_way, now=LATER - timedelta(seconds=1)) is None
    assert step_of(settling, under_way, now=LATER) == Step(kind=StepKind.MONITOR, transaction_id=under_way.id)


@pytest.mark.parametrize("code", [103, 207, 208])
def test_nothing_is_signed_for_what_is_over_in_another_way(code: int) -> None:
    over = transaction(T.ABORTED, refusal=code)
    assert kind_of(policy(S.SETTLING, settlement_pinned=True), over) is None


def test_nothing_is_signed_once_the_chain_shows_the_end_at_any_depth() -> None:
    paid = policy(S.SETTLING, settlement_pinned=True, final=ended(SETTLED, height=500))
    assert not may_sign(paid, (), height=at(500))
    assert kind_of(paid, tip=500) is None


def test_an_entry_that_was_not_due_is_tried_again_when_it_is() -> None:
    early = transaction(T.SUCCEEDED, refusal=104)
    assert kind_of(policy(S.EXPIRING), early, tip=EXPIRATION + 2) is None
    assert kind_of(policy(S.EXPIRING), early, tip=EXPIRATION + 3) is StepKind.SIGN_AND_BROADCAST


@pytest.mark.parametrize(
    "facts",
    [
        policy(S.SETTLED, recorded_end=ENDED, final=ended(SETTLED)),
        policy(S.EXPIRED, recorded_end=ENDED, final=ended(EXPIRED)),
        unbought(S.FAILED_CREATION),
        policy(S.FAILED_SETTLEMENT),
        policy(S.FAILED_EXPIRATION),
    ],
    ids=lambda facts: facts.status.value,
)
def test_what_is_over_needs_nothing(facts: PolicyFacts) -> None:
    assert [kind_of(facts, tip=tip) for tip in (101, 600, 5_000)] == [None] * 3


def test_nothing_is_ever_paid_or_expired_on_a_quarantined_policy() -> None:
    wishes: tuple[dict[str, Any], ...] = ({}, {"request_open": True}, {"settlement_pinned": True})
    for own in TRANSACTIONS:
        for changes in wishes:
            assert kind_of(policy(S.QUARANTINED, **changes), *own, tip=5_000) is None


# in every life


def leads_somewhere(step: Step, facts: PolicyFacts, own: tuple[TransactionFacts, ...], height: ChainHeight) -> bool:
    """Whether the step finds something to do, by the rules written out once more."""
    edge = chain_edge(facts, height=height) or failure_edge(facts, own)
    asked = facts.request_open or facts.settlement_pinned
    status = {each.id: each.status for each in own}.get(step.transaction_id) if step.transaction_id else None
    return {
        StepKind.SYNC_STATUS: edge is not None and facts.status in TRANSITIONS[edge][0],
        StepKind.PREPARE_CREATION: facts.status is S.PENDING_CREATION and not facts.prepared,
        StepKind.GIVE_UP: facts.status is S.PENDING_CREATION and facts.purchase is None,
        StepKind.DECIDE: facts.status is S.ACTIVE and (asked or facts.style is ExerciseStyle.EUROPEAN),
        StepKind.BEGIN_EXPIRATION: facts.status is S.ACTIVE and not asked and height.confirmed > EXPIRATION,
        StepKind.MONITOR: status in {T.SENT, T.MINED},
        StepKind.SIGN_AND_BROADCAST: status is T.SIGNED or (status is None and facts.final is None),
    }[step.kind]


def test_every_life_has_an_answer_and_no_step_leads_nowhere() -> None:
    for facts, own, height in every_life():
        step = next_step(facts, own, height=height, now=NOW)
        assert step is None or leads_somewhere(step, facts, own, height), (facts, own, height)


def walked(facts: PolicyFacts, edge: Edge) -> PolicyFacts:
    """What a policy's facts are once the edge's effects are written."""
    after = replace(facts, status=TRANSITIONS[edge][1])
    match edge:
        case Edge.PURCHASE_CONFIRMED | Edge.PURCHASED_AFTER_ALL:
            return replace(after, recorded_block=facts.purchase.block if facts.purchase else None)
        case Edge.PAID | Edge.RELEASED:
            return replace(after, recorded_end=facts.final.block if facts.final else None)
        case Edge.PURCHASE_ORPHANED | Edge.ENTRY_ORPHANED:
            return replace(after, recorded_block=None)
        case Edge.PAYOUT_ORPHANED | Edge.RELEASE_ORPHANED:
            return replace(after, recorded_end=None)
    return after


def test_every_life_comes_to_rest_after_a_few_edges() -> None:
    most = 6  # q p b c d: a payout whose purchase moved to another block with it
    for facts, own, height in every_life():
        moving = facts
        for _ in range(most):
            edge = chain_edge(moving, height=height) or failure_edge(moving, own)
            if edge is None:
                break
            assert moving.status in TRANSITIONS[edge][0]
            moving = walked(moving, edge)
        else:
            raise AssertionError((facts, own, height))
