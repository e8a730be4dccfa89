"""Platform stats: how many policies stand where, and what was paid in and out, per token."""

from typing import Any

from sqlalchemy import func, select
from sqlmodel import col

from registry.domain.policy import PolicyStatus
from registry.domain.request import object_of
from registry.domain.units import Token
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow


def get_platform_stats(database: Database, message: object) -> dict[str, Any]:
    """Counts by status; per token the premiums, fees and payouts that the chain confirmed, in base units."""
    object_of("message", message, required=set())
    status, token = col(PolicyRow.status_detailed), col(PolicyRow.premium_token)
    counts = select(status, func.count()).group_by(status)
    sums = (
        select(
            token,
            func.count(),
            func.sum(col(PolicyRow.premium_amount_base_units)),
            func.sum(col(PolicyRow.premium_fee_amount_base_units)),
            func.sum(func.coalesce(col(PolicyRow.settlement_amount_base_units), 0)),
        )
        .where(token.is_not(None))
        .group_by(token)
    )
    with unit_of_work(database) as session:
        by_status = {row[0]: row[1] for row in session.execute(counts)}
        by_token = {row[0]: [int(value or 0) for value in row[1:]] for row in session.execute(sums)}
    names = ("policies", "premium_base_units", "fee_base_units", "settled_base_units")
    return {
        "policies": sum(by_status.values()),
        "active": by_status.get(PolicyStatus.ACTIVE, 0),
        "by_status": {each.value: by_status.get(each, 0) for each in PolicyStatus},
        "by_token": {each.value: dict(zip(names, by_token.get(each, [0] * 4), strict=True)) for each in Token},
    }
