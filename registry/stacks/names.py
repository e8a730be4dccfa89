"""The names that contracts, functions, assets and tuple keys may have."""

import re

from registry.stacks.errors import EncodeError

MAX_CONTRACT_NAME = 40
MAX_CLARITY_NAME = 128

_CONTRACT_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]*")
_CLARITY_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_!?+<>=/*-]*|[-+=/*]|[<>]=?")


def refuse_contract_name(name: str) -> None:
    """Refuse what is no name of a contract: 1 to 40 characters."""
    if len(name) > MAX_CONTRACT_NAME or not _CONTRACT_NAME.fullmatch(name):
        shown = name[:MAX_CLARITY_NAME]
        raise EncodeError("a contract name", f"{shown!r} is not a letter and up to 39 of a-z A-Z 0-9 - _")


def refuse_clarity_name(name: str) -> None:
    """Refuse what is no name of a function, asset or tuple key: 1 to 128 characters."""
    if len(name) > MAX_CLARITY_NAME or not _CLARITY_NAME.fullmatch(name):
        shown = name[:MAX_CLARITY_NAME]
        raise EncodeError("a Clarity name", f"{shown!r} is not one, or has over 128 characters")


def encode_name(name: str) -> bytes:
    """A 1-byte length and a name that was not refused."""
    return bytes((len(name),)) + name.encode()
