"""One policy whole: its fields, quote, collateral, requests, settlement, transactions, and each edge that it walked."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.height import Depths
from registry.queries.depth import USUAL, on_chain
from registry.queries.policies import describe, describe_quote, identified
from registry.store.tables import (
    ActivationRequestRow,
    AttemptRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    ReservationRow,
    SettlementRow,
    TransactionEntryRow,
    TransactionRow,
)


def find(session: Session, name: str) -> PolicyRow | None:
    """The policy by our UUID or by the chain's number; BadRequest for a name that is neither."""
    return session.execute(select(PolicyRow).where(identified(name))).scalar_one_or_none()


def whole(session: Session, row: PolicyRow, *, depths: Depths = USUAL) -> dict[str, Any]:
    """Everything that is kept of a policy, as JSON; `timeline` is oldest first."""
    return {
        "policy": describe(row),
        "chain": on_chain(session, row.id, depths=depths),
        "quote": _quote(session, row.id),
        "collateral": _collateral(session, row.id),
        "requests": _requests(session, row.id),
        "settlement": _settlement(session, row.id),
        "transactions": _transactions(session, row.id),
        "timeline": _timeline(session, row.id),
    }


def _quote(session: Session, policy_id: UUID) -> dict[str, Any] | None:
    row = session.execute(select(QuoteRow).where(col(QuoteRow.policy_id) == policy_id)).scalar_one_or_none()
    if row is None:
        return None
    told = {"prepared": row.wallet_payload is not None, "declined_at": _moment(row.declined_at)}
    return {**describe_quote(row), **told, "created_at": _moment(row.created_at)}


def _collateral(session: Session, policy_id: UUID) -> dict[str, Any] | None:
    row = session.get(ReservationRow, policy_id)
    return None if row is None else {"state": row.state, "amount_base_units": row.amount_base_units, "token": row.token}


def _requests(session: Session, policy_id: UUID) -> list[dict[str, Any]]:
    rows = session.execute(
        select(ActivationRequestRow)
        .where(col(ActivationRequestRow.policy_id) == policy_id)
        .order_by(col(ActivationRequestRow.requested_at))
    )
    return [
        {
            "state": row.state,
            "requested_at": _moment(row.requested_at),
            "requested_height": row.requested_height,
            "min_payout_base_units": row.min_payout_base_units,
            "decided_at": _moment(row.decided_at),
            "refusal": row.refusal,
        }
        for row in rows.scalars()
    ]


def _settlement(session: Session, policy_id: UUID) -> dict[str, Any] | None:
    row = session.get(SettlementRow, policy_id)
    if row is None:
        return None
    return {
        "amount_base_units": row.amount_base_units,
        "token": row.token,
        "capped": row.capped,
        "formula_version": row.formula_version,
        "snapshot": row.snapshot,
        "pinned_at": _moment(row.pinned_at),
    }


def _transactions(session: Session, policy_id: UUID) -> list[dict[str, Any]]:
    rows = session.execute(
        select(TransactionRow, TransactionEntryRow)
        .join(TransactionEntryRow, col(TransactionEntryRow.transaction_id) == col(TransactionRow.id))
        .where(col(TransactionEntryRow.policy_id) == policy_id)
        .order_by(col(TransactionRow.created_at), col(TransactionRow.id))
    )
    return [
        {
            "id": str(row.id),
            "purpose": row.purpose,
            "status": row.status,
            "signer": row.signer,
            "nonce": row.nonce,
            "height": row.height,
            "chain_status": row.chain_status,
            "amount_base_units": entry.amount_base_units,
            "refusal": entry.refusal,
            "created_at": _moment(row.created_at),
            "attempts": _attempts(session, row.id),
        }
        for row, entry in rows.all()
    ]


def _attempts(session: Session, transaction_id: UUID) -> list[dict[str, Any]]:
    rows: Sequence[AttemptRow] = (
        session.execute(
            select(AttemptRow).where(col(AttemptRow.transaction_id) == transaction_id).order_by(col(AttemptRow.id))
        )
        .scalars()
        .all()
    )
    return [
        {
            "tx_id": row.tx_id,
            "fee_micro_stx": row.fee_micro_stx,
            "created_at": _moment(row.created_at),
            "accepted_at": _moment(row.accepted_at),
            "refusal": row.refusal,
        }
        for row in rows
    ]


def _timeline(session: Session, policy_id: UUID) -> list[dict[str, Any]]:
    rows = session.execute(
        select(PolicyEventRow).where(col(PolicyEventRow.policy_id) == policy_id).order_by(col(PolicyEventRow.id))
    )
    return [
        {
            "edge": row.edge,
            "from": row.from_status,
            "to": row.to_status,
            "cause": row.cause,
            "actor": row.actor,
            "height": row.height,
            "tx_id": row.tx_id,
            "at": _moment(row.at),
            "detail": row.detail,
        }
        for row in rows.scalars()
    ]


def _moment(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()
