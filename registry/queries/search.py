"""Policies by any of their terms, in pages: one filter, three orders, each page from where the last one ended."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, func, select, tuple_
from sqlalchemy.orm import Mapped, Session
from sqlmodel import col

from registry.domain.errors import BadRequest, NoBlockYet
from registry.domain.policy import ExerciseStyle, PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import BIGINT_MAX, BurnHeight, Principal, Sats, Token, Usd8
from registry.queries import cursors
from registry.queries.policies import SHOWN_COLUMNS
from registry.store import blocks
from registry.store.tables import PolicyEventRow, PolicyRow, ReservationRow


class Sort(StrEnum):
    """What policies are put in order by; those that are equal in it, by their ids."""

    CREATED_AT = "created_at"
    EXPIRATION_HEIGHT = "expiration_height"
    PROTECTED_VALUE = "protected_value"


class Direction(StrEnum):
    """Smallest and oldest first, or last."""

    ASC = "asc"
    DESC = "desc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What policies are looked for: all that is given holds of each; several of a kind are alternatives.

    `tokens` are those that a policy was asked for in, or paid in where no quote of ours explains it. Ranges include
    both ends, but `created_to`. `expiring_within_blocks` counts from the newest block on, both included.
    `expiring_within_hours` goes by `expiration_timestamp_estimate`, which a policy has from the confirmation of its
    purchase on: one that has none never runs out within hours.
    """

    owner: Principal | None = None
    counterparty: Principal | None = None
    statuses: tuple[PolicyStatus, ...] = ()
    policy_type: str | None = None
    tiers: tuple[RiskTier, ...] = ()
    tokens: tuple[Token, ...] = ()
    style: ExerciseStyle | None = None
    strike_min: Usd8 | None = None
    strike_max: Usd8 | None = None
    amount_min: Sats | None = None
    amount_max: Sats | None = None
    expiration_min: BurnHeight | None = None
    expiration_max: BurnHeight | None = None
    expiring_within_blocks: int | None = None
    expiring_within_hours: int | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What comes first."""

    sort: Sort = Sort.CREATED_AT
    direction: Direction = Direction.DESC


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """When a question is asked: what comes within some blocks or hours is counted from here, on all of its pages.

    `before` is None, or an instant of the past: only what had happened before it counts.
    """

    now: datetime
    height: BurnHeight | None = None
    before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a page ends: the last policy's key and id, and since when the question is asked."""

    key: object
    id: UUID
    present: Present


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Some policies, each a row of the shown columns; `end` is where the page behind them begins, None on the last."""

    rows: Sequence[Row[Any]]
    end: Place | None


_KEYS: Mapping[Sort, str] = MappingProxyType(
    {
        Sort.CREATED_AT: "created_at",
        Sort.EXPIRATION_HEIGHT: "expiration_height",
        Sort.PROTECTED_VALUE: "protected_value_price_feed_units",
    }
)
_TOKEN = func.coalesce(col(ReservationRow.token), col(PolicyRow.premium_token))

_CONDITIONS: Mapping[str, Callable[[Any], ColumnElement[bool]]] = MappingProxyType(
    {
        "owner": lambda value: col(PolicyRow.owner_principal) == value,
        "counterparty": lambda value: col(PolicyRow.counterparty_principal) == value,
        "policy_type": lambda value: col(PolicyRow.policy_type) == value,
        "tiers": lambda value: col(PolicyRow.risk_tier).in_(value),
        "tokens": _TOKEN.in_,
        "style": lambda value: col(PolicyRow.exercise_style) == value,
        "strike_min": lambda value: col(PolicyRow.protected_value_price_feed_units) >= value,
        "strike_max": lambda value: col(PolicyRow.protected_value_price_feed_units) <= value,
        "amount_min": lambda value: col(PolicyRow.protected_amount_sats) >= value,
        "amount_max": lambda value: col(PolicyRow.protected_amount_sats) <= value,
        "expiration_min": lambda value: col(PolicyRow.expiration_height) >= value,
        "expiration_max": lambda value: col(PolicyRow.expiration_height) <= value,
        "created_from": lambda value: col(PolicyRow.created_at) >= value,
        "created_to": lambda value: col(PolicyRow.created_at) < value,
    }
)
"""What each term of a filter asks of a row; those that depend on when it is asked are below."""


def find(
    session: Session,
    wanted: Filter,
    order: Order,
    *,
    present: Present,
    limit: int,
    after: Place | None = None,
) -> Found:
    """At most `limit` policies, from the first one or from behind a place on; what is added meanwhile moves nothing.

    Raises:
        NoBlockYet: it was asked what runs out within some blocks, and none has been applied.
    """
    since = present if after is None else after.present
    if since.height is None and wanted.expiring_within_blocks is not None:
        since = replace(since, height=_tip(session))
    key, own_id = _KEYS[order.sort], col(PolicyRow.id)
    query = select(*SHOWN_COLUMNS)
    if wanted.tokens:
        query = query.join(ReservationRow, col(ReservationRow.policy_id) == own_id, isouter=True)
    query = query.where(*_terms(wanted, since))
    rows = session.execute(_in_order(query, (getattr(PolicyRow, key), own_id), order, after).limit(limit + 1)).all()
    shown = rows[:limit]
    if len(rows) <= limit:
        return Found(rows=shown, end=None)
    return Found(rows=shown, end=Place(key=getattr(shown[-1], key), id=shown[-1].id, present=since))


def _in_order(
    query: Select[Any], keys: tuple[Mapped[Any], Mapped[Any]], order: Order, after: Place | None
) -> Select[Any]:
    descends = order.direction is Direction.DESC
    if after is not None:
        place = (after.key, after.id)
        query = query.where(tuple_(*keys) < place if descends else tuple_(*keys) > place)
    return query.order_by(*(key.desc() if descends else key.asc() for key in keys))


def _terms(wanted: Filter, present: Present) -> list[ColumnElement[bool]]:
    terms = [
        asked(value)
        for name, asked in _CONDITIONS.items()
        if (value := getattr(wanted, name)) is not None and value != ()
    ]
    if wanted.statuses:
        terms.append(_status(present).in_(wanted.statuses))
    if present.before is not None:
        terms.append(col(PolicyRow.created_at) < present.before)
    if wanted.expiring_within_blocks is not None and present.height is not None:
        last = min(present.height + wanted.expiring_within_blocks, BIGINT_MAX)
        terms.append(col(PolicyRow.expiration_height).between(present.height, last))
    if wanted.expiring_within_hours is not None:
        last_moment = present.now + timedelta(hours=wanted.expiring_within_hours)
        terms.append(col(PolicyRow.expiration_timestamp_estimate).between(present.now, last_moment))
    return terms


def _status(present: Present) -> Mapped[str] | ScalarSelect[str]:
    """The status, or the one that the last event before an instant had led to."""
    if present.before is None:
        return col(PolicyRow.status_detailed)
    return (
        select(col(PolicyEventRow.to_status))
        .where(col(PolicyEventRow.policy_id) == col(PolicyRow.id), col(PolicyEventRow.at) < present.before)
        .order_by(col(PolicyEventRow.id).desc())
        .limit(1)
        .correlate(PolicyRow)
        .scalar_subquery()
    )


def _tip(session: Session) -> BurnHeight:
    tip = blocks.tip(session)
    if tip is None:
        raise NoBlockYet
    return BurnHeight(tip.burn_height)


def cursor_of(end: Place, wanted: Filter, order: Order, *, as_of: BurnHeight | None = None) -> str:
    """A place as a caller gets it."""
    key = end.key.isoformat() if isinstance(end.key, datetime) else end.key
    place = {"k": key, "i": str(end.id), "t": end.present.now.isoformat(), "h": end.present.height}
    return cursors.written(place, question=_question(wanted, order, as_of))


def place_of(
    cursor: str, wanted: Filter, order: Order, *, before: datetime | None = None, as_of: BurnHeight | None = None
) -> Place:
    """The place that a caller gave back.

    Raises:
        BadCursor: it is one of another question, or of none.
    """
    place = cursors.read(cursor, question=_question(wanted, order, as_of))
    is_time = order.sort is Sort.CREATED_AT
    key = cursors.moment(place, "k") if is_time else cursors.bigint(place, "k")
    height = None if place.get("h") is None else BurnHeight(cursors.bigint(place, "h"))
    now = cursors.moment(place, "t")
    own_id = cursors.uuid(place, "i")
    return Place(key=key, id=own_id, present=Present(now=now, height=height, before=before))


def require_possible(wanted: Filter) -> None:
    """Refuse ranges that end before they begin: nothing is in them, and nobody means that."""
    for name in ("strike", "amount", "expiration"):
        lowest, highest = getattr(wanted, f"{name}_min"), getattr(wanted, f"{name}_max")
        if lowest is not None and highest is not None and lowest > highest:
            raise BadRequest(field=f"{name}_max", reason=f"it is under {name}_min")


def _question(wanted: Filter, order: Order, as_of: BurnHeight | None) -> str:
    return json.dumps([asdict(wanted), asdict(order), as_of], sort_keys=True, default=str)
