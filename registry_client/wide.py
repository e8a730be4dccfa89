"""Integers that can pass 2^53, as HTTP's JSON holds them: decimal strings, whatever their size."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any, get_args, get_origin

OPAQUE = frozenset(
    {"pricing", "oracle_data_snapshot_creation", "oracle_data_snapshot_settlement", "snapshot", "detail", "figures"}
)
"""Names of objects that are shown as they were kept; every integer in one of them is a string."""


class WideMark:
    """Marks a type's integers as wide; pydantic, where there is one, describes them as what they are in JSON."""

    def __get_pydantic_json_schema__(self, _core: object, _handler: object) -> dict[str, Any]:
        """Describe a decimal string."""
        return {"type": "string", "pattern": "^(0|[1-9][0-9]*)$", "examples": ["4500000000000"]}


WIDE = WideMark()
Wide = Annotated[int, WIDE]
"""An integer that can pass 2^53: an amount, a price or an id of the chain's."""


def wide_names(kinds: Collection[type]) -> frozenset[str]:
    """The names of the fields of these types that are wide."""
    return frozenset(name for kind in kinds for name, hint in kind.__annotations__.items() if _is_wide(hint))


def _is_wide(hint: object) -> bool:
    if get_origin(hint) is Annotated:
        return WIDE in get_args(hint)[1:]
    return any(_is_wide(each) for each in get_args(hint))


def widened(value: object, names: Collection[str]) -> Any:  # noqa: ANN401 - JSON
    """JSON with each integer under one of these names, or anywhere in an opaque object, as a string."""
    return _mapped(value, names, is_wide=False)


def _mapped(value: object, names: Collection[str], *, is_wide: bool) -> object:
    match value:
        # what is cheap to know and most of all comes first: every answer passes here, value by value
        case None | str() | bool():
            return value
        case int():
            return str(value) if is_wide else value
        case dict() | Mapping():
            return {
                name: _mapped(each, names, is_wide=is_wide or name in names or name in OPAQUE)
                for name, each in value.items()
            }
        case list() | tuple():
            return [_mapped(each, names, is_wide=is_wide) for each in value]
        case _:
            return value


def narrowed(value: object, names: Collection[str]) -> Any:  # noqa: ANN401 - JSON
    """The way back for what is under one of these names; what an opaque object holds stays as it came."""
    match value:
        case Mapping():
            return {
                name: int(each) if name in names and isinstance(each, str) else _narrowed_in(name, each, names)
                for name, each in value.items()
            }
        case list():
            return [narrowed(each, names) for each in value]
        case _:
            return value


def _narrowed_in(name: str, value: object, names: Collection[str]) -> object:
    return value if name in OPAQUE else narrowed(value, names)
