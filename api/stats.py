"""Stats: `GET /v1/stats` and `/v1/stats/history`, open to everybody."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from api import answers, problem
from api.door import Door
from api.terms import Nothing, Paged, Time
from registry.queries import stats
from registry.store.session import Database, unit_of_work
from registry_client.answers import Stats, StatsHistory

PUBLIC = {"Cache-Control": "public, max-age=1", "Vary": "Accept-Encoding"}
_REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Hours(Paged):
    """Of which hours."""

    since: Time | None = Field(default=None, alias="from", description="Hours that began then or later.")
    until: Time | None = Field(default=None, alias="to", description="Hours that began before then.")


def router(door: Door) -> APIRouter:
    """Make the routes under /stats."""
    own = APIRouter(prefix="/stats", tags=["stats"])

    @own.get(
        "",
        operation_id="get_stats",
        summary="Get the platform's stats",
        responses={**answers.shown(Stats), **problem.told(*_REFUSED)},
    )
    async def get_stats(request: Request, _: Annotated[Nothing, Query()]) -> Response:
        """How many policies stand where, and per token what is covered, locked, paid in and paid out, to the unit."""
        found = await door.threads.run(partial(stats.get_platform_stats, door.database, {}))
        return answers.tagged(request, found, headers=PUBLIC)

    @own.get(
        "/history",
        operation_id="get_stats_history",
        summary="Get the stats hour by hour",
        responses={**answers.shown(StatsHistory), **problem.told(*_REFUSED, HTTPStatus.UNPROCESSABLE_ENTITY)},
    )
    async def get_stats_history(request: Request, query: Annotated[Hours, Query()]) -> Response:
        """The stats as they stood at the end of each hour, oldest first; one in which nobody kept them is missing."""
        found = await door.threads.run(partial(_history, door.database, query))
        return answers.tagged(request, found, headers=PUBLIC)

    return own


def _history(database: Database, query: Hours) -> dict[str, Any]:
    with unit_of_work(database) as session:
        return stats.history(session, since=query.since, until=query.until, cursor=query.after, limit=query.limit)
