"""The OpenAPI document; `python -m api.document` writes it to docs/openapi.json."""

import json
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from api.examples import JSON, exemplify
from api.problem import MEDIA_TYPE, ProblemDetails

PATH = Path(__file__).parent.parent / "docs" / "openapi.json"
TAGS = {
    "sign-in": "Prove with a wallet who you are, and hold a session.",
    "api-keys": "Keys of services, and what they may do.",
    "policies": "Policies as they stand, as they stood, and all that happened to them.",
    "actions": "Ask for a policy, tell of its purchase, ask for its payout. One `Idempotency-Key`, one answer.",
    "pool": "What the pool holds and what it can still sell.",
    "stats": "Counts and sums over all policies, now and hour by hour.",
    "exports": "All of an answer at once, as a file.",
    "streams": "What happens, told as it happens, as Server-Sent Events; `Last-Event-ID` goes on where one was.",
    "webhooks": "What happens, posted to a service, signed as Standard Webhooks has it.",
    "front door": "Whether this process serves, and what nodes and hooks push.",
}
ABOUT = """\
Amounts are in base units. Integers that can pass 2^53 go out as decimal strings; coming in, integers may be either.
Times are ISO 8601. A refusal is `application/problem+json` with a `code` for programs, a `detail` for people, and
`figures` where there are any.
Lists come in pages: `next` is the `after` of the page that follows, null on the last."""
EVENT_STREAM = "text/event-stream"
RETRY_AFTER = {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
_METHODS = ("get", "post", "put", "patch", "delete")
_FOREIGN = "HTTPValidationError"
_FOREIGN_ALSO = "ValidationError"


def install(app: FastAPI) -> None:
    """Have an application answer with this document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI documents it


def document(app: FastAPI) -> dict[str, Any]:
    """Describe an application: what its routes say, and what every request passes before them."""
    made = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=ABOUT,
        routes=app.routes,
        servers=[{"url": "/", "description": "this server"}],
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    schemas["ProblemDetails"] = TypeAdapter(ProblemDetails).json_schema()
    for path, method, operation in operations(made):
        _describe(operation, path=path, method=method)
        exemplify(operation, schemas)
    for name in (_FOREIGN, _FOREIGN_ALSO):
        schemas.pop(name, None)
    used = {tag for _, _, operation in operations(made) for tag in operation["tags"]}
    made["tags"] = [{"name": name, "description": said} for name, said in TAGS.items() if name in used]
    return made


def operations(made: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each operation of a document with its path and method."""
    for path, item in made["paths"].items():
        for method in _METHODS:
            if method in item:
                yield path, method, item[method]


def _describe(operation: dict[str, Any], *, path: str, method: str) -> None:
    """Add what no route says of itself: the refusals of what stands before it."""
    answers = operation["responses"]
    if _FOREIGN in json.dumps(answers.get("422", {})):
        # what is malformed is 400 here
        del answers["422"]
    # OpenAPI 3.1 has no word for the events of a stream; what one is like is told by its example
    answers.get("200", {}).get("content", {}).get(EVENT_STREAM, {}).pop("schema", None)
    for parameter in operation.get("parameters", []):
        _require_text(parameter["schema"])
    for status in _before(operation, path=path):
        answers.setdefault(str(status.value), _told(status))
    if method == "get" and JSON in answers.get("200", {}).get("content", {}) and path.startswith("/v1/"):
        answers.setdefault("304", {"description": "Unchanged since the answer that `If-None-Match` names."})
    for status in answers.keys() & {"202", "429", "503"}:
        answers[status].setdefault("headers", {})["Retry-After"] = RETRY_AFTER
    operation["responses"] = {status: answers[status] for status in sorted(answers)}


def _require_text(schema: dict[str, Any]) -> None:
    """A parameter that is left out is not null: "null" in an address or a header is a text."""
    match schema:
        case {"anyOf": [dict(only), {"type": "null"}]}:
            del schema["anyOf"]
            schema.update({**only, **schema})


def _before(operation: dict[str, Any], *, path: str) -> Iterator[HTTPStatus]:
    if path.startswith("/v1/"):
        yield from (HTTPStatus.BAD_REQUEST, HTTPStatus.TOO_MANY_REQUESTS)
    yield HTTPStatus.SERVICE_UNAVAILABLE
    if operation.get("security"):
        yield HTTPStatus.UNAUTHORIZED
    if "requestBody" in operation:
        yield from (
            HTTPStatus.REQUEST_TIMEOUT,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        )


def _told(status: HTTPStatus) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {"description": status.phrase, "content": {MEDIA_TYPE: {"schema": schema}}}


def written(made: dict[str, Any]) -> str:
    """A document as its file holds it."""
    return json.dumps(made, indent=1, ensure_ascii=False) + "\n"
