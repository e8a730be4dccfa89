"""Refusals over HTTP, as application/problem+json (RFC 9457): each with a code of ours, none with what was sent."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NotRequired

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from typing_extensions import TypedDict

from api.methods import allowed
from registry.domain.access import NotLetIn
from registry.domain.errors import Alarm, Conflict, NoCapacity, PolicyNotFound, Refusal, RegistryError, Unavailable
from registry_client.wide import widened

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
_LOG = structlog.get_logger()


class ProblemDetails(TypedDict):
    """RFC 9457, with `code` for programs and, where there are any, `figures`: integers in it are strings."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    figures: NotRequired[dict[str, Any]]


class Problem(Exception):
    """A request is answered by this and goes no further; `headers` are added to the answer's own."""

    def __init__(
        self,
        status: HTTPStatus,
        *,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        figures: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.figures = dict(figures or {})


def answer(problem: Problem) -> Response:
    """Write it down."""
    body: ProblemDetails = {
        "type": f"urn:policy-registry:{problem.code}",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "code": problem.code,
        "detail": problem.detail,
    }
    if problem.figures:
        body["figures"] = widened({"figures": problem.figures}, ())["figures"]
    return JSONResponse(body, status_code=problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def of_error(error: RegistryError) -> Problem:
    """Say by its branch what a typed error means here: change the request, try again, or nothing that you can do."""
    match error:
        case NotLetIn():
            headers = {"WWW-Authenticate": "Bearer"}
            return Problem(HTTPStatus.UNAUTHORIZED, code=error.code, detail=str(error), headers=headers)
        case Refusal():
            return Problem(_status_of(error), code=error.code, detail=str(error), figures=error.figures)
        case Unavailable():
            # figures of what we stand on are for our logs alone
            return unavailable(code=error.code)
        case Alarm() | _:
            return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, code=error.code, detail="the registry's operators see why")


def _status_of(error: Refusal) -> HTTPStatus:
    match error:
        case PolicyNotFound():
            return HTTPStatus.NOT_FOUND
        case Conflict() | NoCapacity():
            return HTTPStatus.CONFLICT
        case _:
            return HTTPStatus.UNPROCESSABLE_ENTITY


def told(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """Describe the problems that a route answers with, for the OpenAPI document."""
    return {
        status.value: {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
        }
        for status in statuses
    }


def unavailable(*, code: str) -> Problem:
    """Nothing is wrong with the request: whoever sent it tries again."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        code=code,
        detail="nothing was kept; send it again later",
        headers={"Retry-After": str(RETRY_SECONDS)},
    )


def internal() -> Problem:
    """Say no more of what nobody foresaw."""
    detail = "an error that nobody foresaw; the registry's operators see it"
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, code="internal", detail=detail)


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

    @app.exception_handler(RequestValidationError)
    async def _malformed(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(each) for each in first["loc"][1:]) or str(first["loc"][0])
        detail = f"{field} is not usable: {first['msg']}; correct it and ask again"
        return answer(Problem(HTTPStatus.BAD_REQUEST, code="bad_request", detail=detail, figures={"field": field}))

    @app.exception_handler(HTTPException)
    async def _framework(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        headers = dict(error.headers or {})
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = allowed(app, request.scope["path"])
            if request.method == "OPTIONS":
                return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        code = status.name.lower()
        return answer(Problem(status, code=code, detail=status.description, headers=headers))

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, _error: Exception) -> Response:
        return answer(internal())
