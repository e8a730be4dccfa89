"""Every policy, newest first, for the operator: of one owner, one status or one tier where they are named."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import BadRequest
from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.queries.policies import describe
from registry.store.tables import PolicyRow


def newest(
    session: Session,
    *,
    owner: str | None = None,
    status: PolicyStatus | None = None,
    tier: RiskTier | None = None,
    limit: int,
    after: str | None = None,
) -> dict[str, Any]:
    """One page as `{"items", "next"}`; `next` is what `after` takes for the page behind it, None on the last one."""
    keys = (col(PolicyRow.created_at), col(PolicyRow.id))
    query = select(PolicyRow).order_by(*(key.desc() for key in keys)).limit(limit + 1)
    if owner is not None:
        query = query.where(col(PolicyRow.owner_principal) == owner)
    if status is not None:
        query = query.where(col(PolicyRow.status_detailed) == status)
    if tier is not None:
        query = query.where(col(PolicyRow.risk_tier) == tier)
    if after is not None:
        query = query.where(tuple_(*keys) < _place(after))
    rows = session.execute(query).scalars().all()
    shown = rows[:limit]
    return {"items": [describe(row) for row in shown], "next": _mark(shown[-1]) if len(rows) > limit else None}


def _mark(row: PolicyRow) -> str:
    return f"{row.created_at.isoformat()}/{row.id}"


def _place(mark: str) -> tuple[datetime, UUID]:
    first, _, second = mark.partition("/")
    try:
        moment, policy_id = datetime.fromisoformat(first), UUID(second)
    except ValueError:
        raise BadRequest(field="after", reason="it is not the `next` of a page of this list") from None
    if moment.tzinfo is None:
        raise BadRequest(field="after", reason="it is not the `next` of a page of this list")
    return moment, policy_id
