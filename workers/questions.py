"""Tasks that answer questions; nothing here writes."""

from typing import Any

from registry.queries import policies, pool, stats
from workers.app import app
from workers.runtime import runtime


@app.task(name="policies.list_by_owner", ignore_result=False)
def list_by_owner(message: dict[str, Any]) -> dict[str, Any]:
    """An owner's policies, a page at a time."""
    return policies.list_by_owner(runtime().database, message)


@app.task(name="policies.get_by_id", ignore_result=False)
def get_by_id(message: dict[str, Any]) -> dict[str, Any] | None:
    """One policy by either id."""
    own = runtime()
    return policies.get_by_id(own.database, message, depths=own.settings.depths)


@app.task(name="policies.list_expiring_between", ignore_result=False)
def list_expiring_between(message: dict[str, Any]) -> dict[str, Any]:
    """Active policies that run out between two heights."""
    return policies.list_expiring_between(runtime().database, message)


@app.task(name="policies.list_active_by_tier", ignore_result=False)
def list_active_by_tier(message: dict[str, Any]) -> dict[str, Any]:
    """Active policies of a tier."""
    return policies.list_active_by_tier(runtime().database, message)


@app.task(name="policies.get_platform_stats", ignore_result=False)
def get_platform_stats(message: dict[str, Any]) -> dict[str, Any]:
    """Counts and sums over all policies."""
    return stats.get_platform_stats(runtime().database, message)


@app.task(name="pool.get_state", ignore_result=False)
def get_pool_state(message: dict[str, Any]) -> dict[str, Any]:
    """What the pool holds, what is locked, and what can still be sold."""
    return pool.get_state(runtime().database, message, limits=runtime().limits)
