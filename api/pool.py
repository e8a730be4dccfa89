"""The pool: `GET /v1/pool`, what it holds, what is locked, and what can still be sold."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from api import answers, problem
from api.caller import Caller
from api.door import Door
from api.terms import Nothing
from registry.domain.access import Scope
from registry.queries import pool
from registry_client.answers import PoolState

_REFUSED = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def router(door: Door) -> APIRouter:
    """Make the route."""
    own = APIRouter(tags=["pool"])
    Sells = Annotated[Caller, Depends(door.guard.service(Scope.POOL))]  # noqa: N806 - a type

    @own.get(
        "/pool",
        operation_id="get_pool",
        summary="Get the pool's state",
        responses={**answers.shown(PoolState), **problem.told(*_REFUSED)},
    )
    async def get_pool(request: Request, _: Sells, query: Annotated[Nothing, Query()]) -> Response:  # noqa: ARG001 - there is none
        """Per token the pool's book, per tier what it may use, what is free, and what bounds that."""
        found = await door.threads.run(partial(pool.get_state, door.database, {}, limits=door.runtime.limits))
        return answers.tagged(request, found)

    return own
