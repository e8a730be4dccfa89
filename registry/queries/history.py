"""Everything that happened to one policy, in one list by time: edges, requests, decisions, our transactions, blocks."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.height import Depths
from registry.queries import timeline
from registry.queries.depth import USUAL
from registry.store.tables import (
    ActivationRequestRow,
    AttemptRow,
    BlockRow,
    ChainEventRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    SettlementRow,
    TransactionEntryRow,
    TransactionRow,
)

OURS = frozenset({"owner", "chain", "sweep", "registry"})
"""Who walks edges by rule; everybody else is a person."""
OPERATOR = "operator"


class Sight(StrEnum):
    """How much is shown: who decided by hand, and why, is the operators' own."""

    OUTSIDE = "outside"
    OPERATOR = "operator"


def whole(session: Session, row: PolicyRow, *, sight: Sight, depths: Depths = USUAL) -> dict[str, Any]:
    """All that is kept of a policy, with `timeline` as one list of what happened, oldest first.

    A block counts from when we applied it. An entry says what it is by `kind`; fields that it has no use for are null.
    """
    entries = sorted(_entries(session, row.id, sight), key=lambda entry: entry[0])
    told = {**timeline.whole(session, row, depths=depths), "timeline": [_shown(at, entry) for at, entry in entries]}
    quote = told["quote"]
    if sight is not Sight.OPERATOR and quote is not None and "released" in (quote["pricing"] or {}):
        # what stands there in place of prices is an operator's reason
        told["quote"] = {**quote, "pricing": {}}
    return told


def _entries(session: Session, policy_id: UUID, sight: Sight) -> Iterator[tuple[datetime, dict[str, Any]]]:
    yield from _wishes(session, policy_id)
    yield from _attempts(session, policy_id)
    yield from _blocks(session, policy_id)
    declined = select(col(QuoteRow.declined_at)).where(col(QuoteRow.policy_id) == policy_id)
    for at in session.execute(declined).scalars():
        if at is not None:
            yield at, _entry("declined", actor="owner")
    pinned = session.get(SettlementRow, policy_id)
    if pinned is not None:
        detail = {"amount_base_units": pinned.amount_base_units, "token": pinned.token, "capped": pinned.capped}
        yield pinned.pinned_at, _entry("pinned", detail=detail)
    # last: of what is of one commit, the edge is what came of the rest
    yield from _edges(session, policy_id, sight)


def _edges(session: Session, policy_id: UUID, sight: Sight) -> Iterator[tuple[datetime, dict[str, Any]]]:
    walked = select(PolicyEventRow).where(col(PolicyEventRow.policy_id) == policy_id).order_by(col(PolicyEventRow.id))
    for row in session.execute(walked).scalars():
        yield row.at, edge(row, sight=sight)


def edge(row: PolicyEventRow, *, sight: Sight) -> dict[str, Any]:
    """One transition as an entry of the list, without its time."""
    is_shown = sight is Sight.OPERATOR or row.actor in OURS
    return _entry(
        "edge",
        edge=row.edge,
        from_status=row.from_status,
        to_status=row.to_status,
        cause=row.cause,
        actor=row.actor if is_shown else OPERATOR,
        height=row.height,
        tx_id=row.tx_id,
        detail=row.detail if is_shown else {},
    )


def _wishes(session: Session, policy_id: UUID) -> Iterator[tuple[datetime, dict[str, Any]]]:
    asked = select(ActivationRequestRow).where(col(ActivationRequestRow.policy_id) == policy_id)
    for row in session.execute(asked).scalars():
        wanted = {"min_payout_base_units": row.min_payout_base_units}
        yield row.requested_at, _entry("requested", actor="owner", height=row.requested_height, detail=wanted)
        if row.decided_at is not None:
            yield row.decided_at, _entry("decided", cause=row.state, detail=row.refusal or {})


def _attempts(session: Session, policy_id: UUID) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """What we signed for it, and what a node said to that."""
    signed = (
        select(AttemptRow, TransactionRow)
        .join(TransactionRow, col(TransactionRow.id) == col(AttemptRow.transaction_id))
        .join(TransactionEntryRow, col(TransactionEntryRow.transaction_id) == col(TransactionRow.id))
        .where(col(TransactionEntryRow.policy_id) == policy_id)
        .order_by(col(AttemptRow.id))
    )
    for row, transaction in session.execute(signed):
        about = {"purpose": transaction.purpose, "nonce": transaction.nonce, "fee_micro_stx": row.fee_micro_stx}
        yield row.created_at, _entry("signed", height=row.height, tx_id=row.tx_id, detail={**about, "kind": row.kind})
        if row.accepted_at is not None:
            yield row.accepted_at, _entry("accepted", tx_id=row.tx_id)
        if row.refusal is not None:
            yield row.offered_at or row.created_at, _entry("refused", cause=row.refusal, tx_id=row.tx_id)


def _blocks(session: Session, policy_id: UUID) -> Iterator[tuple[datetime, dict[str, Any]]]:
    """What blocks held of it, those that a fork took too."""
    printed = (
        select(ChainEventRow, BlockRow)
        .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
        .where(col(ChainEventRow.policy_id) == policy_id)
        .order_by(col(ChainEventRow.id))
    )
    for row, block in session.execute(printed):
        place = {"block": block.index_block_hash, "is_canonical": block.is_canonical}
        at = block.applied_at or block.time
        yield at, _entry("block", cause=row.name, height=block.burn_height, tx_id=row.tx_id, detail=place)


def _entry(kind: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"kind": kind, **more}


def _shown(at: datetime, entry: Mapping[str, Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(("edge", "from_status", "to_status", "cause", "actor", "height", "tx_id"))
    return {"at": at.isoformat(), **nothing, "detail": {}, **entry}


def shown_edges(events: Iterable[PolicyEventRow], *, sight: Sight) -> list[dict[str, Any]]:
    """Transitions as entries of the list, in the order in which they come."""
    return [_shown(each.at, edge(each, sight=sight)) for each in events]
