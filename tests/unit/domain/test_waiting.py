"""When a policy that needs nothing now is looked at again."""

from datetime import timedelta

import pytest

from registry.domain.policy import ExerciseStyle, PolicyFacts, PolicyStatus, Purchase
from registry.domain.steps import StepKind, next_step
from registry.domain.transaction import TransactionFacts, TransactionStatus
from registry.domain.units import BurnHeight
from registry.domain.waiting import Look, next_look
from tests.unit.domain.lives import (
    BOUGHT,
    EXPIRATION,
    HERE,
    LATER,
    NOW,
    VALID_UNTIL,
    at,
    could_be,
    every_life,
    policy,
    transaction,
    unbought,
)

S = PolicyStatus
PAUSE = timedelta(seconds=30)
FAR = (*range(101, 108), *range(1_000, 1_004), 1_101, 5_000)


def look(facts: PolicyFacts, *own: TransactionFacts, tip: int = 101) -> Look:
    return next_look(facts, own, height=at(tip), now=NOW, pause=PAUSE)


@pytest.mark.parametrize(
    ("facts", "height"),
    [
        (unbought(), VALID_UNTIL + 3),
        (unbought(purchase=Purchase(block=HERE, height=BOUGHT)), BOUGHT + 2),
        (policy(style=ExerciseStyle.EUROPEAN), EXPIRATION + 3),
        (policy(S.SETTLING, settlement_pinned=True), BOUGHT + 6),
        (policy(S.EXPIRING), EXPIRATION + 3),
    ],
    ids=["unsigned quote", "purchase", "european", "settling", "expiring"],
)
def test_what_waits_for_depth_is_looked_at_when_that_is_reached(facts: PolicyFacts, height: int) -> None:
    assert look(facts) == Look(height=BurnHeight(height))


def test_a_transaction_under_way_is_looked_at_after_a_pause_and_not_before_its_time() -> None:
    settling = policy(S.SETTLING, settlement_pinned=True)
    assert look(settling, transaction(TransactionStatus.SENT, look_at=NOW)) == Look(at=NOW + PAUSE)
    assert look(settling, transaction(TransactionStatus.MINED, look_at=LATER)) == Look(at=LATER)


@pytest.mark.parametrize("status", [S.SETTLED, S.EXPIRED, S.FAILED_SETTLEMENT, S.FAILED_EXPIRATION, S.QUARANTINED])
def test_what_is_over_is_looked_at_no_more(status: PolicyStatus) -> None:
    assert look(policy(status)) == Look()
    assert look(unbought(S.FAILED_CREATION)) == Look()


def test_an_american_policy_that_runs_out_is_left_to_the_sweep() -> None:
    assert look(policy()) == Look()
    assert next_step(policy(), (), height=at(EXPIRATION + 3), now=NOW) is not None


def test_at_the_look_that_is_named_there_is_something_to_do() -> None:
    for facts, own, height in every_life():
        if not could_be(facts) or next_step(facts, own, height=height, now=NOW) is not None:
            continue
        named = next_look(facts, own, height=height, now=NOW, pause=PAUSE)
        then = at(max(named.height or 0, height.tip))
        if named.at or named.height:
            assert next_step(facts, own, height=then, now=named.at or NOW) is not None, (facts, own, height)


def test_where_no_look_is_named_neither_height_nor_time_alone_makes_work() -> None:
    for facts, own, height in every_life():
        named = next_look(facts, own, height=height, now=NOW, pause=PAUSE)
        if not could_be(facts) or named != Look() or next_step(facts, own, height=height, now=NOW) is not None:
            continue
        later = [next_step(facts, own, height=at(tip), now=NOW + 10 * PAUSE) for tip in FAR if tip > height.tip]
        kinds = {step.kind for step in later if step is not None}
        # the end that a block shows is handed over when it is confirmed, which calls for a look by itself
        handed_over = {StepKind.SYNC_STATUS} if facts.final is not None else set()
        left_to_the_sweep = {StepKind.BEGIN_EXPIRATION} if facts.status is S.ACTIVE else set()
        assert kinds <= handed_over | left_to_the_sweep, (facts, own, height)
