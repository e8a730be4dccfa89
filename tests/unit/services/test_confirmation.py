"""What was mined, by what the chain says of it."""

from uuid import UUID

import pytest

from registry.domain.transaction import NO_CODE, AttemptKind, Purpose, TransactionStatus
from registry.domain.units import Nonce, Principal, TxId
from registry.services.confirmation import _Found, _outcome, _refusals
from registry.stacks.clarity import Ok, UInt, encode
from registry.stacks.node import ChainStatus, SeenTransaction
from registry.store.tables import AttemptRow

S = TransactionStatus
MINED = [
    ChainStatus.SUCCESS,
    ChainStatus.ABORT_BY_RESPONSE,
    ChainStatus.ABORT_BY_POST_CONDITION,
    ChainStatus.PROBLEMATIC_SKIPPED,
]


def seen(status: ChainStatus, result: bytes | None = None) -> SeenTransaction:
    return SeenTransaction(
        txid=TxId("a" * 64), status=status, nonce=Nonce(0), sender=Principal("ST"), block=None, result=result
    )


def found(status: ChainStatus, kind: AttemptKind) -> _Found:
    attempt = AttemptRow(transaction_id=UUID(int=1), tx_id="a" * 64, raw=b"", fee_micro_stx=1, kind=kind)
    return _Found(attempt=attempt, seen=seen(status))


@pytest.mark.parametrize("status", MINED)
def test_a_filler_in_a_block_voids_the_call_whatever_became_of_it(status: ChainStatus) -> None:
    assert _outcome(found(status, AttemptKind.FILLER)) is S.VOIDED


@pytest.mark.parametrize("status", MINED)
def test_a_call_succeeded_only_if_the_chain_says_so(status: ChainStatus) -> None:
    expected = S.SUCCEEDED if status is ChainStatus.SUCCESS else S.ABORTED
    assert _outcome(found(status, AttemptKind.CALL)) is expected


@pytest.mark.parametrize("status", [ChainStatus.ABORT_BY_POST_CONDITION, ChainStatus.PROBLEMATIC_SKIPPED])
@pytest.mark.parametrize("result", [None, encode(Ok(UInt(1)))])
def test_what_used_its_nonce_and_did_nothing_is_an_abort_without_a_code(
    status: ChainStatus, result: bytes | None
) -> None:
    assert _refusals(Purpose.EXPIRE, seen(status, result), count=3) == [NO_CODE] * 3
