"""The life of a transaction of ours."""

import pytest

from registry.domain.transaction import NO_CODE, NODE_REFUSED, OPEN, TRANSITIONS, TransactionStatus
from tests.unit.domain.lives import transaction

T = TransactionStatus
DRAWN = {
    (T.SIGNED, T.SENT),
    (T.SIGNED, T.MINED),
    (T.SENT, T.MINED),
    (T.MINED, T.SENT),
    (T.MINED, T.SUCCEEDED),
    (T.MINED, T.ABORTED),
    (T.SUCCEEDED, T.SENT),
    (T.ABORTED, T.SENT),
    (T.MINED, T.VOIDED),
    (T.VOIDED, T.SENT),
}
OUTCOMES = {T.SUCCEEDED, T.ABORTED, T.VOIDED}


@pytest.mark.parametrize("leaves", TransactionStatus)
@pytest.mark.parametrize("enters", TransactionStatus)
def test_a_transaction_goes_only_where_the_table_says(leaves: TransactionStatus, enters: TransactionStatus) -> None:
    assert (enters in TRANSITIONS[leaves]) is ((leaves, enters) in DRAWN)


def test_bytes_that_were_sent_are_never_unsent() -> None:
    assert not any(T.SIGNED in enters for enters in TRANSITIONS.values())


def test_an_outcome_comes_only_from_a_block() -> None:
    for outcome in OUTCOMES:
        assert [leaves for leaves, enters in TRANSITIONS.items() if outcome in enters] == [T.MINED]


@pytest.mark.parametrize("status", TransactionStatus)
def test_only_an_outcome_ends_the_wait(status: TransactionStatus) -> None:
    assert transaction(status).is_open is (status in OPEN) is (status not in OUTCOMES)


@pytest.mark.parametrize("status", TransactionStatus)
@pytest.mark.parametrize("code", [None, NODE_REFUSED, NO_CODE, 100, 101, 103, 104, 200, 201, 202, 207, 208, 209, 999])
def test_each_refusal_means_wait_look_elsewhere_or_failure(status: TransactionStatus, code: int | None) -> None:
    found = transaction(status, refusal=code)
    over = status in OUTCOMES
    assert found.over_elsewhere is (over and code in {103, 207, 208})
    assert found.refused_for_good is (over and code not in {None, 103, 104, 207, 208})
