"""What a node answered, read field by field; whatever it lacks or garbles raises NodeUnavailable."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import NoReturn

from registry.stacks.node import NodeUnavailable

_HASH = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-fA-F]{2})*)")
_NUMBER = re.compile(r"[0-9]{1,19}")
_POSITION = re.compile(r"[0-9]{1,19}(?:[:-][0-9]{1,19})*")
_U128 = re.compile(r"0x[0-9a-fA-F]{1,32}")

_OK = 200
_NOT_FOUND = 404
_GONE = 410

SHOWN = 200
"""Characters of a strange answer that an error repeats."""


class RouteMissing(Exception):
    """This server has no such path, or has it no more; `answer` is what it said instead. Never leaves the adapter."""

    def __init__(self, answer: "Answer") -> None:
        """Take the answer."""
        super().__init__(answer.endpoint)
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status and body of one HTTP answer; `endpoint` is for messages, such as `GET /v2/info`."""

    endpoint: str
    status: int
    body: bytes
    retry_after: int | None = None

    def json(self) -> object:
        """Parse the body: whole numbers as int, others as Decimal."""
        try:
            return json.loads(self.body, parse_float=Decimal, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise NodeUnavailable(
                endpoint=self.endpoint, reason=f"malformed: not JSON: {self.excerpt}", status=self.status
            ) from error

    def fields(self) -> "Fields":
        """Read the body as an object."""
        value = self.json()
        if not isinstance(value, dict):
            raise NodeUnavailable(
                endpoint=self.endpoint, reason=f"malformed: not an object: {self.excerpt}", status=self.status
            )
        return Fields(endpoint=self.endpoint, values=value)

    def ok(self) -> "Answer":
        """Give this answer if its status is 200, else refuse it."""
        if self.status != _OK:
            self.refuse()
        return self

    def found(self) -> "Fields | None":
        """Read the one object asked for; None where there is none, RouteMissing where there is no such path."""
        self._require_route()
        return None if self.status == _NOT_FOUND else self.ok().fields()

    def listed(self) -> "Fields":
        """Read a list, which may be empty but cannot be missing; RouteMissing where there is no such path."""
        self._require_route()
        return self.ok().fields()

    def _require_route(self) -> None:
        """Tell a path that this server does not have from a thing that it does not know.

        The Hiro API names the path that it does not have, in words that changed with its versions, and answers 410 for
        one that was switched off. What is not even JSON was said by something else, that stands in front of it.
        """
        if self.status == _GONE or (self.status == _NOT_FOUND and self._speaks_of_the_path()):
            raise RouteMissing(self)

    def _speaks_of_the_path(self) -> bool:
        path = self.endpoint.partition(" ")[2]
        try:
            said = json.loads(self.body)
        except (ValueError, RecursionError):
            return True
        words = said.values() if isinstance(said, dict) else ()
        return any(isinstance(word, str) and path in word for word in words)

    def refuse(self) -> NoReturn:
        """Give this answer up by its status. A 4xx surely took nothing; anything else leaves doubt."""
        raise NodeUnavailable(
            endpoint=self.endpoint,
            reason=f"status {self.status}: {self.excerpt}",
            status=self.status,
            retry_after=self.retry_after,
            maybe_sent=not 400 <= self.status < 500,  # noqa: PLR2004  # the class of client errors
        )

    @property
    def excerpt(self) -> str:
        """The beginning of the body, to show."""
        return self.body[:SHOWN].decode("utf-8", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A JSON object; `path` is where it stands in the answer."""

    endpoint: str
    values: Mapping[str, object]
    path: str = ""

    def number(self, name: str) -> int:
        """A whole number, not negative."""
        value = self.values.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self._malformed(name, "a whole number")
        return value

    def numbers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers, none negative."""
        value = self.values.get(name)
        if not isinstance(value, list):
            self._malformed(name, "a list")
        items = Fields(endpoint=self.endpoint, values=_by_index(value), path=f"{self.path}{name}.")
        return tuple(items.number(index) for index in items.values)

    def text(self, name: str) -> str:
        """A string."""
        value = self.values.get(name)
        if not isinstance(value, str):
            self._malformed(name, "a string")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self.values.get(name)
        if not isinstance(value, bool):
            self._malformed(name, "true or false")
        return value

    def hash(self, name: str) -> str:
        """Thirty-two bytes of hex, with 0x or without: 64 lower-case digits."""
        match = _HASH.fullmatch(self.text(name))
        if not match:
            self._malformed(name, "a hash of 32 bytes")
        return match[1].lower()

    def raw(self, name: str) -> bytes:
        """Bytes of hex, with 0x or without."""
        match = _HEX.fullmatch(self.text(name))
        if not match:
            self._malformed(name, "hex")
        return bytes.fromhex(match[1])

    def u128(self, name: str) -> int:
        """A number of 128 bits in hex behind 0x."""
        text = self.text(name)
        if not _U128.fullmatch(text):
            self._malformed(name, "hex of 16 bytes")
        return int(text, 16)

    def numbered(self, name: str) -> tuple[int, ...]:
        """A position such as a cursor: whole numbers with signs between them."""
        text = self.text(name)
        if not _POSITION.fullmatch(text):
            self._malformed(name, "whole numbers")
        return tuple(int(part) for part in _NUMBER.findall(text))

    def time(self, name: str) -> datetime:
        """Unix seconds, as UTC."""
        seconds = self.number(name)
        try:
            return datetime.fromtimestamp(seconds, UTC)
        except (ValueError, OverflowError, OSError):
            self._malformed(name, "a time in Unix seconds")

    def inner(self, name: str) -> "Fields":
        """An object within."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            self._malformed(name, "an object")
        return Fields(endpoint=self.endpoint, values=value, path=f"{self.path}{name}.")

    def rows(self, name: str) -> tuple["Fields", ...]:
        """A list of objects."""
        value = self.values.get(name)
        if not isinstance(value, list):
            self._malformed(name, "a list")
        items = Fields(endpoint=self.endpoint, values=_by_index(value), path=f"{self.path}{name}.")
        return tuple(items.inner(index) for index in items.values)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.values.get(name) is not None

    def _malformed(self, name: str, expected: str) -> NoReturn:
        found = repr(self.values.get(name))[:SHOWN]
        raise NodeUnavailable(endpoint=self.endpoint, reason=f"malformed: {self.path}{name} is {found}, not {expected}")


def _by_index(items: list[object]) -> dict[str, object]:
    return {str(index): item for index, item in enumerate(items)}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)
