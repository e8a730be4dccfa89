"""The platform's stats by one aggregate over all rows, as they were told before they were counted."""

from typing import Any

from sqlalchemy import text

from registry.domain.policy import PolicyStatus
from registry.domain.units import Token
from registry.queries.stats import get_platform_stats
from registry.store.session import Database, unit_of_work

_EVERYTHING = text("""
SELECT coalesce(reservation.token, policy.premium_token) AS token, policy.status_detailed AS status,
  count(*) AS policies,
  sum(policy.protected_amount_sats) FILTER (WHERE policy.status_detailed = 'Active') AS active_cover_sats,
  sum(policy.premium_amount_base_units) AS premium_base_units,
  sum(policy.premium_fee_amount_base_units) AS fee_base_units,
  sum(policy.settlement_amount_base_units) AS settled_base_units,
  sum(reservation.amount_base_units) FILTER (WHERE reservation.state = 'locked') AS locked_base_units,
  sum(reservation.amount_base_units) FILTER (WHERE reservation.state = 'reserved') AS reserved_base_units
FROM policies AS policy LEFT JOIN reservations AS reservation ON reservation.policy_id = policy.id
GROUP BY 1, 2
""")


def summed(database: Database) -> dict[str, Any]:
    with unit_of_work(database) as session:
        groups = session.execute(_EVERYTHING).mappings().all()
    names = [name for name in groups[0] if name.endswith(("_sats", "_units"))] if groups else []

    def counted(chosen: list[Any]) -> dict[str, Any]:
        by_status = {
            status.value: sum(each["policies"] for each in chosen if each["status"] == status)
            for status in PolicyStatus
        }
        return {"policies": sum(by_status.values()), "active": by_status["Active"], "by_status": by_status}

    def sums(chosen: list[Any]) -> dict[str, int]:
        return {name: sum(int(each[name] or 0) for each in chosen) for name in names}

    by_token = {token: [each for each in groups if each["token"] == token] for token in Token}
    return {
        **counted(list(groups)),
        "by_token": {token.value: {**counted(chosen), **sums(chosen)} for token, chosen in by_token.items()},
    }


def assert_counted_is_summed(database: Database) -> None:
    """What was counted as policies moved is what a sum over all of them says, to the unit."""
    assert get_platform_stats(database, {}) == summed(database)
