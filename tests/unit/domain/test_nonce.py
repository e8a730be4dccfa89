"""What a transaction of ours that is not mined needs, by the facts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from registry.domain.fees import Fees
from registry.domain.nonce import Move, Patience, Waiting, next_move, resend_at
from registry.domain.transaction import AttemptKind, TransactionStatus, Verdict
from registry.domain.units import BurnHeight, MicroStx, Nonce

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FEES = Fees(floor=MicroStx(10_000), ceiling=MicroStx(100_000))
PATIENCE = Patience()
TIP = BurnHeight(100)
PENDING = Waiting(
    nonce=Nonce(7),
    status=TransactionStatus.SENT,
    is_dead=False,
    kind=AttemptKind.CALL,
    verdict=Verdict.SENT,
    fee=MicroStx(10_000),
    since=NOW - timedelta(minutes=1),
    height=TIP,
    offered_at=NOW - timedelta(minutes=1),
)
OLD = replace(PENDING, since=NOW - PATIENCE.bump_after, height=BurnHeight(TIP - PATIENCE.bump_after_blocks))
SIGNED = replace(PENDING, status=TransactionStatus.SIGNED, verdict=Verdict.RETRY)


def move(waiting: Waiting, *, next_nonce: int = 7) -> Move | None:
    return next_move(waiting, next_nonce=Nonce(next_nonce), tip=TIP, fees=FEES, patience=PATIENCE, now=NOW)


def test_what_waits_and_is_young_only_waits() -> None:
    assert move(PENDING) is None


def test_a_nonce_that_the_chain_has_used_is_looked_into_before_all_else() -> None:
    for waiting in (PENDING, OLD, SIGNED, replace(PENDING, is_dead=True)):
        assert move(waiting, next_nonce=8) is Move.FIND_OUT


def test_a_dead_call_gives_its_nonce_to_a_filler_and_a_filler_is_offered_like_any_other() -> None:
    assert move(replace(PENDING, is_dead=True)) is Move.FILL
    filler = replace(PENDING, is_dead=True, kind=AttemptKind.FILLER)
    assert move(filler) is None
    assert move(replace(filler, offered_at=None)) is Move.OFFER
    assert move(replace(OLD, is_dead=True, kind=AttemptKind.FILLER)) is Move.RAISE_FEE


def test_what_was_never_sent_is_offered_once_its_pause_is_over() -> None:
    assert move(replace(SIGNED, offered_at=None)) is Move.OFFER
    assert (
        move(replace(SIGNED, since=NOW - timedelta(seconds=20), offered_at=NOW - timedelta(seconds=10))) is Move.OFFER
    )
    assert move(replace(SIGNED, since=NOW - timedelta(seconds=20), offered_at=NOW - timedelta(seconds=9))) is None


def test_what_a_paused_signer_kept_back_is_offered_at_once() -> None:
    kept_back = replace(SIGNED, since=NOW - timedelta(hours=1), offered_at=NOW - timedelta(seconds=1))
    assert move(kept_back) is None
    assert move(replace(kept_back, verdict=Verdict.PAUSE)) is Move.OFFER


def test_a_fee_that_was_too_low_is_raised_at_once() -> None:
    low = replace(SIGNED, verdict=Verdict.RAISE_FEE)
    assert move(low) is Move.RAISE_FEE
    assert move(replace(low, fee=FEES.ceiling)) is Move.HELD


@pytest.mark.parametrize("short_of", ["blocks", "minutes", "neither"])
def test_only_blocks_and_minutes_together_make_it_stuck(short_of: str) -> None:
    waiting = {
        "blocks": replace(OLD, height=BurnHeight(TIP - PATIENCE.bump_after_blocks + 1)),
        "minutes": replace(OLD, since=OLD.since + timedelta(seconds=1)),
        "neither": OLD,
    }[short_of]
    assert move(waiting) is (Move.RAISE_FEE if short_of == "neither" else None)


def test_only_the_next_nonce_can_be_stuck() -> None:
    assert move(OLD, next_nonce=6) is None


def test_at_the_ceiling_nothing_more_is_paid() -> None:
    assert move(replace(OLD, fee=FEES.ceiling)) is Move.HELD


def test_what_was_offered_long_ago_is_offered_again_before_a_node_forgets_it() -> None:
    forgotten_after = timedelta(minutes=2_560)
    long_ago = NOW - PATIENCE.reoffer_after
    assert PATIENCE.reoffer_after * 10 < forgotten_after
    assert move(replace(PENDING, offered_at=long_ago), next_nonce=5) is Move.OFFER
    assert move(replace(OLD, offered_at=long_ago, fee=FEES.ceiling)) is Move.OFFER
    assert move(replace(OLD, offered_at=long_ago)) is Move.RAISE_FEE


def test_what_a_node_does_not_keep_is_offered_ever_more_seldom() -> None:
    signed_at, offered_at = NOW, NOW + timedelta(seconds=1)
    gaps = []
    for _ in range(12):
        again = resend_at(signed_at=signed_at, offered_at=offered_at)
        gaps.append(again - offered_at)
        offered_at = again
    assert gaps == sorted(gaps)
    assert (gaps[0], gaps[-1]) == (timedelta(seconds=1), timedelta(minutes=5))
