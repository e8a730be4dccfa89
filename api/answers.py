"""JSON answers: wide integers as strings, and a tag by which an unchanged one is not sent again."""

import hashlib
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from registry_client.shapes import WIDE_NAMES
from registry_client.wide import widened

JSON = "application/json"
PRIVATE = "private, no-cache"
"""Kept by nobody but who asked, and not shown again without asking."""


def encoded(value: object) -> bytes:
    """A value as the bytes that callers get; the same value is always the same bytes."""
    return json.dumps(widened(value, WIDE_NAMES), ensure_ascii=False, separators=(",", ":")).encode()


def tagged(request: Request, value: object, *, headers: Mapping[str, str] | None = None) -> Response:
    """Answer what was asked for, or 304 where whoever asks has it already."""
    more = {"Cache-Control": PRIVATE, "Vary": "Authorization", **(headers or {})}
    return unless_had(request, encoded(value), media_type=JSON, headers=more)


def unless_had(request: Request, body: bytes, *, media_type: str, headers: Mapping[str, str]) -> Response:
    """Answer these bytes under a tag of theirs, or 304 where whoever asks has them already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    more = {"ETag": tag, **headers}
    if _has(request, tag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=more)
    return Response(body, media_type=media_type, headers=more)


def plain(value: object, *, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Answer what is nobody's to keep."""
    return Response(
        encoded(value), status_code=status, media_type=JSON, headers={"Cache-Control": "no-store", **(headers or {})}
    )


def shown(shape: Any, *, description: str = "As asked.") -> dict[int | str, dict[str, Any]]:  # noqa: ANN401 - a TypedDict
    """Describe an answer of 200 by its type, for the OpenAPI document."""
    return {200: {"model": shape, "description": description}}


def _has(request: Request, tag: str) -> bool:
    """Whether `If-None-Match` names the tag, compared weakly as RFC 9110 has it."""
    given = (each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(","))
    return any(each in {tag, "*"} for each in given)
