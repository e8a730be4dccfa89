"""Confirmation: one look at a transaction of ours, and what it means for its policies."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.transaction import OPEN, Purpose, TransactionStatus
from registry.domain.units import TxId
from registry.stacks.node import ChainStatus, Rejected, SeenTransaction, StacksNode
from registry.stacks.outcomes import Payout, Refused, acknowledgement, expirations, settlement
from registry.store import blocks, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, TransactionRow

_LOG = structlog.get_logger()

NO_CODE = 0
"""Stands for an abort without a contract's number: a post-condition, or a runtime error."""

_OVER = {ChainStatus.SUCCESS, ChainStatus.ABORT_BY_RESPONSE, ChainStatus.ABORT_BY_POST_CONDITION}


def look(
    database: Database, node: StacksNode, transaction_id: UUID, *, height: ChainHeight, pause: timedelta, now: datetime
) -> list[UUID]:
    """Look once; answer the policies that it decided something for, none while it is not deep enough.

    Bytes that were sent and that the node knows no more are sent again as they are.
    """
    with unit_of_work(database) as session:
        row = transactions.get(session, transaction_id)
        attempts = transactions.attempts(session, transaction_id)
        stands = transactions.names_stand(session, transaction_id)
    if row.status not in OPEN:
        return []
    seen = _seen(node, [attempt.tx_id for attempt in attempts])
    if seen is None and row.status != TransactionStatus.SIGNED and stands:
        _send_again(node, attempts[-1])
    with unit_of_work(database) as session:
        return _keep(session, row, seen, height=height, look_at=now + pause)


def _seen(node: StacksNode, tx_ids: list[str]) -> SeenTransaction | None:
    """Find whichever attempt the chain has, a mined one before one that waits."""
    answers = [node.transaction(TxId(tx_id)) for tx_id in reversed(tx_ids)]
    known = [answer for answer in answers if answer is not None]
    mined = [answer for answer in known if answer.block is not None]
    return next(iter(mined or known), None)


def _send_again(node: StacksNode, attempt: AttemptRow) -> None:
    answer = node.broadcast(attempt.raw)
    if isinstance(answer, Rejected):
        _LOG.error("transaction.lost", tx_id=attempt.tx_id, reason=answer.reason.value, message=answer.message)


def _keep(
    session: Session, row: TransactionRow, seen: SeenTransaction | None, *, height: ChainHeight, look_at: datetime
) -> list[UUID]:
    status = TransactionStatus(row.status)
    if seen is None or seen.block is None or seen.status not in _OVER:
        if status is TransactionStatus.MINED:
            _orphaned(session, row, look_at=look_at)
        else:
            transactions.look_again(session, row.id, at=look_at)
        return []
    where = {"block": seen.block.index_block_hash, "height": seen.block.burn_height, "look_at": look_at}
    if status is not TransactionStatus.MINED:
        transactions.move(session, row.id, leaves=status, enters=TransactionStatus.MINED, changes=where)
    else:
        transactions.place(session, row.id, where)
    if seen.block.burn_height > height.confirmed or not blocks.is_canonical(session, seen.block.index_block_hash):
        return []
    return _close(session, row, seen)


def _orphaned(session: Session, row: TransactionRow, *, look_at: datetime) -> None:
    transactions.move(
        session,
        row.id,
        leaves=TransactionStatus.MINED,
        enters=TransactionStatus.SENT,
        changes={"block": None, "height": None, "look_at": look_at},
    )


def _close(session: Session, row: TransactionRow, seen: SeenTransaction) -> list[UUID]:
    entries = transactions.entries(session, row.id)
    refusals = _refusals(Purpose(row.purpose), seen, count=len(entries))
    succeeded = seen.status is ChainStatus.SUCCESS
    closed = transactions.move(
        session,
        row.id,
        leaves=TransactionStatus.MINED,
        enters=TransactionStatus.SUCCEEDED if succeeded else TransactionStatus.ABORTED,
        changes={"chain_status": seen.status.value, "result": seen.result, "look_at": None},
    )
    if not closed:
        return []
    for entry, refusal in zip(entries, refusals, strict=True):
        transactions.close_entry(session, entry, refusal=refusal)
    return [entry.policy_id for entry in entries]


def _refusals(purpose: Purpose, seen: SeenTransaction, *, count: int) -> list[int | None]:
    """Each entry's own refusal: success of the transaction says nothing about an entry of a batch."""
    if seen.status is ChainStatus.ABORT_BY_POST_CONDITION or seen.result is None:
        return [NO_CODE] * count
    match purpose:
        case Purpose.EXPIRE:
            return [_code(outcome) for outcome in expirations(seen.result, count=count)]
        case Purpose.MARK_EXPIRED:
            return [_code(acknowledgement(seen.result))]
        case Purpose.SETTLE | Purpose.RELEASE:
            return [_code(settlement(seen.result))]


def _code(outcome: Payout | Refused | None) -> int | None:
    if not isinstance(outcome, Refused):
        return None
    return NO_CODE if outcome.code is None else outcome.code
