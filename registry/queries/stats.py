"""Platform stats: how many policies stand where, and per token what is covered, locked, paid in and paid out."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, func, select
from sqlmodel import col

from registry.domain.policy import PolicyStatus
from registry.domain.request import object_of
from registry.domain.units import Token
from registry.store.session import Database, unit_of_work
from registry.store.tables import CollateralState, PolicyRow, ReservationRow

_SUMS = (
    "active_cover_sats",
    "premium_base_units",
    "fee_base_units",
    "settled_base_units",
    "locked_base_units",
    "reserved_base_units",
)


def get_platform_stats(database: Database, message: object) -> dict[str, Any]:
    """Counts by status; per token the same counts, and sums of integers: one aggregate over all policies.

    A policy's token is the one it was asked for in, or paid in where no quote of ours explains it. Premiums, fees and
    payouts are those that the chain confirmed; `active_cover_sats` is the bitcoin that Active policies protect.
    """
    object_of("message", message, required=set())
    with unit_of_work(database) as session:
        groups = session.execute(_by_token_and_status()).mappings().all()
    by_status = _counts(groups)
    return {
        "policies": sum(by_status.values()),
        "active": by_status[PolicyStatus.ACTIVE],
        "by_status": by_status,
        "by_token": {token.value: _of_token([each for each in groups if each["token"] == token]) for token in Token},
    }


def _by_token_and_status() -> Select[*tuple[Any, ...]]:
    status = col(PolicyRow.status_detailed)
    token = func.coalesce(col(ReservationRow.token), col(PolicyRow.premium_token))
    held, amount = col(ReservationRow.state), func.sum(col(ReservationRow.amount_base_units))
    return (
        select(
            token.label("token"),
            status.label("status"),
            func.count().label("policies"),
            func.sum(col(PolicyRow.protected_amount_sats))
            .filter(status == PolicyStatus.ACTIVE)
            .label("active_cover_sats"),
            func.sum(col(PolicyRow.premium_amount_base_units)).label("premium_base_units"),
            func.sum(col(PolicyRow.premium_fee_amount_base_units)).label("fee_base_units"),
            func.sum(col(PolicyRow.settlement_amount_base_units)).label("settled_base_units"),
            amount.filter(held == CollateralState.LOCKED).label("locked_base_units"),
            amount.filter(held == CollateralState.RESERVED).label("reserved_base_units"),
        )
        .join_from(PolicyRow, ReservationRow, col(ReservationRow.policy_id) == col(PolicyRow.id), isouter=True)
        .group_by(token, status)
    )


def _of_token(groups: Sequence[RowMapping]) -> dict[str, Any]:
    by_status = _counts(groups)
    sums: Mapping[str, int] = {name: sum(int(each[name] or 0) for each in groups) for name in _SUMS}
    return {
        "policies": sum(by_status.values()),
        "active": by_status[PolicyStatus.ACTIVE],
        "by_status": by_status,
        **sums,
    }


def _counts(groups: Sequence[RowMapping]) -> dict[str, int]:
    """Every status by name, those of no policy with 0."""
    return {
        status.value: sum(int(each["policies"]) for each in groups if each["status"] == status)
        for status in PolicyStatus
    }
