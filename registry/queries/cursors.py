"""Cursors: where the page before ended, as text that a caller gives back and need not understand."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from registry.domain.errors import BadCursor
from registry.domain.units import BIGINT_MAX

LONGEST = 1_000
EARLIEST, LATEST = 2000, 2200
"""Years in which something may have happened: what is counted from them stays within what a moment can be."""
_QUESTION = "q"


def written(place: Mapping[str, Any], *, question: str) -> str:
    """Write a place down; `question` is what it is a place in, and makes a cursor of another question useless."""
    body = json.dumps({**place, _QUESTION: _digest(question)}, separators=(",", ":"))
    return base64.urlsafe_b64encode(body.encode()).decode().rstrip("=")


def read(cursor: str, *, question: str) -> Mapping[str, Any]:
    """Read a place that `written` wrote for the same question.

    Raises:
        BadCursor: it was not.
    """
    if len(cursor) > LONGEST or not cursor.isascii():
        raise BadCursor
    try:
        given = cursor.encode()
        body = json.loads(base64.b64decode(given + b"=" * (-len(given) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeDecodeError, ValueError, RecursionError):
        raise BadCursor from None
    if not isinstance(body, dict) or body.get(_QUESTION) != _digest(question):
        raise BadCursor
    return body


def moment(place: Mapping[str, Any], name: str) -> datetime:
    """A moment in a place, with its zone."""
    try:
        found = datetime.fromisoformat(place[name])
    except (KeyError, TypeError, ValueError):
        raise BadCursor from None
    if found.tzinfo is None or not EARLIEST <= found.year < LATEST:
        raise BadCursor
    return found


def uuid(place: Mapping[str, Any], name: str) -> UUID:
    """An id in a place."""
    try:
        return UUID(place[name])
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadCursor from None


def bigint(place: Mapping[str, Any], name: str) -> int:
    """An integer in a place that a column can hold."""
    value = place.get(name)
    if type(value) is not int or abs(value) > BIGINT_MAX:
        raise BadCursor
    return value


def _digest(question: str) -> str:
    return hashlib.sha256(question.encode()).hexdigest()[:16]
