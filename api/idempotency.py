"""What headers say of an action: the caller's own key for it, and how long he waits for its answer."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import Request

from api.problem import Problem

KEY = "Idempotency-Key"
LONGEST = 200
MOST_SECONDS = 20.0
"""The longest that an answer is waited for because its caller says so."""
_USABLE = re.compile(rf"[ -~]{{1,{LONGEST}}}")
_WAIT = re.compile(r"\s*wait\s*=\s*(\d{1,4})\s*", re.IGNORECASE)

PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "required": False,
    "description": "`wait=N`: wait N seconds for the answer, 0 to 20, and not as long as the registry would; "
    "one that takes longer is 202. Anything else is passed over.",
    "schema": {"type": "string"},
    "example": "wait=5",
}
PARAMETERS: dict[str, Any] = {
    "parameters": [
        {
            "name": KEY,
            "in": "header",
            "required": True,
            "description": "The caller's own name for this action. The same key with the same body is answered with "
            "the same bytes, however often it is sent; with another body it is refused.",
            "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[!-~]([ -~]*[!-~])?$"},
            "example": "0b8f6a52-5e0c-4a3e-9a44-1f0f8e0f3a11",
        },
        PREFER,
    ]
}
"""Key and wait, as an operation of the OpenAPI document has them."""


def idempotency_key(request: Request) -> str:
    """Read the caller's key; there is exactly one.

    Raises:
        Problem: 400, there is none or it is not usable.
    """
    given = request.headers.getlist(KEY)
    if not given:
        detail = f"send a key of your own as {KEY}: whoever repeats it gets the same answer, and nothing is done twice"
        raise Problem(HTTPStatus.BAD_REQUEST, code="idempotency_key_missing", detail=detail)
    if len(given) > 1 or not _USABLE.fullmatch(given[0]):
        detail = f"{KEY} is not usable: send it once, with 1 to {LONGEST} printable ASCII characters"
        raise Problem(HTTPStatus.BAD_REQUEST, code="bad_request", detail=detail, figures={"field": KEY})
    return given[0]


def waits(request: Request, *, usual: float) -> float:
    """How many seconds an answer is waited for: as `Prefer: wait=` has it (RFC 7240), within bounds, or as usual."""
    for preference in ",".join(request.headers.getlist("prefer")).split(","):
        if found := _WAIT.fullmatch(preference.partition(";")[0]):
            return min(float(found[1]), max(usual, MOST_SECONDS))
    return usual
