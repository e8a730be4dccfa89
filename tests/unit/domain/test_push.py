"""What became of a push is a matter of the blocks that stood before and after the chain was followed."""

import pytest

from registry.domain.push import PushOutcome, Said, SaidBlock, judge
from registry.domain.units import BlockHash, StacksHeight

TIP = StacksHeight(10)
ONE, TWO, THREE = (BlockHash(str(number) * 64) for number in (1, 2, 3))


def said(*applied: tuple[BlockHash, int], gone: tuple[BlockHash, ...] = ()) -> Said:
    blocks = (SaidBlock(hash=block, height=StacksHeight(height), parent=THREE) for block, height in applied)
    return Said(rolled_back=gone, applied=tuple(blocks))


@pytest.mark.parametrize(
    ("push", "before", "after", "outcome"),
    [
        (said(), (), (), PushOutcome.FOLLOWED),
        (said((ONE, 10)), (), (ONE,), PushOutcome.APPLIED),
        (said((ONE, 10)), (ONE,), (ONE,), PushOutcome.KNOWN),
        (said((ONE, 9), (TWO, 10)), (ONE,), (ONE, TWO), PushOutcome.APPLIED),
        (said((ONE, 9)), (), (), PushOutcome.NOT_CANONICAL),
        (said((ONE, 9)), (ONE,), (), PushOutcome.NOT_CANONICAL),
        # the tip's height may be that of a fork which the API does not show yet
        (said((ONE, 10)), (), (), None),
        (said((ONE, 11)), (), (), None),
        (said((ONE, 9), (TWO, 11)), (), (ONE,), None),
        (said(gone=(ONE,)), (ONE,), (), PushOutcome.APPLIED),
        (said(gone=(ONE,)), (), (), PushOutcome.KNOWN),
        (said(gone=(ONE,)), (ONE,), (ONE,), None),
        (said((TWO, 10), gone=(ONE,)), (ONE,), (TWO,), PushOutcome.APPLIED),
        # taken back and put again in one push: it stands, as is said
        (said((ONE, 10), gone=(ONE,)), (ONE,), (ONE,), PushOutcome.KNOWN),
    ],
)
def test_each_push_comes_to_what_it_should(
    push: Said, before: tuple[BlockHash, ...], after: tuple[BlockHash, ...], outcome: PushOutcome | None
) -> None:
    assert judge(push, before=before, after=after, tip=TIP) is outcome


def test_before_the_first_block_nothing_is_seen() -> None:
    assert judge(said((ONE, 1)), before=(), after=(), tip=None) is None


def test_what_is_said_is_kept_as_it_is() -> None:
    push = said((ONE, 9), (TWO, 10), gone=(THREE,))
    assert Said.from_json(push.to_json()) == push
    assert push.hashes == {ONE, TWO, THREE}
