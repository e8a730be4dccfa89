"""Notices: what services are told of policies that nothing has happened to: they run out soon, or are in the money."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, String, cast, func, select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.oracle import require_fresh
from registry.domain.policy import PolicyStatus
from registry.domain.prices import Pair, Prices, PriceUnavailable
from registry.domain.settlement import PayoutRefused, payout
from registry.domain.units import SECONDS_PER_BLOCK, BaseUnits, BurnHeight, Sats, Token, Usd8
from registry.domain.webhook import Kind, once_expiring_soon, once_in_the_money
from registry.queries.policies import describe
from registry.queries.webhooks import as_told
from registry.store import parameters, prices, webhooks
from registry.store.front_tables import WebhookMessageRow
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow, PriceRow, ReservationRow

SECONDS_PER_HOUR = 3_600

Once = Callable[[UUID | str], str]
_PLACE = "*"
"""Stands for a policy's id, in which it does not occur."""
Payload = Callable[[PolicyRow, ReservationRow | None], dict[str, Any] | None]


def expiring_soon(
    database: Database, *, height: BurnHeight, blocks: int, now: datetime, limit: int, after: UUID | None = None
) -> UUID | None:
    """Tell of a page of Active policies that end within so many blocks, each once.

    Answers what `after` takes for the next page, None after the last one or where nobody wants to know.
    """
    ends = col(PolicyRow.expiration_height)

    def told(policy: PolicyRow, _held: ReservationRow | None) -> dict[str, Any]:
        left = policy.expiration_height - height
        hours = left * SECONDS_PER_BLOCK // SECONDS_PER_HOUR
        return {"expiration_height": policy.expiration_height, "blocks_left": left, "hours_left": hours}

    with unit_of_work(database) as session:
        return _tell(
            session,
            Kind.EXPIRING_SOON,
            [ends >= height, ends <= height + blocks],
            once=once_expiring_soon,
            payload=lambda policy, held: {"height": height, **told(policy, held)},
            now=now,
            limit=limit,
            after=after,
        )


def in_the_money(
    database: Database, *, height: BurnHeight, now: datetime, limit: int, after: UUID | None = None
) -> UUID | None:
    """Tell of a page of Active policies that would be paid something by the newest prices, each once in a UTC day.

    Answers as `expiring_soon`.

    Raises:
        PriceUnavailable: somebody wants to know, and the newest BTC/USD is too old to say so.
    """
    with unit_of_work(database) as session:
        if not _listening(session, Kind.IN_THE_MONEY, now=now):
            return None
        market = _market(session, now=now)
        return _tell(
            session,
            Kind.IN_THE_MONEY,
            [col(PolicyRow.protected_value_price_feed_units) > market[Pair.BTC_USD].price],
            once=lambda policy_id: once_in_the_money(policy_id, day=now.date()),
            payload=lambda policy, held: _would_pay(policy, held, market, height=height),
            now=now,
            limit=limit,
            after=after,
        )


def _market(session: Session, *, now: datetime) -> dict[Pair, PriceRow]:
    """The newest prices that are fresh; without STX/USD, what is paid in STX is left for another round."""
    market = {Pair.BTC_USD: _fresh(session, Pair.BTC_USD, now=now)}
    with suppress(PriceUnavailable):
        market[Pair.STX_USD] = _fresh(session, Pair.STX_USD, now=now)
    return market


def _fresh(session: Session, pair: Pair, *, now: datetime) -> PriceRow:
    row = prices.newest(session, pair)
    if row is None:
        raise PriceUnavailable(pair=pair.value, reason="none was fetched")
    require_fresh(pair, observed_at=row.observed_at, now=now, parameters=parameters.current(session)[1])
    return row


def _would_pay(
    policy: PolicyRow, held: ReservationRow | None, market: dict[Pair, PriceRow], *, height: BurnHeight
) -> dict[str, Any] | None:
    """What the policy would pay by these prices; None if that is nothing, or cannot be said."""
    if held is None:
        return None
    stx = market.get(Pair.STX_USD)
    quoted = Prices(btc_usd=Usd8(market[Pair.BTC_USD].price), stx_usd=None if stx is None else Usd8(stx.price))
    try:
        owed = payout(
            strike=Usd8(policy.protected_value_price_feed_units),
            amount=Sats(policy.protected_amount_sats),
            token=Token(held.token),
            collateral=BaseUnits(held.amount_base_units),
            prices=quoted,
        )
    except (PayoutRefused, PriceUnavailable):
        return None
    return {
        "height": height,
        "btc_usd_price_feed_units": quoted.btc_usd,
        "stx_usd_price_feed_units": quoted.stx_usd,
        "observed_at": min(each.observed_at for each in market.values()).isoformat(),
        "payout_base_units": owed.amount,
        "token": owed.token.value,
    }


def _tell(
    session: Session,
    kind: Kind,
    which: Sequence[ColumnElement[bool]],
    *,
    once: Once,
    payload: Payload,
    now: datetime,
    limit: int,
    after: UUID | None,
) -> UUID | None:
    """Make the messages of one page of Active policies that were not told of, in the order of their ids."""
    listening = _listening(session, kind, now=now)
    if not listening:
        return None
    query = (
        select(PolicyRow, ReservationRow)
        .outerjoin(ReservationRow, col(ReservationRow.policy_id) == col(PolicyRow.id))
        .where(col(PolicyRow.status_detailed) == PolicyStatus.ACTIVE, *which, ~_was_told(once))
        .order_by(col(PolicyRow.id))
        .limit(limit)
    )
    if after is not None:
        query = query.where(col(PolicyRow.id) > after)
    found = session.execute(query).all()
    fresh = [(policy, payload(policy, held)) for policy, held in found]
    messages = [
        webhooks.Message(
            kind=kind,
            once=once(policy.id),
            policy_id=policy.id,
            payload=as_told({"policy_id": str(policy.id), **said, "policy": describe(policy)}),
            at=now,
            to=listening,
        )
        for policy, said in fresh
        if said is not None
    ]
    webhooks.add(session, messages, now=now)
    return found[-1][0].id if len(found) == limit else None


def _listening(session: Session, kind: Kind, *, now: datetime) -> list[UUID]:
    return [each.id for each in webhooks.hearing(session, now=now) if kind in each.kinds]


def _was_told(once: Once) -> ColumnElement[bool]:
    """Whether a policy was told of, for the database: else pages would fill up with those that were."""
    before, _, behind = once(_PLACE).partition(_PLACE)
    of_policy = func.concat(before, cast(col(PolicyRow.id), String), behind)
    return select(col(WebhookMessageRow.id)).where(col(WebhookMessageRow.once) == of_policy).exists()
