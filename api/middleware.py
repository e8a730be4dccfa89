"""What every request passes: an id, a time limit, headers of caution, one log line, a bounded body, HEAD as GET."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from http import HTTPStatus

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api import body, problem, strict
from api.body import Bounds
from api.problem import Problem

REQUEST_ID = "X-Request-Id"
REQUEST_SECONDS = 30.0
VERSIONED = "/v1/"
ENDLESS = ("/v1/streams/", "/v1/exports/")
"""Paths of answers that take as long as whoever reads them wants."""
MOST_HEAD_BYTES = 16 * 1024
SMALL = Bounds(size=64 * 1024, seconds=10.0)
CAUTION = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""What an answer says where it says nothing else of its own."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_LOG = structlog.get_logger()


class Front:
    """Outside all that can fail: nothing leaves without it, an error that nobody foresaw included."""

    def __init__(self, app: ASGIApp, *, seconds: float = REQUEST_SECONDS) -> None:
        """Take the application, and the most seconds of a request that is no stream."""
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answered = Answered(send, request_id=secrets.token_hex(8))
        # a copy: the server looks at its own to know that HEAD has no body
        inner = {**scope, "method": "GET" if scope["method"] == "HEAD" else scope["method"]}
        serve = self._headed if scope["method"] == "HEAD" else self._app
        with structlog.contextvars.bound_contextvars(request_id=answered.request_id):
            try:
                await self._bounded(serve, inner, receive, answered)
            finally:
                _tell(scope["method"], inner, answered)

    async def _bounded(self, serve: ASGIApp, scope: Scope, receive: Receive, answered: "Answered") -> None:
        limit = None if scope["path"].startswith(ENDLESS) else self._seconds
        try:
            _require_short_head(scope)
            async with asyncio.timeout(limit):
                await serve(scope, receive, answered.send)
        except Problem as refusal:
            await problem.answer(refusal)(scope, receive, answered.send)
        except Exception as error:
            failure = _failure(error)
            if answered.status is not None:
                raise  # half an answer: the server breaks the connection off
            await problem.answer(failure)(scope, receive, answered.send)

    async def _headed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer HEAD by the head of GET's answer; what follows it is not waited for, for a stream has no end."""
        is_over = asyncio.Event()

        async def head(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                is_over.set()

        asked = asyncio.ensure_future(self._app(scope, receive, head))
        headed = asyncio.ensure_future(is_over.wait())
        try:
            await asyncio.wait({asked, headed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            headed.cancel()
            if not asked.done():
                asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked


class Answered:
    """An answer on its way: what it gets on top, and what of it is told afterwards."""

    def __init__(self, send: Send, *, request_id: str) -> None:
        """Take the way out."""
        self._send = send
        self.request_id = request_id
        self.status: int | None = None
        self.since = time.perf_counter()

    async def send(self, message: Message) -> None:
        """Send a part of it."""
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self.request_id
            for name, value in CAUTION.items():
                headers.setdefault(name, value)
        await self._send(message)


class Bounded:
    """Reads a body under /v1 to its end before a route runs: small, soon, and JSON that has one meaning only."""

    def __init__(self, app: ASGIApp, *, bounds: Bounds) -> None:
        """Take the application, and what a body may be."""
        self._app = app
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or not scope["path"].startswith(VERSIONED):
            await self._app(scope, receive, send)
            return
        try:
            _require_text(scope)
            given = await self._read(Request(scope, receive))
        except Problem as refusal:
            await problem.answer(refusal)(scope, receive, send)
            return
        await self._app(scope, _replayed(given, receive), send)

    async def _read(self, request: Request) -> bytes:
        if not _has_body(request.headers):
            return b""
        body.require_json(request)
        given = await body.read(request, self._bounds)
        try:
            strict.read(given)
        except strict.Unusable as unusable:
            detail = f"the body is not usable: {unusable}; correct it and ask again"
            raise _bad_request(detail, field="body") from None
        return given


def _require_short_head(scope: Scope) -> None:
    """Refuse a head that is too large: the server bounds one that comes in parts, not one that comes at once."""
    size = sum(len(name) + len(value) for name, value in scope["headers"])
    if size + len(scope["raw_path"]) + len(scope["query_string"]) > MOST_HEAD_BYTES:
        raise Problem(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            code="head_too_large",
            detail=f"the head of a request has at most {MOST_HEAD_BYTES} bytes",
            headers=body.CLOSE,
        )


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _require_text(scope: Scope) -> None:
    """Refuse a NUL, which no column holds, in a path or a query."""
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        raise _bad_request("the address holds a NUL; correct it and ask again", field="address")


def _bad_request(detail: str, *, field: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, code="bad_request", detail=detail, figures={"field": field})


def _replayed(given: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Give a body that was read, and after it what the server says: that the caller went away."""
    parts = [given]

    async def replay() -> Message:
        return {"type": "http.request", "body": parts.pop(), "more_body": False} if parts else await receive()

    return replay


def _failure(error: Exception) -> Problem:
    if isinstance(error, TimeoutError):
        _LOG.error("request.too_slow")
        detail = "no answer in time; ask again, an action under the same idempotency key: nothing is done twice"
        return Problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            code="too_slow",
            detail=detail,
            headers={"Retry-After": str(problem.RETRY_SECONDS)},
        )
    _LOG.exception("request.failed", error=type(error).__name__)
    return problem.internal()


def _tell(method: str, scope: Scope, answered: Answered) -> None:
    """Write the one line of a request: neither its query, nor a header, nor a body."""
    caller = scope.get("state", {}).get("caller")
    _LOG.info(
        "request.answered",
        method=method if method in METHODS else "other",
        route=_template(scope),
        status=answered.status,
        ms=round((time.perf_counter() - answered.since) * 1000, 1),
        caller=caller.name if caller else None,
    )


def _template(scope: Scope) -> str | None:
    """The path of the route that answered, as it was declared; None where none did."""
    route = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    template: str | None = getattr(route, "path_format", None)
    return template
