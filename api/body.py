"""A request's body, bounded in size and time whatever its headers say."""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.problem import Problem

JSON = "application/json"
CLOSE = {"Connection": "close"}
"""What is left unread of a body is nobody's next request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most bytes of a body, and the most seconds that all of it may take."""

    size: int = 5 * 1024 * 1024
    seconds: float = 10.0

    def within(self, other: "Bounds") -> "Bounds":
        """The tighter of both in each."""
        return Bounds(size=min(self.size, other.size), seconds=min(self.seconds, other.seconds))


def require_json(request: Request) -> None:
    """Refuse what is not said to be JSON as it is, uncompressed: 415."""
    kind, _, _ = request.headers.get("content-type", "").partition(";")
    encoding = request.headers.get("content-encoding", "identity")
    if kind.strip().lower() != JSON or encoding.lower() != "identity":
        detail = f"a body must be {JSON}, without a content encoding"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, code="not_json", detail=detail, headers=CLOSE)


async def read(request: Request, bounds: Bounds) -> bytes:
    """Read a body to its end: 413 if it is too large, before it is read where its length is told, 408 if too slow."""
    told = request.headers.get("content-length")
    if told is not None and int(told) > bounds.size:
        raise _too_large(bounds)
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(bounds.seconds):
            async for part in request.stream():
                size += len(part)
                if size > bounds.size:
                    raise _too_large(bounds)
                parts.append(part)
    except TimeoutError:
        detail = f"the body did not come within {bounds.seconds:g} s"
        raise Problem(HTTPStatus.REQUEST_TIMEOUT, code="too_slow", detail=detail, headers=CLOSE) from None
    except ClientDisconnect:
        # nobody hears this
        raise Problem(HTTPStatus.BAD_REQUEST, code="broken_off", detail="the body broke off") from None
    return b"".join(parts)


def _too_large(bounds: Bounds) -> Problem:
    detail = f"a body has at most {bounds.size} bytes"
    return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, code="too_large", detail=detail, headers=CLOSE)
