"""Quotes: asked for, priced, recorded with their policy, prepared for a wallet."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import Alarm
from registry.domain.policy import PolicyStatus
from registry.domain.units import BurnHeight
from registry.store.tables import PolicyRow, QuoteRow


class QuoteMissingError(Alarm):
    """An internal message named a quote that is not there."""

    code = "quote_missing"
    sentence = "there is no quote {quote}"
    remedy = "find out who enqueued it"


def ask(session: Session, *, owner: str, key: str, request: dict[str, Any]) -> QuoteRow:
    """Add the request under its idempotency key, or answer the row that has it already."""
    session.execute(
        insert(QuoteRow)
        .values(**QuoteRow(owner_principal=owner, idempotency_key=key, request=request).model_dump(exclude_none=True))
        .on_conflict_do_nothing(index_elements=["owner_principal", "idempotency_key"])
    )
    return session.execute(
        select(QuoteRow).where(col(QuoteRow.owner_principal) == owner, col(QuoteRow.idempotency_key) == key)
    ).scalar_one()


def lock(session: Session, quote: UUID) -> QuoteRow:
    """Load one quote and hold it until the unit of work ends."""
    row = session.get(QuoteRow, quote, with_for_update=True, populate_existing=True)
    if row is None:
        raise QuoteMissingError(quote=str(quote))
    return row


def of_policy(session: Session, policy_id: UUID) -> QuoteRow | None:
    """The quote a policy was recorded with; a quarantined one has none."""
    return session.execute(select(QuoteRow).where(col(QuoteRow.policy_id) == policy_id)).scalar_one_or_none()


def by_quote_id(session: Session, quote_id: bytes) -> QuoteRow | None:
    """The quote that the chain calls by these 16 bytes."""
    return session.execute(select(QuoteRow).where(col(QuoteRow.quote_id) == quote_id)).scalar_one_or_none()


def outlived(session: Session, *, confirmed: BurnHeight, limit: int) -> Sequence[UUID]:
    """Policies still PendingCreation whose quote no confirmed block can hold any more."""
    found = session.execute(
        select(col(PolicyRow.id))
        .join(QuoteRow, col(QuoteRow.policy_id) == col(PolicyRow.id))
        .where(
            col(PolicyRow.status_detailed) == PolicyStatus.PENDING_CREATION,
            col(QuoteRow.valid_until_height) < confirmed,
        )
        .order_by(col(QuoteRow.valid_until_height))
        .limit(limit)
    )
    return found.scalars().all()
