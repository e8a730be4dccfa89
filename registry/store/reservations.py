"""What policies hold of the pool: reserved, locked, released, with each tier's sums beside it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.pool import PoolBook
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.store.tables import CollateralState, PoolBookRow, ReservationRow, TierCapitalRow


def lock_tier(session: Session, tier: RiskTier, token: Token) -> TierCapitalRow:
    """Hold a tier's row until the unit of work ends: reservations of one tier are taken one after another."""
    session.execute(
        insert(TierCapitalRow)
        .values(risk_tier=tier, token=token, reserved_base_units=0, locked_base_units=0)
        .on_conflict_do_nothing()
    )
    return session.execute(
        select(TierCapitalRow)
        .where(col(TierCapitalRow.risk_tier) == tier, col(TierCapitalRow.token) == token)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).scalar_one()


def reserved_of_pool(session: Session, token: Token) -> int:
    """What all tiers have reserved of one token, in base units."""
    return session.execute(
        select(func.coalesce(func.sum(TierCapitalRow.reserved_base_units), 0)).where(col(TierCapitalRow.token) == token)
    ).scalar_one()


def open_quotes_of(session: Session, owner: str) -> int:
    """How many reservations an owner has that no purchase has turned into a lock."""
    return session.execute(
        select(func.count()).where(
            col(ReservationRow.owner_principal) == owner, col(ReservationRow.state) == CollateralState.RESERVED
        )
    ).scalar_one()


def reserve(session: Session, reservation: ReservationRow) -> None:
    """Add a reservation; the tier's row is held by `lock_tier`."""
    session.add(reservation)
    _shift(session, reservation, reserved=reservation.amount_base_units)


def of_policy(session: Session, policy_id: UUID) -> ReservationRow:
    """What a policy holds or held; a policy of ours always has it."""
    return session.get_one(ReservationRow, policy_id, populate_existing=True)


def token_of(session: Session, policy_id: UUID) -> Token:
    """What a policy is paid in, known from its first moment on."""
    return Token(of_policy(session, policy_id).token)


def change(session: Session, policy_id: UUID, *, leaves: CollateralState, enters: CollateralState) -> bool:
    """Turn a policy's hold into another, and the tier's sums with it; False if it left that state already."""
    held = session.execute(
        update(ReservationRow)
        .where(col(ReservationRow.policy_id) == policy_id, col(ReservationRow.state) == leaves)
        .values(state=enters)
        .returning(ReservationRow)
        .execution_options(populate_existing=True)
    ).scalar_one_or_none()
    if held is None:
        return False
    amount = held.amount_base_units
    shift = {
        CollateralState.RESERVED: {"reserved": amount},
        CollateralState.LOCKED: {"locked": amount},
        CollateralState.RELEASED: {},
    }
    gained, lost = shift[enters], shift[leaves]
    _shift(
        session,
        held,
        reserved=gained.get("reserved", 0) - lost.get("reserved", 0),
        locked=gained.get("locked", 0) - lost.get("locked", 0),
    )
    return True


def _shift(session: Session, held: ReservationRow, *, reserved: int = 0, locked: int = 0) -> None:
    session.execute(
        update(TierCapitalRow)
        .where(col(TierCapitalRow.risk_tier) == held.risk_tier, col(TierCapitalRow.token) == held.token)
        .values(
            reserved_base_units=col(TierCapitalRow.reserved_base_units) + reserved,
            locked_base_units=col(TierCapitalRow.locked_base_units) + locked,
        )
        .execution_options(synchronize_session="fetch")
    )


def book(session: Session, token: Token) -> PoolBook:
    """The pool's book of one token as of the newest block that changed it."""
    row = session.get(PoolBookRow, token, populate_existing=True)
    return PoolBook(token=token) if row is None else PoolBook(**row.model_dump())


def keep_book(session: Session, kept: PoolBook) -> None:
    """Replace the pool's book of one token."""
    session.merge(
        PoolBookRow(
            token=kept.token,
            assets=kept.assets,
            locked=kept.locked,
            unearned=kept.unearned,
            since=kept.since,
            until=kept.until,
        )
    )


def books_as_json(session: Session) -> list[dict[str, Any]]:
    """Every token's book, to be kept with the block that changed one of them."""
    return [row.model_dump() for row in session.execute(select(PoolBookRow)).scalars()]


def restore_books(session: Session, kept: Sequence[Mapping[str, Any]]) -> None:
    """Go back to the books that a block left."""
    session.execute(delete(PoolBookRow))
    session.flush()
    for values in kept:
        keep_book(session, PoolBook(**values))
