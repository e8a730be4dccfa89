"""What may be asked of policies: by owner, by id, by height, by tier. Pages are keyset pages."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, select, tuple_
from sqlalchemy.orm import Mapped, Session
from sqlmodel import col

from registry.domain.errors import BadRequest
from registry.domain.height import Depths
from registry.domain.policy import PolicyStatus
from registry.domain.request import integer, object_of, text
from registry.domain.tier import RiskTier
from registry.queries.depth import USUAL, on_chain
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow, QuoteRow

DEFAULT_LIMIT = 100
MOST = 500

_SHOWN = (
    "id",
    "policy_id_on_chain",
    "owner_principal",
    "counterparty_principal",
    "protected_value_price_feed_units",
    "protected_amount_sats",
    "expiration_height",
    "policy_type",
    "status_on_chain",
    "status_detailed",
    "creation_height",
    "creation_timestamp",
    "expiration_timestamp_estimate",
    "premium_amount_base_units",
    "premium_token",
    "premium_fee_amount_base_units",
    "settlement_amount_base_units",
    "settlement_token",
    "settlement_timestamp",
    "tx_id_creation",
    "tx_id_status_update",
    "last_checked_block_height_expiry",
    "risk_tier",
    "oracle_data_snapshot_creation",
    "oracle_data_snapshot_settlement",
    "exercise_style",
    "parameters_id",
    "created_at",
)


SHOWN_COLUMNS = tuple(getattr(PolicyRow, name) for name in _SHOWN)
"""What a caller is shown, for a read of no more than that."""


def describe(row: PolicyRow | Row[Any]) -> dict[str, Any]:
    """A policy as JSON: every ordered field by its name, ids and times as text; a row is of the shown columns."""
    values = row if isinstance(row, Row) else (getattr(row, name) for name in _SHOWN)
    return dict(zip(_SHOWN, map(_plain, values), strict=True))


def describe_quote(row: QuoteRow) -> dict[str, Any]:
    """A quote as JSON; `max_payout_base_units` is the collateral, the most that the policy can ever pay."""
    return {
        "quote_id": row.quote_id.hex() if row.quote_id else None,
        "premium_amount_base_units": row.premium_base_units,
        "premium_fee_amount_base_units": row.fee_base_units,
        "premium_token": row.request["premium_token"],
        "max_payout_base_units": row.collateral_base_units,
        "risk_tier": row.risk_tier,
        "expiration_height": row.expiration_height,
        "valid_until_height": row.valid_until_height,
        "pricing": row.pricing,
    }


def get_by_id(database: Database, message: object, *, depths: Depths = USUAL) -> dict[str, Any] | None:
    """One policy by its on-chain id (an integer) or by ours (a UUID), with `chain`; null if there is none."""
    body = object_of("message", message, required={"policy_id"})
    with unit_of_work(database) as session:
        found = session.execute(select(PolicyRow).where(identified(body["policy_id"]))).scalar_one_or_none()
        if found is None:
            return None
        return {**describe(found), "chain": on_chain(session, found.id, depths=depths)}


def identified(value: object) -> ColumnElement[bool]:
    """The condition that names one policy: a UUID as text is ours, an integer the chain's."""
    if isinstance(value, str) and not value.isdigit():
        try:
            return col(PolicyRow.id) == UUID(value)
        except ValueError:
            raise BadRequest(field="policy_id", reason="it is neither a UUID nor an on-chain id") from None
    return col(PolicyRow.policy_id_on_chain) == integer("policy_id", value)


def list_by_owner(database: Database, message: object) -> dict[str, Any]:
    """An owner's policies, oldest first, of one status if it is named."""
    body = object_of("message", message, required={"owner_principal"}, optional={"status", "limit", "after"})
    query = select(PolicyRow).where(col(PolicyRow.owner_principal) == text("owner_principal", body["owner_principal"]))
    if body.get("status") is not None:
        query = query.where(col(PolicyRow.status_detailed) == _status(body["status"]))
    return _by_age(database, query, body)


def list_active_by_tier(database: Database, message: object) -> dict[str, Any]:
    """The Active policies of one tier, oldest first."""
    body = object_of("message", message, required={"risk_tier"}, optional={"limit", "after"})
    query = select(PolicyRow).where(
        col(PolicyRow.risk_tier) == _tier(body["risk_tier"]),
        col(PolicyRow.status_detailed) == PolicyStatus.ACTIVE,
    )
    return _by_age(database, query, body)


def list_expiring_between(database: Database, message: object) -> dict[str, Any]:
    """The Active policies whose expiration height lies between two, both ends included, soonest first."""
    body = object_of("message", message, required={"min_height", "max_height"}, optional={"limit", "after"})
    lowest = integer("min_height", body["min_height"], lowest=0)
    highest = integer("max_height", body["max_height"], lowest=0)
    query = select(PolicyRow).where(
        col(PolicyRow.status_detailed) == PolicyStatus.ACTIVE,
        col(PolicyRow.expiration_height).between(lowest, highest),
    )
    keys = (col(PolicyRow.expiration_height), col(PolicyRow.id))
    after = _cursor(body.get("after"), integer_first=True)
    return _page(
        database, query, keys, mark=lambda row: f"{row.expiration_height}/{row.id}", after=after, limit=_limit(body)
    )


def _by_age(database: Database, query: Select[PolicyRow], body: Mapping[str, object]) -> dict[str, Any]:
    keys = (col(PolicyRow.created_at), col(PolicyRow.id))
    after = _cursor(body.get("after"), integer_first=False)
    return _page(
        database,
        query,
        keys,
        mark=lambda row: f"{row.created_at.isoformat()}/{row.id}",
        after=after,
        limit=_limit(body),
    )


def _page(
    database: Database,
    query: Select[PolicyRow],
    keys: tuple[Mapped[Any], Mapped[Any]],
    *,
    mark: Callable[[PolicyRow], str],
    after: tuple[object, UUID] | None,
    limit: int,
) -> dict[str, Any]:
    if after is not None:
        query = query.where(tuple_(*keys) > after)
    with unit_of_work(database) as session:
        rows = _read(session, query.order_by(*keys).limit(limit + 1))
    shown = rows[:limit]
    more = len(rows) > limit
    return {"items": [describe(row) for row in shown], "next": mark(shown[-1]) if more else None}


def _read(session: Session, query: Select[PolicyRow]) -> Sequence[PolicyRow]:
    return session.execute(query).scalars().all()


def _cursor(value: object, *, integer_first: bool) -> tuple[object, UUID] | None:
    if value is None:
        return None
    first, _, second = text("after", value).partition("/")
    try:
        return integer("after", first) if integer_first else _moment(first), UUID(second)
    except ValueError:
        raise BadRequest(field="after", reason="it is not the `next` of a page of this list") from None


def _moment(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a mark has a zone")
    return found


def _limit(body: Mapping[str, object]) -> int:
    limit = body.get("limit")
    return DEFAULT_LIMIT if limit is None else integer("limit", limit, highest=MOST)


def _status(value: object) -> PolicyStatus:
    try:
        return PolicyStatus(str(value))
    except ValueError:
        raise BadRequest(field="status", reason=f"it is not one of {', '.join(PolicyStatus)}") from None


def _tier(value: object) -> RiskTier:
    try:
        return RiskTier(str(value))
    except ValueError:
        raise BadRequest(field="risk_tier", reason=f"it is not one of {', '.join(RiskTier)}") from None


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
