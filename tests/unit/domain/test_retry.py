"""What is tried again by itself, how often, and when."""

from datetime import timedelta

import pytest

from registry.domain.policy import PolicyFacts, PolicyStatus
from registry.domain.retry import BY_REFUSAL, retries_of
from registry.domain.steps import Step, StepKind, next_step
from registry.domain.transaction import NO_CODE, NODE_REFUSED, TransactionStatus
from registry.domain.waiting import Look, next_look
from registry.stacks.contract_errors import ContractError
from tests.unit.domain.lives import NOW, at, policy, transaction

A_MINUTE = timedelta(minutes=1)
WRONG_FOR_EVER = (101, 102, 201, 202, 209)


def failed(status: PolicyStatus = PolicyStatus.FAILED_SETTLEMENT, **changes: object) -> PolicyFacts:
    return policy(status, settlement_pinned=True, **{"retry_from": NOW, **changes})


@pytest.mark.parametrize("status", [PolicyStatus.FAILED_SETTLEMENT, PolicyStatus.FAILED_EXPIRATION])
@pytest.mark.parametrize("refusal", sorted(BY_REFUSAL))
def test_what_may_pass_is_tried_again_when_its_pause_is_over_and_not_before(status: PolicyStatus, refusal: int) -> None:
    refused, pause = transaction(TransactionStatus.ABORTED, refusal=refusal), BY_REFUSAL[refusal].pause
    early = next_step(failed(status), [refused], height=at(200), now=NOW + pause - A_MINUTE)
    assert early is None
    assert next_step(failed(status), [refused], height=at(200), now=NOW + pause) == Step(kind=StepKind.RETRY)
    look = next_look(failed(status), [refused], height=at(200), now=NOW, pause=A_MINUTE)
    assert look == Look(at=NOW + pause)


@pytest.mark.parametrize("refusal", sorted(BY_REFUSAL))
def test_each_pause_is_twice_the_one_before_and_the_tries_end(refusal: int) -> None:
    allowed = BY_REFUSAL[refusal]
    pauses = [allowed.due_at(NOW, made=made) for made in range(allowed.times)]
    assert pauses == [NOW + allowed.pause * 2**made for made in range(allowed.times)]
    assert allowed.due_at(NOW, made=allowed.times) is None
    refused = transaction(TransactionStatus.ABORTED, refusal=refusal)
    spent = failed(retries_made=allowed.times)
    assert next_step(spent, [refused], height=at(200), now=NOW + timedelta(days=99)) is None


@pytest.mark.parametrize("refusal", WRONG_FOR_EVER)
def test_a_call_that_is_wrong_waits_for_a_person(refusal: int) -> None:
    refused = transaction(TransactionStatus.ABORTED, refusal=refusal)
    assert retries_of(refusal).times == 0
    assert next_step(failed(), [refused], height=at(200), now=NOW + timedelta(days=99)) is None


def test_what_a_person_has_decided_about_is_not_tried_again_by_itself() -> None:
    refused = transaction(TransactionStatus.ABORTED, refusal=NO_CODE)
    assert next_step(failed(retry_from=None), [refused], height=at(200), now=NOW + timedelta(days=99)) is None


def test_every_refusal_in_the_table_is_one_that_there_is() -> None:
    assert set(BY_REFUSAL) <= {NO_CODE, NODE_REFUSED, *ContractError}
