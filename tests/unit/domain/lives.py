"""Policies as facts, for the tests that decide on them: one that is Active and long final, changed field by field."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from registry.domain.height import ChainHeight, Depths
from registry.domain.policy import (
    ExerciseStyle,
    FinalStatus,
    OnChainStatus,
    PolicyFacts,
    PolicyStatus,
    Purchase,
)
from registry.domain.transaction import Purpose, TransactionFacts, TransactionStatus
from registry.domain.units import BlockHash, BurnHeight

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
BOUGHT = BurnHeight(100)
VALID_UNTIL = BurnHeight(104)
EXPIRATION = BurnHeight(1_000)
HERE, ELSEWHERE, ENDED = BlockHash("a" * 64), BlockHash("b" * 64), BlockHash("e" * 64)
DEPTHS = Depths(confirmed=2, final=6)

POLICY = PolicyFacts(
    id=UUID(int=1),
    status=PolicyStatus.ACTIVE,
    style=ExerciseStyle.AMERICAN,
    expiration_height=EXPIRATION,
    valid_until_height=VALID_UNTIL,
    prepared=True,
    recorded_block=HERE,
    purchase=Purchase(block=HERE, height=BOUGHT),
)


def at(tip: int) -> ChainHeight:
    """The heights under a tip, confirmed 2 and final 6 burn blocks deep."""
    return ChainHeight.at(BurnHeight(tip), depths=DEPTHS)


def policy(status: PolicyStatus = PolicyStatus.ACTIVE, **changes: Any) -> PolicyFacts:
    """The usual policy in another status or with other facts."""
    return replace(POLICY, status=status, **changes)


def unbought(status: PolicyStatus = PolicyStatus.PENDING_CREATION, **changes: Any) -> PolicyFacts:
    """A policy whose purchase the chain does not have."""
    return policy(status, **{"recorded_block": None, "purchase": None, **changes})


def ended(status: OnChainStatus, *, height: int = 500, block: BlockHash = ENDED) -> FinalStatus:
    """The pool's last word on a policy."""
    return FinalStatus(status=status, block=block, height=BurnHeight(height))


def transaction(
    status: TransactionStatus,
    *,
    refusal: int | None = None,
    look_at: datetime | None = None,
    number: int = 1,
    signed_at: datetime = NOW,
) -> TransactionFacts:
    """A transaction of ours about the policy."""
    return TransactionFacts(
        id=UUID(int=number),
        purpose=Purpose.SETTLE,
        status=status,
        signed_at=signed_at,
        refusal=refusal,
        look_at=look_at,
    )


HEIGHTS = (101, 102, 106, 107, 1_000, 1_002, 1_003, 1_100)
"""Around each depth of the purchase, the quote's last height and the expiration."""

TRANSACTIONS: tuple[tuple[TransactionFacts, ...], ...] = (
    (),
    (transaction(TransactionStatus.SIGNED),),
    (transaction(TransactionStatus.SENT, look_at=NOW),),
    (transaction(TransactionStatus.MINED, look_at=LATER),),
    (transaction(TransactionStatus.SUCCEEDED),),
    (transaction(TransactionStatus.ABORTED, refusal=0),),
    (transaction(TransactionStatus.ABORTED, refusal=201),),
    (transaction(TransactionStatus.SUCCEEDED, refusal=103),),
    (transaction(TransactionStatus.SUCCEEDED, refusal=104),),
    (transaction(TransactionStatus.ABORTED, refusal=201), transaction(TransactionStatus.SENT, number=2)),
)


def every_life() -> Iterator[tuple[PolicyFacts, tuple[TransactionFacts, ...], ChainHeight]]:
    """Each status with each combination of facts, transactions and heights, also those that cannot be."""
    purchases = (
        None,
        Purchase(block=HERE, height=BOUGHT),
        Purchase(block=ELSEWHERE, height=BOUGHT),
    )
    ends = (
        None,
        ended(OnChainStatus.SETTLED),
        ended(OnChainStatus.EXPIRED),
        ended(OnChainStatus.SETTLED, height=1_099),
    )
    for status, style, purchase, end in product(PolicyStatus, ExerciseStyle, purchases, ends):
        for prepared, wish, pinned in product((False, True), repeat=3):
            for bought, recorded in ((None, None), (HERE, None), (HERE, ENDED)):
                facts = PolicyFacts(
                    id=POLICY.id,
                    status=status,
                    style=style,
                    expiration_height=EXPIRATION,
                    valid_until_height=VALID_UNTIL if status is not PolicyStatus.QUARANTINED else None,
                    prepared=prepared,
                    request_open=wish,
                    settlement_pinned=pinned,
                    recorded_block=bought,
                    recorded_end=recorded,
                    purchase=purchase,
                    final=end,
                )
                for number, own in enumerate(TRANSACTIONS):
                    yield facts, own, at(HEIGHTS[number % len(HEIGHTS)])
                for tip in HEIGHTS:
                    yield facts, (), at(tip)


def could_be(facts: PolicyFacts) -> bool:
    """Whether a row is ever written like this: it keeps the blocks that its status rests on, and no others."""
    unbought_yet = facts.status in {PolicyStatus.PENDING_CREATION, PolicyStatus.FAILED_CREATION}
    over = facts.status in {PolicyStatus.SETTLED, PolicyStatus.EXPIRED}
    return (facts.recorded_block is None) is unbought_yet and (facts.recorded_end is not None) is over
