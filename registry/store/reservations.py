"""What policies hold of the pool: reserved, locked, released, with each tier's sums beside it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.pool import PoolBook
from registry.domain.tier import RiskTier
from registry.domain.units import Token
from registry.store.tables import ChainEventRow, CollateralState, PoolBookRow, ReservationRow, TierCapitalRow

OWNERS = 0x4F574E53
"""The class of the advisory locks of owners; any number, the same in every process."""


def lock_tiers(session: Session, token: Token) -> Mapping[RiskTier, TierCapitalRow]:
    """Hold a token's tiers until the unit of work ends: what is reserved of one pool is taken one after another.

    All of them, always in the same order, for a reservation is bounded by its tier and by the whole.
    """
    rows = [{"risk_tier": tier, "token": token, "reserved_base_units": 0, "locked_base_units": 0} for tier in RiskTier]
    session.execute(insert(TierCapitalRow).values(rows).on_conflict_do_nothing())
    held = session.execute(
        select(TierCapitalRow)
        .where(col(TierCapitalRow.token) == token)
        .order_by(col(TierCapitalRow.risk_tier))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {RiskTier(row.risk_tier): row for row in held.scalars()}


def hold_owner(session: Session, owner: str) -> None:
    """Let an owner's quotes be counted one after another, until the unit of work ends."""
    session.execute(select(func.pg_advisory_xact_lock(OWNERS, func.hashtext(owner))))


def _unsigned() -> ColumnElement[bool]:
    """Reserved, and no block was ever seen with its purchase: what a fork gave back was signed once."""
    bought = (
        select(col(ChainEventRow.id))
        .where(
            col(ChainEventRow.policy_id) == col(ReservationRow.policy_id),
            col(ChainEventRow.name) == "policy-purchased",
        )
        .exists()
    )
    return and_(col(ReservationRow.state) == CollateralState.RESERVED, ~bought)


def unsigned_of_owner(session: Session, owner: str) -> int:
    """How many quotes an owner holds that nobody has signed yet."""
    return session.execute(
        select(func.count()).where(col(ReservationRow.owner_principal) == owner, _unsigned())
    ).scalar_one()


def unsigned_of_tier(session: Session, tier: RiskTier, token: Token) -> int:
    """What quotes that nobody has signed yet hold of a tier, in base units."""
    total = func.coalesce(func.sum(ReservationRow.amount_base_units), 0)
    return int(
        session.execute(
            select(total).where(col(ReservationRow.token) == token, col(ReservationRow.risk_tier) == tier, _unsigned())
        ).scalar_one()
    )


def reserve(session: Session, reservation: ReservationRow) -> None:
    """Add a reservation; the tier's row is held by `lock_tiers`."""
    session.add(reservation)
    _shift(session, reservation, reserved=reservation.amount_base_units)


def adopt(session: Session, lock: ReservationRow) -> None:
    """Add what the chain has locked already; the tier's row is held by `lock_tiers`."""
    session.add(lock)
    _shift(session, lock, locked=lock.amount_base_units)


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
