"""Stats that are counted: triggers note each change, which is folded into totals; both together are the present sum."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, delete, func, literal, select, union_all
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.store.front_tables import StatChangeRow, StatHistoryRow, StatTotalRow

FIGURES = (
    "policies",
    "active_cover_sats",
    "premium_base_units",
    "fee_base_units",
    "settled_base_units",
    "locked_base_units",
    "reserved_base_units",
)
"""What is counted by token and status, each an integer of any size."""
_COLUMNS = ("token", "status", *FIGURES)


def groups(session: Session) -> Sequence[RowMapping]:
    """The present sums by token and status: one statement, so that nothing is counted twice or missed by a fold."""
    noted = union_all(*(select(*_of(kind)) for kind in (StatTotalRow, StatChangeRow))).subquery()
    summed = (func.sum(noted.c[name]).label(name) for name in FIGURES)
    by = (noted.c.token, noted.c.status)
    return session.execute(select(*by, *summed).group_by(*by)).mappings().all()


def fold(session: Session, *, limit: int) -> int:
    """Add the oldest changes to the totals, passing by those that another worker holds; answer how many."""
    oldest = (
        select(col(StatChangeRow.id))
        .order_by(col(StatChangeRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("oldest")  # run once: a plain subquery may be run again for each row, past its limit
    )
    chosen = delete(StatChangeRow).where(col(StatChangeRow.id).in_(select(oldest.c.id)))
    taken = chosen.returning(*_of(StatChangeRow)).cte("taken")
    by = (taken.c.token, taken.c.status)
    summed = select(*by, *(func.sum(taken.c[name]) for name in FIGURES)).group_by(*by)
    # in the same order for all: two that fold at once never wait for each other
    added = postgresql.insert(StatTotalRow).from_select(list(_COLUMNS), summed.order_by(*by))
    totals = {name: getattr(StatTotalRow, name) + added.excluded[name] for name in FIGURES}
    kept = added.on_conflict_do_update(index_elements=["token", "status"], set_=totals).returning(literal(1)).cte()
    counted: int = session.execute(select(func.count()).select_from(taken).add_cte(kept)).scalar_one()
    return counted


def is_recorded(session: Session, at: datetime) -> bool:
    """Whether the figures of the hour that began then are kept."""
    return session.get(StatHistoryRow, at) is not None


def record(session: Session, *, at: datetime, height: int | None, figures: dict[str, Any]) -> bool:
    """Keep an hour's figures; False if another worker has kept them."""
    values = {"at": at, "height": height, "figures": figures}
    added = postgresql.insert(StatHistoryRow).values(values).on_conflict_do_nothing().returning(col(StatHistoryRow.at))
    return session.execute(added).first() is not None


def recorded(
    session: Session, *, since: datetime | None, until: datetime | None, limit: int
) -> Sequence[StatHistoryRow]:
    """Hours that began at an instant or later and before another, oldest first."""
    at = col(StatHistoryRow.at)
    query = select(StatHistoryRow).order_by(at).limit(limit)
    if since is not None:
        query = query.where(at >= since)
    if until is not None:
        query = query.where(at < until)
    return session.execute(query).scalars().all()


def _of(kind: type[StatTotalRow] | type[StatChangeRow]) -> list[Any]:
    return [getattr(kind, name) for name in _COLUMNS]
