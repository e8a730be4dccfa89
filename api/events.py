"""Pushed events: `POST /events/node…` of a node's event observer, `POST /events/chainhook` of a hook, v1 or v2."""

from functools import partial
from http import HTTPStatus

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.background import BackgroundTask

from api import body
from api.door import Door
from api.problem import Problem
from registry.domain.push import PushSource
from registry.services import pushes
from registry.store.pushes import KeptPush

KEPT = frozenset({"", "new_block", "new_burn_block"})
"""What a node appends to its observer's address for what we keep; "" is for a proxy that cuts it off."""
HOOK_HEADER = "x-chainhook-consumer-secret"
_LOG = structlog.get_logger()


def router(door: Door) -> APIRouter:
    """Make the routes under /events."""
    own = APIRouter(prefix="/events", include_in_schema=False)

    @own.post("/node")
    @own.post("/node/{kind:path}")
    async def node(request: Request, kind: str = "") -> Response:
        # a node repeats what is not answered with 200, and stands still meanwhile
        given = await _received(door, PushSource.NODE, request)
        if kind not in KEPT:
            return Response(status_code=HTTPStatus.OK)
        return await _keep(door, PushSource.NODE, given, status=HTTPStatus.OK)

    @own.post("/chainhook")
    async def chainhook(request: Request) -> Response:
        given = await _received(door, PushSource.CHAINHOOK, request)
        return await _keep(door, PushSource.CHAINHOOK, given, status=HTTPStatus.ACCEPTED)

    return own


async def _received(door: Door, source: PushSource, request: Request) -> bytes:
    """Let in who bears a secret of the source, and only then read what he brings."""
    _require_secret(door, source, request)
    body.require_json(request)
    return await body.read(request, door.bounds)


def _require_secret(door: Door, source: PushSource, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    given = (bearer, request.headers.get(HOOK_HEADER, ""))
    # headers are bytes, which the framework has read as latin-1
    if not door.secrets.allow(source, *(each.encode("latin-1") for each in given)):
        _LOG.warning("push.refused", source=source.value)
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            code="unauthorized",
            detail="the secret of this source is needed, as Authorization: Bearer or in its own header",
            headers={"WWW-Authenticate": "Bearer", **body.CLOSE},
        )


async def _keep(door: Door, source: PushSource, given: bytes, *, status: HTTPStatus) -> Response:
    """Keep a body, answer, and tell the workers after that."""
    kept = await door.threads.run(partial(pushes.keep, door.database, source, given))
    _LOG.info("push.kept", push_id=kept.id, source=source.value, times=kept.times, size=len(given))
    said = {"accepted": True, "push_id": kept.id, "times": kept.times}
    return JSONResponse(said, status_code=status, background=BackgroundTask(_announce, door, kept))


async def _announce(door: Door, kept: KeptPush) -> None:
    if door.ringing.are_all_busy:
        # the broker does not answer: the push waits for the next round of following
        _LOG.warning("push.not_announced", push_id=kept.id, reason="busy")
        return
    await door.ringing.run(partial(door.bell.ring, kept.id))
