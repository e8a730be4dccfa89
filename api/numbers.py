"""Integers in bodies: a JSON integer, or a decimal string of one, for many programs read JSON's numbers as floats."""

import re
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

LARGEST = 10**18
"""Less than what a column holds, and the same number in every program that reads a schema, floats or not."""
DIGITS = r"^[1-9][0-9]{0,17}$"
_DIGITS = re.compile(DIGITS)
_FORMS = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": LARGEST},
        {"type": "string", "pattern": DIGITS},
    ],
}


def _integer(value: object) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("it is neither an integer nor a decimal string of one")


Count = Annotated[int, BeforeValidator(_integer), Field(ge=1, le=LARGEST), WithJsonSchema(_FORMS)]
"""A positive integer that a column holds."""
