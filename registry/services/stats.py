"""Stats: changes are folded into totals, and once an hour the whole is kept."""

from datetime import UTC, datetime, timedelta

from registry.queries.stats import platform_stats
from registry.store import blocks, stats
from registry.store.session import Database, unit_of_work

HOUR = timedelta(hours=1)


def fold(database: Database, *, limit: int) -> int:
    """Fold a batch of changes; what is read meanwhile stays what it was. Answers how many."""
    with unit_of_work(database) as session:
        return stats.fold(session, limit=limit)


def record_hour(database: Database, *, now: datetime) -> bool:
    """Keep the figures of the hour that ended last, once; False if they are kept already.

    They are the present ones: an hour that ended while no worker was there is told by the next one's `taken_at`.
    """
    at = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0) - HOUR
    with unit_of_work(database) as session:
        if stats.is_recorded(session, at):
            return False
        tip = blocks.tip(session)
        figures = {"taken_at": now.astimezone(UTC).isoformat(), "stats": platform_stats(session)}
        return stats.record(session, at=at, height=None if tip is None else tip.burn_height, figures=figures)
