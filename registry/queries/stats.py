"""Platform stats: how many policies stand where, and per token what is covered, locked, paid in and paid out."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.orm import Session

from registry.domain.policy import PolicyStatus
from registry.domain.request import object_of
from registry.domain.units import Token
from registry.queries import cursors
from registry.store import stats
from registry.store.session import Database, unit_of_work

_SUMS = tuple(name for name in stats.FIGURES if name != "policies")
_TICK = timedelta(microseconds=1)


def get_platform_stats(database: Database, message: object) -> dict[str, Any]:
    """The stats as `platform_stats` tells them."""
    object_of("message", message, required=set())
    with unit_of_work(database) as session:
        return platform_stats(session)


def platform_stats(session: Session) -> dict[str, Any]:
    """Counts by status; per token the same counts, and sums of integers; they were counted as policies moved.

    A policy's token is the one it was asked for in, or paid in where no quote of ours explains it. Premiums, fees and
    payouts are those that the chain confirmed; `active_cover_sats` is the bitcoin that Active policies protect.
    """
    groups = stats.groups(session)
    by_status = _counts(groups)
    return {
        "policies": sum(by_status.values()),
        "active": by_status[PolicyStatus.ACTIVE],
        "by_status": by_status,
        "by_token": {token.value: _of_token([each for each in groups if each["token"] == token]) for token in Token},
    }


def history(
    session: Session, *, since: datetime | None, until: datetime | None, cursor: str | None, limit: int
) -> dict[str, Any]:
    """The stats hour by hour, oldest first, of hours that began from `since` on and before `until`, in pages.

    `at` is the hour's first moment, `taken_at` when its figures were read: as soon after its end as a worker was there.
    """
    question = f"stats {since} {until}"
    if cursor is not None:
        since = cursors.moment(cursors.read(cursor, question=question), "at") + _TICK
    rows = stats.recorded(session, since=since, until=until, limit=limit + 1)
    shown = rows[:limit]
    follows = len(rows) > limit
    items = [
        {
            "at": row.at.isoformat(),
            "taken_at": row.figures["taken_at"],
            "height": row.height,
            "stats": row.figures["stats"],
        }
        for row in shown
    ]
    return {"items": items, "next": cursors.written({"at": items[-1]["at"]}, question=question) if follows else None}


def _of_token(groups: Sequence[RowMapping]) -> dict[str, Any]:
    by_status = _counts(groups)
    sums: Mapping[str, int] = {name: sum(int(each[name]) for each in groups) for name in _SUMS}
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
