"""`registry keys new`: a key in a file that its owner alone can read."""

import os
import secrets
from pathlib import Path
from typing import Annotated

import typer

from registry.domain.errors import Refusal
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.paper import print_facts

keys = group(summary="Keys: of the admin, the backend and the quote signer, each in a file of its own.")


class KeyNotMade(Refusal):
    """The file cannot be made, or is there already."""

    code = "key_not_made"
    sentence = "no key was made at {path}: {reason}"
    remedy = "name a file that does not exist yet, in a directory that does"


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(keys, name="keys")


@keys.callback()
def _keys() -> None:
    """Keep `new` a command of its own: a group of one would be taken for it."""


@keys.command(epilog=examples("registry keys new backend.key", "registry keys new /run/secrets/quote.key --json"))
def new(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to put it; it must not exist yet.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make a key file that nobody but its owner can read, and print its addresses, never the key.

    A key is 66 hex digits that end in 01. Whoever has the file spends what is at its addresses: keep a copy of it.
    """
    from registry.stacks.network import MAINNET, TESTNET  # noqa: PLC0415 - imported when it runs
    from registry.stacks.signing import PrivateKey  # noqa: PLC0415 - as above

    text = secrets.token_hex(32) + "01"
    key = PrivateKey.from_hex(text)
    with sentences():
        _write(file, text)
    told = {"file": str(file), "testnet": key.address(TESTNET), "mainnet": key.address(MAINNET)}
    if as_json:
        print_json(told)
    else:
        print_facts(told)


def _write(file: Path, text: str) -> None:
    """Write a new file that its owner alone may read, from its first byte on, and see it on the disk."""
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(text + "\n")
            opened.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise KeyNotMade(path=str(file), reason=error.strerror or "it cannot be written") from None
