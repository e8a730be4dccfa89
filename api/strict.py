"""JSON read strictly: what one reader takes and another does not, or what nothing of ours can hold, is refused."""

import json
import math
from collections.abc import Iterable
from typing import Any

DEEPEST = 32
LONGEST_NUMBER = 100


class Unusable(Exception):
    """Why a body is not usable JSON."""


def read(body: bytes) -> object:
    """Read UTF-8 JSON without names that come twice, numbers that are none, lone surrogates, NUL, or depth without end.

    Raises:
        Unusable: it is not that; the reason holds nothing of what was sent.
    """
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_no_number,
        )
    except UnicodeDecodeError:
        raise Unusable("it is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise Unusable(f"it is not JSON: {error.msg} at character {error.pos}") from None
    except RecursionError:
        raise Unusable(_TOO_DEEP) from None
    _require_usable(value, depth=0)
    return value


_TOO_DEEP = f"it is nested more than {DEEPEST} deep"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Unusable("a name comes twice in one object")
    return made


def _integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise Unusable(f"an integer has more than {LONGEST_NUMBER} digits")
    return int(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Unusable("a number is too large")
    return number


def _no_number(_name: str) -> float:
    raise Unusable("NaN and Infinity are no JSON")


def _require_usable(value: object, *, depth: int) -> None:
    if depth > DEEPEST:
        raise Unusable(_TOO_DEEP)
    match value:
        case str():
            _require_text(value)
        case dict():
            for name in value:
                _require_text(name)
            _require_each(value.values(), depth=depth + 1)
        case list():
            _require_each(value, depth=depth + 1)


def _require_each(values: Iterable[object], *, depth: int) -> None:
    for value in values:
        _require_usable(value, depth=depth)


def _require_text(text: str) -> None:
    if "\0" in text:
        raise Unusable("a text holds a NUL")
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        raise Unusable("a text holds half of a surrogate pair")
