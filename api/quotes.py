"""Quotes: `POST /v1/quotes/preview` tells what a policy would cost now. Nothing of it is kept, and nobody signs in."""

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any
from uuid import uuid4

import structlog
from celery.states import SUCCESS
from fastapi import APIRouter, Body
from fastapi.responses import Response

from api import answers, problem
from api.creations import PolicyAsked
from api.door import Door
from registry.domain.closes import ClosesUnavailable
from registry.domain.errors import RegistryError
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.request import CreationRequest
from registry.services.preview import preview
from registry_client.answers import Preview
from workers.refusals import AnswerTimeout, error_of

FETCH = "prices.fetch"
FAILURE_SECONDS = 2.0
"""How long a failure to fetch is told to others before it is tried again."""
_LOG = structlog.get_logger()


def router(door: Door) -> APIRouter:
    """Make the route."""
    own, fetches = APIRouter(tags=["actions"]), Fetches(door)

    @own.post(
        "/quotes/preview",
        summary="See what a policy would cost",
        responses={
            **answers.shown(Preview),
            **problem.told(
                HTTPStatus.BAD_REQUEST,
                HTTPStatus.UNPROCESSABLE_ENTITY,
                HTTPStatus.TOO_MANY_REQUESTS,
                HTTPStatus.SERVICE_UNAVAILABLE,
            ),
        },
    )
    async def preview_quote(body: Annotated[PolicyAsked, Body()]) -> Response:
        """Price a policy by the newest prices, fetched first if they are too old to quote by.

        A quote at the same prices has the same figures. `has_room` is of this moment: only a quote reserves collateral.
        """
        asked = body.request()
        try:
            told = await door.threads.run(partial(_preview, door, asked))
        except (PriceUnavailable, ClosesUnavailable):
            await fetches.fetch(asked.pairs)
            told = await door.threads.run(partial(_preview, door, asked))
        return answers.plain(told)

    return own


def _preview(door: Door, asked: CreationRequest) -> dict[str, Any]:
    runtime = door.runtime
    return preview(runtime.database, asked, limits=runtime.limits, now=runtime.now())


class Fetches:
    """Has prices fetched, once for everybody who needs the same at the same time."""

    def __init__(self, door: Door) -> None:
        """Take what the process holds."""
        self._door = door
        self._under_way: dict[Sequence[Pair], asyncio.Task[None]] = {}
        self._failed: dict[Sequence[Pair], tuple[float, RegistryError]] = {}

    async def fetch(self, pairs: Sequence[Pair]) -> None:
        """Wait until a price of each pair is kept that was fetched just now.

        Raises:
            RegistryError: the venues gave none, or nobody answered in time.
        """
        if (failed := self._failed.get(pairs)) and time.monotonic() - failed[0] < FAILURE_SECONDS:
            raise failed[1].with_traceback(None)
        if (task := self._under_way.get(pairs)) is None:
            task = self._under_way[pairs] = asyncio.create_task(self._fetch(pairs))
            task.add_done_callback(partial(self._end, pairs))
        # whoever goes away does not end it for the others
        await asyncio.shield(task)

    def _end(self, pairs: Sequence[Pair], task: "asyncio.Task[None]") -> None:
        self._under_way.pop(pairs)
        if not task.cancelled():
            task.exception()  # seen, though everybody who waited may have gone

    async def _fetch(self, pairs: Sequence[Pair]) -> None:
        try:
            await self._ask(pairs)
        except RegistryError as error:
            self._failed[pairs] = (time.monotonic(), error)
            raise

    async def _ask(self, pairs: Sequence[Pair]) -> None:
        task_id, seconds = str(uuid4()), self._door.settings.api_wait_seconds
        _LOG.info("prices.asked", pairs=list(pairs), task_id=task_id)
        await self._door.asking.run(partial(self._door.registry.fetch_prices, pairs, task_id=task_id))
        outcome = await self._door.results.wait(task_id, seconds=seconds)
        if outcome is None:
            raise AnswerTimeout(task=FETCH, seconds=seconds, idempotency_key=None)
        if outcome["status"] != SUCCESS:
            raise error_of(outcome["result"], task=FETCH, task_id=task_id)
