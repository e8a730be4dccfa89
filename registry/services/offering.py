"""Offering: stored bytes go to a node, and what it answers is kept. Offering the same bytes again is harmless."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.nonce import resend_at
from registry.domain.transaction import OPEN, AttemptKind, Dead, TransactionStatus, Verdict
from registry.domain.units import MicroStx
from registry.fault_points import now_for
from registry.stacks.node import Accepted, BroadcastReason, NodeUnavailable, Rejected, StacksNode
from registry.stacks.signer import FILLER_MICRO_STX
from registry.stacks.verdicts import verdict_on
from registry.store import signers, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, TransactionRow

_LOG = structlog.get_logger()

FIRST_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What an answer means, the node's own words where it was no, and whether money was short."""

    verdict: Verdict
    refusal: str | None = None
    is_short: bool = False


def offer(
    database: Database,
    node: StacksNode,
    transaction_id: UUID,
    *,
    now: datetime,
    among: Collection[TransactionStatus] = OPEN,
) -> Verdict | None:
    """Offer a transaction's newest bytes, if its status is among these, and keep the answer.

    None: they are withheld, for the signer is paused, or they are a call that must not be offered any more.

    Raises:
        NodeUnavailable: no usable answer. Bytes that may have been taken count as sent; a look-up by txid tells.
    """
    with unit_of_work(database) as session:
        row = transactions.get(session, transaction_id)
        attempt = transactions.attempts(session, transaction_id)[-1]
        withheld = row.status not in among or _is_withheld(session, row, attempt)
    now_for(row.purpose)
    if withheld:
        return None
    try:
        answer = _read(node.broadcast(attempt.raw))
    except NodeUnavailable as error:
        if error.maybe_sent:
            with unit_of_work(database) as session:
                _keep(session, row, attempt, _Answer(verdict=Verdict.RESOLVE), now=now)
        raise
    with unit_of_work(database) as session:
        _keep(session, row, attempt, answer, now=now)
    return answer.verdict


def _is_withheld(session: Session, row: TransactionRow, attempt: AttemptRow) -> bool:
    if signers.is_paused(session, row.signer):
        return True
    if attempt.kind == AttemptKind.FILLER:
        return False
    if row.dead_because is None and not transactions.names_stand(session, row.id):
        transactions.kill(session, row.id, Dead.MOVED)
        _LOG.error("broadcast.withheld", tx_id=attempt.tx_id, reason="it names an id that a fork took back")
        return True
    return row.dead_because is not None


def _read(answer: Accepted | Rejected) -> _Answer:
    verdict = verdict_on(answer)
    if isinstance(answer, Accepted):
        return _Answer(verdict=verdict)
    said = answer.message
    return _Answer(
        verdict=verdict,
        refusal=said if said.startswith(answer.reason.value) else f"{answer.reason.value}: {said}",
        is_short=answer.reason is BroadcastReason.NOT_ENOUGH_FUNDS,
    )


def _keep(session: Session, row: TransactionRow, attempt: AttemptRow, answer: _Answer, *, now: datetime) -> None:
    transactions.answered(session, attempt.tx_id, verdict=answer.verdict, refusal=answer.refusal, now=now)
    about = {"tx_id": attempt.tx_id, "nonce": row.nonce, "purpose": row.purpose}
    if answer.refusal is None:
        _LOG.info("broadcast.accepted" if answer.verdict is Verdict.SENT else "broadcast.unanswered", **about)
    else:
        _LOG.error("broadcast.refused", reason=answer.refusal, verdict=answer.verdict.value, **about)
    look_at = now + FIRST_LOOK
    match answer.verdict:
        case Verdict.SENT | Verdict.RESOLVE:
            _sent(session, row, look_at=look_at)
            return
        case Verdict.REFUSE if attempt.kind == AttemptKind.CALL:
            transactions.kill(session, row.id, Dead.REFUSED)
        case Verdict.REFUSE | Verdict.PAUSE:
            _pause(session, row, attempt, answer, now=now)
        case Verdict.RETRY:
            look_at = max(look_at, resend_at(signed_at=attempt.created_at, offered_at=now))
        case Verdict.RAISE_FEE:
            pass
    transactions.look_again(session, row.id, at=look_at)


def _sent(session: Session, row: TransactionRow, *, look_at: datetime) -> None:
    """What may be sent is looked for from now on; what was sent before stays what it is."""
    transactions.move(
        session,
        row.id,
        leaves=TransactionStatus.SIGNED,
        enters=TransactionStatus.SENT,
        changes={"look_at": look_at},
    )


def _pause(session: Session, row: TransactionRow, attempt: AttemptRow, answer: _Answer, *, now: datetime) -> None:
    needed = MicroStx(attempt.fee_micro_stx + (FILLER_MICRO_STX if attempt.kind == AttemptKind.FILLER else 0))
    reason = answer.refusal or answer.verdict.value
    funds = needed if answer.is_short else None
    if signers.pause(session, row.signer, reason=reason, now=now, funds_needed=funds):
        _LOG.error("signer.paused", signer=row.signer, reason=reason, funds_needed=funds)
