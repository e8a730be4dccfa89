"""The pool's book, as the contract keeps it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.pool import LONGEST_EARNING, PoolBook
from registry.domain.units import BaseUnits, BurnHeight, Token

EMPTY = PoolBook(token=Token.STX)


def height(value: int) -> BurnHeight:
    return BurnHeight(value)


def sold(book: PoolBook, *, premium: int, collateral: int = 500, until: int, at: int) -> PoolBook:
    return book.sold(
        premium=BaseUnits(premium), collateral=BaseUnits(collateral), expiration=height(until), height=height(at)
    )


def figures(book: PoolBook) -> tuple[int, int, int, int, int]:
    return book.assets, book.locked, book.unearned, book.since, book.until


def test_a_deposit_is_an_asset_at_once() -> None:
    assert figures(EMPTY.deposited(10_000, height=height(100))) == (10_000, 0, 0, 100, 0)


def test_a_premium_is_earned_evenly_until_its_policy_ends() -> None:
    book = sold(EMPTY.deposited(10_000, height=height(100)), premium=1_000, until=200, at=100)
    assert figures(book) == (10_000, 500, 1_000, 100, 200)
    assert figures(book.at(height(125))) == (10_250, 500, 750, 125, 200)
    assert figures(book.at(height(200))) == (11_000, 500, 0, 200, 200)
    assert figures(book.at(height(5_000))) == (11_000, 500, 0, 5_000, 200)


def test_what_is_earned_is_rounded_down_and_the_rest_is_not_lost() -> None:
    book = sold(EMPTY, premium=10, until=103, at=100)
    assert figures(book.at(height(101)))[:3] == (3, 500, 7)  # a third of 10
    assert figures(book.at(height(101)).at(height(102)))[:3] == (6, 500, 4)  # half of 7
    assert figures(book.at(height(101)).at(height(102)).at(height(103)))[:3] == (10, 500, 0)


def test_a_second_premium_is_earned_to_the_weighted_mean_of_both_ends_rounded_up() -> None:
    book = sold(EMPTY, premium=1_000, until=200, at=100)
    later = sold(book, premium=500, collateral=300, until=250, at=150)
    # 500 of the first are left for 50 blocks, 500 of the second for 100: 75 on the mean
    assert figures(later) == (500, 800, 1_000, 150, 225)
    uneven = sold(book, premium=300, until=251, at=150)
    assert uneven.until == 150 + 70  # (500 × 50 + 300 × 101) / 800 = 69.125
    assert sold(EMPTY, premium=1, until=101, at=100).until == 101


def test_no_premium_takes_longer_than_a_year_to_be_earned() -> None:
    assert sold(EMPTY, premium=10, until=100 + LONGEST_EARNING + 1, at=100).until == 100 + LONGEST_EARNING
    assert sold(EMPTY, premium=10, until=2**100, at=100).until == 100 + LONGEST_EARNING


def test_a_payout_is_borne_at_once_and_frees_the_whole_collateral() -> None:
    book = sold(EMPTY.deposited(10_000, height=height(100)), premium=1_000, until=200, at=100)
    assert figures(book.ended(payout=400, collateral=500)) == (9_600, 0, 1_000, 100, 200)
    assert figures(book.ended(payout=0, collateral=500)) == (10_000, 0, 1_000, 100, 200)


def test_a_withdrawal_comes_after_what_was_earned_by_then() -> None:
    book = sold(EMPTY.deposited(10_000, height=height(100)), premium=1_000, until=200, at=100)
    assert figures(book.withdrawn(2_000, height=height(150))) == (8_500, 500, 500, 150, 200)


@pytest.mark.parametrize("at", [0, 99, 100])
def test_nothing_is_earned_in_the_past(at: int) -> None:
    book = sold(EMPTY, premium=1_000, until=200, at=100)
    assert book.at(height(at)) == book


sales = st.tuples(st.integers(0, 300), st.integers(1, 10**30), st.integers(1, 10**30), st.integers(1, 60_000))


@given(st.lists(sales, max_size=8), st.integers(0, 10**6))
def test_whatever_is_sold_no_unit_is_made_or_lost_and_all_is_earned_in_the_end(
    steps: list[tuple[int, int, int, int]], wait: int
) -> None:
    book, now, paid_in, locked = EMPTY, 0, 0, 0
    for passed, premium, collateral, life in steps:
        now, paid_in, locked = now + passed, paid_in + premium, locked + collateral
        book = sold(book, premium=premium, collateral=collateral, until=now + life, at=now)
        assert book.assets + book.unearned == paid_in
        assert book.locked == locked
        assert now < book.until <= now + LONGEST_EARNING
    then = book.at(height(now + wait))
    assert then.assets + then.unearned == paid_in
    assert then.assets >= book.assets
    assert book.at(height(now + LONGEST_EARNING)).unearned == 0
