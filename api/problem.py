"""Refusals over HTTP, as application/problem+json (RFC 9457): each with a code of ours, none with what was sent."""

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from registry.domain.errors import Alarm, Refusal, RegistryError, Unavailable

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_LOG = structlog.get_logger()


class Problem(Exception):
    """A request is answered by this and goes no further; `headers` are added to the answer's own."""

    def __init__(self, status: HTTPStatus, *, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def answer(problem: Problem) -> Response:
    """Write it down."""
    body = {
        "type": f"urn:policy-registry:{problem.code}",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "code": problem.code,
        "detail": problem.detail,
    }
    return JSONResponse(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def of_error(error: RegistryError) -> Problem:
    """Say by its branch what a typed error means here: change the request, try again, or nothing that you can do."""
    match error:
        case Refusal():
            return Problem(HTTPStatus.BAD_REQUEST, code=error.code, detail=str(error))
        case Unavailable():
            # figures of what we stand on are for our logs alone
            return unavailable(code=error.code)
        case Alarm() | _:
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, code=error.code, detail="the registry's operators see why")


def unavailable(*, code: str) -> Problem:
    """Nothing is wrong with the request: whoever sent it tries again."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code=code,
        detail="nothing was kept; send it again later",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def install(app: FastAPI) -> None:
    """Have every refusal of an application leave in this form, the framework's own too."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> Response:
        return answer(error)

    @app.exception_handler(RegistryError)
    async def _typed(_: Request, error: RegistryError) -> Response:
        if not isinstance(error, Refusal):
            _LOG.error("api.failed", code=error.code, sentence=str(error))
        return answer(of_error(error))

    @app.exception_handler(HTTPException)
    async def _framework(_: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        code = status.name.lower()
        return answer(Problem(status, code=code, detail=status.description, headers=error.headers))

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, _error: Exception) -> Response:
        detail = "an error that nobody foresaw; the registry's operators see it"
        return answer(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, code="internal", detail=detail))
