"""What may be asked of the pool, the counterparty: what it holds, what is locked, what can still be sold."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.capacity import OpenQuoteLimits, PoolUse, Room, TierUse, room
from registry.domain.parameters import Parameters
from registry.domain.pool import PoolBook
from registry.domain.request import object_of
from registry.domain.tier import RiskTier
from registry.domain.units import PPM, BaseUnits, Token, floor_div
from registry.queries.instant import one_instant
from registry.store import blocks, parameters, reservations
from registry.store.session import Database
from registry.store.tables import TierCapitalRow


def get_state(database: Database, message: object, *, limits: OpenQuoteLimits) -> dict[str, Any]:
    """The pool as `pool_state` tells it, all of one instant."""
    object_of("message", message, required=set())
    with one_instant(database) as session:
        return pool_state(session, limits=limits)


def pool_state(session: Session, *, limits: OpenQuoteLimits) -> dict[str, Any]:
    """Per token the pool's book, per tier what it may use and what is free: a quote for exactly that is recorded.

    Amounts are base units. Assets and unearned premiums stand as at the newest block that changed them
    (`as_of_height`), which is what capacity is counted by; `height` is that of the newest block applied.
    """
    version, in_force = parameters.current(session)
    tip = blocks.tip(session)
    return {
        "height": None if tip is None else tip.burn_height,
        "parameters_id": version,
        "tokens": {token.value: _token_state(session, token, in_force, limits) for token in Token},
    }


def _token_state(session: Session, token: Token, in_force: Parameters, limits: OpenQuoteLimits) -> dict[str, Any]:
    book = reservations.book(session, token)
    tiers = {tier: _use(session, tier, token) for tier in RiskTier}
    pool = PoolUse(
        token=token,
        assets=BaseUnits(book.assets),
        locked=BaseUnits(book.locked),
        reserved=BaseUnits(sum(use.reserved for use in tiers.values())),
    )
    return {
        **_book_state(book, reserved=pool.reserved),
        "tiers": {
            tier.value: _tier_state(use, room(pool, use, parameters=in_force, limits=limits), pool, in_force)
            for tier, use in tiers.items()
        },
    }


def _book_state(book: PoolBook, *, reserved: int) -> dict[str, int]:
    return {
        "assets_base_units": book.assets,
        "locked_base_units": book.locked,
        "reserved_base_units": reserved,
        "free_base_units": max(0, book.assets - book.locked - reserved),
        "unearned_base_units": book.unearned,
        "earned_until_height": book.until,
        "as_of_height": book.since,
        "utilisation_ppm": _ppm(book.locked, book.assets),
    }


def _tier_state(use: TierUse, found: Room, pool: PoolUse, in_force: Parameters) -> Mapping[str, int | str]:
    share = in_force.share(use.tier)
    usable = floor_div(pool.assets * share * in_force.max_utilisation_ppm, PPM * PPM)
    return {
        "share_ppm": share,
        "usable_base_units": usable,
        "locked_base_units": use.locked,
        "reserved_base_units": use.reserved,
        "unsigned_base_units": use.unsigned,
        "free_base_units": found.free,
        "bound": found.bound.value,
        "utilisation_ppm": _ppm(use.locked + use.reserved, usable),
    }


def _use(session: Session, tier: RiskTier, token: Token) -> TierUse:
    held = session.execute(
        select(col(TierCapitalRow.locked_base_units), col(TierCapitalRow.reserved_base_units)).where(
            col(TierCapitalRow.risk_tier) == tier, col(TierCapitalRow.token) == token
        )
    ).first()
    locked, reserved = (0, 0) if held is None else (held[0], held[1])
    return TierUse(
        tier=tier,
        locked=BaseUnits(locked),
        reserved=BaseUnits(reserved),
        unsigned=BaseUnits(reservations.unsigned_of_tier(session, tier, token)),
    )


def _ppm(part: int, whole: int) -> int:
    """Parts per million, floored; of nothing, nothing is used."""
    return floor_div(part * PPM, whole) if whole else 0
