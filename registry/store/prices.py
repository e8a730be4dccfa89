"""Prices that were agreed on, and daily closes."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.closes import Close
from registry.domain.errors import Alarm
from registry.domain.oracle import Aggregate
from registry.domain.prices import Pair, Prices
from registry.domain.units import Usd8
from registry.store.tables import DailyCloseRow, PriceRow


class PriceMissingError(Alarm):
    """An internal message named a price that is not there."""

    code = "price_missing"
    sentence = "there is no price {price_id}"
    remedy = "find out who enqueued it"


def add(session: Session, aggregate: Aggregate) -> int:
    """Keep an aggregate with every quote it came from; answer its id."""
    kept = aggregate.to_json()
    row = PriceRow(
        pair=aggregate.pair,
        price=aggregate.price,
        observed_at=aggregate.observed_at,
        fetched_at=aggregate.fetched_from,
        observations=kept["sources"],
        failures=kept["failures"],
    )
    session.add(row)
    session.flush()
    if row.id is None:
        raise AssertionError("a flushed row has an id")
    return row.id


def get(session: Session, price_id: int) -> PriceRow:
    """Load one aggregate."""
    row = session.get(PriceRow, price_id)
    if row is None:
        raise PriceMissingError(price_id=price_id)
    return row


def first_since(session: Session, pair: Pair, *, at: datetime) -> PriceRow | None:
    """The first aggregate of a pair that was fetched at this time or later."""
    return session.execute(
        select(PriceRow)
        .where(col(PriceRow.pair) == pair, col(PriceRow.fetched_at) >= at)
        .order_by(col(PriceRow.fetched_at), col(PriceRow.id))
        .limit(1)
    ).scalar_one_or_none()


def newest(session: Session, pair: Pair) -> PriceRow | None:
    """The last aggregate of a pair that was fetched."""
    return session.execute(
        select(PriceRow)
        .where(col(PriceRow.pair) == pair)
        .order_by(col(PriceRow.fetched_at).desc(), col(PriceRow.id).desc())
        .limit(1)
    ).scalar_one_or_none()


def as_prices(rows: Iterable[PriceRow]) -> Prices:
    """The prices that one decision is made by."""
    by_pair = {Pair(row.pair): Usd8(row.price) for row in rows}
    return Prices(btc_usd=by_pair[Pair.BTC_USD], stx_usd=by_pair.get(Pair.STX_USD))


def snapshot(row: PriceRow) -> dict[str, object]:
    """One aggregate as a policy's record keeps it."""
    return {
        "price_id": row.id,
        "pair": row.pair,
        "price": row.price,
        "fetched_at": row.fetched_at.isoformat(),
        "sources": row.observations,
    }


def closes(session: Session, pair: Pair, *, count: int, today: date) -> Sequence[Close]:
    """The kept closes of the `count` days before today, oldest first; days may be missing."""
    rows = session.execute(
        select(DailyCloseRow)
        .where(
            col(DailyCloseRow.pair) == pair,
            col(DailyCloseRow.day) >= today - timedelta(days=count),
            col(DailyCloseRow.day) < today,
        )
        .order_by(col(DailyCloseRow.day))
    )
    return [Close(day=row.day, price=Usd8(row.close)) for row in rows.scalars()]


def has_closes(session: Session, pair: Pair, *, count: int, today: date) -> bool:
    """Whether the closes of the `count` days before today are all kept."""
    return len(closes(session, pair, count=count, today=today)) == count


def add_closes(session: Session, pair: Pair, days: Iterable[Close], *, venue: str) -> None:
    """Keep closes; a day that is kept already stays as it is."""
    values = [{"pair": pair, "day": close.day, "close": close.price, "venue": venue} for close in days]
    if values:
        session.execute(insert(DailyCloseRow).values(values).on_conflict_do_nothing())
