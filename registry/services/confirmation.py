"""Confirmation: one look at a transaction of ours, and what it means for its policies."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.nonce import resend_at
from registry.domain.transaction import NO_CODE, OPEN, AttemptKind, Dead, Purpose, TransactionStatus, Verdict
from registry.domain.units import TxId
from registry.fault_points import now_for
from registry.services import offering
from registry.stacks.node import ChainStatus, NodeUnavailable, SeenTransaction, StacksNode
from registry.stacks.outcomes import Payout, Refused, acknowledgement, expirations, settlement
from registry.store import blocks, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, TransactionRow

_LOG = structlog.get_logger()

_UNRUN = {ChainStatus.ABORT_BY_POST_CONDITION, ChainStatus.PROBLEMATIC_SKIPPED}
"""Mined, paid for, and without effect: whatever result is shown, no contract's number stands for it."""

_OVER = {ChainStatus.SUCCESS, ChainStatus.ABORT_BY_RESPONSE} | _UNRUN

_WAITS = {ChainStatus.PENDING, ChainStatus.UNKNOWN}
"""What else is not mined was dropped, and is offered again. A word that we do not know is no failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The attempt that the chain has, and what it says of it."""

    attempt: AttemptRow
    seen: SeenTransaction


def look(
    database: Database, node: StacksNode, transaction_id: UUID, *, height: ChainHeight, pause: timedelta, now: datetime
) -> list[UUID]:
    """Look once; answer the policies that it decided something for, none while it is not deep enough.

    Every attempt at the nonce is looked for: whichever is mined decides. Bytes that were sent and that the node knows
    no more are sent again as they are.
    """
    with unit_of_work(database) as session:
        row = transactions.get(session, transaction_id)
        attempts = transactions.attempts(session, transaction_id)
        if row.status not in OPEN:
            return []
        # before the node is asked: one that it chokes on goes to the end of the line
        transactions.look_again(session, transaction_id, at=now + pause)
    now_for(row.purpose)
    found = _found(node, attempts)
    if found is None and row.status != TransactionStatus.SIGNED:
        _send_again(database, node, row, attempts[-1], now=now)
    with unit_of_work(database) as session:
        return _keep(session, row, found, height=height, look_at=now + pause)


def _found(node: StacksNode, attempts: Sequence[AttemptRow]) -> _Found | None:
    """Find whichever attempt the chain has, a mined one before one that waits."""
    waiting: _Found | None = None
    for attempt in reversed(attempts):
        seen = node.transaction(TxId(attempt.tx_id))
        if seen is None:
            continue
        found = _Found(attempt=attempt, seen=seen)
        if seen.block is not None:
            return found
        if seen.status in _WAITS:
            waiting = waiting or found
    return waiting


def _send_again(
    database: Database, node: StacksNode, row: TransactionRow, attempt: AttemptRow, *, now: datetime
) -> None:
    """What a node took and lost goes out at once; what none took so far, ever more seldom."""
    offered = attempt.offered_at
    refused = offered is not None and attempt.verdict != Verdict.SENT
    if refused and now < resend_at(signed_at=attempt.created_at, offered_at=offered or now):
        return
    _LOG.warning("transaction.lost", tx_id=attempt.tx_id, nonce=row.nonce)
    try:
        offering.offer(database, node, row.id, now=now)
    except NodeUnavailable as error:
        # the look itself was done, and what it found is kept
        _LOG.warning("transaction.not_sent_again", tx_id=attempt.tx_id, reason=str(error))


def _keep(
    session: Session, row: TransactionRow, found: _Found | None, *, height: ChainHeight, look_at: datetime
) -> list[UUID]:
    status = TransactionStatus(transactions.get(session, row.id).status)
    seen = None if found is None else found.seen
    if found is None or seen is None or seen.block is None or seen.status not in _OVER:
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
    return _close(session, row, found)


def _orphaned(session: Session, row: TransactionRow, *, look_at: datetime) -> None:
    transactions.move(
        session,
        row.id,
        leaves=TransactionStatus.MINED,
        enters=TransactionStatus.SENT,
        changes={"block": None, "height": None, "look_at": look_at},
    )


def _close(session: Session, row: TransactionRow, found: _Found) -> list[UUID]:
    seen = found.seen
    closed = transactions.move(
        session,
        row.id,
        leaves=TransactionStatus.MINED,
        enters=_outcome(found),
        changes={"chain_status": seen.status.value, "result": seen.result, "look_at": None},
    )
    if not closed:
        return []
    if found.attempt.kind == AttemptKind.FILLER:
        dead = None if row.dead_because is None else Dead(row.dead_because)
        return transactions.close_voided(session, row.id, dead=dead)
    entries = transactions.entries(session, row.id)
    refusals = _refusals(Purpose(row.purpose), seen, count=len(entries))
    for entry, refusal in zip(entries, refusals, strict=True):
        transactions.close_entry(session, entry, refusal=refusal)
    return [entry.policy_id for entry in entries]


def _outcome(found: _Found) -> TransactionStatus:
    """What became of the call: a filler in a block says that it never took effect."""
    if found.attempt.kind == AttemptKind.FILLER:
        return TransactionStatus.VOIDED
    succeeded = found.seen.status is ChainStatus.SUCCESS
    return TransactionStatus.SUCCEEDED if succeeded else TransactionStatus.ABORTED


def _refusals(purpose: Purpose, seen: SeenTransaction, *, count: int) -> list[int | None]:
    """Each entry's own refusal: success of the transaction says nothing about an entry of a batch."""
    if seen.status in _UNRUN or seen.result is None:
        return [NO_CODE] * count
    match purpose:
        case Purpose.EXPIRE:
            return [_code(outcome) for outcome in expirations(seen.result, count=count)]
        case Purpose.MARK_EXPIRED:
            return [_code(acknowledgement(seen.result))]
        case Purpose.SETTLE | Purpose.RELEASE:
            return [_code(settlement(seen.result))]
        case Purpose.FILL:
            return []


def _code(outcome: Payout | Refused | None) -> int | None:
    if not isinstance(outcome, Refused):
        return None
    return NO_CODE if outcome.code is None else outcome.code
