"""What all commands have in common: groups, examples, JSON on stdout, sentences on stderr, exit statuses."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from registry.domain.errors import BadRequest, RegistryError
from workers.embedded.interrupts import Interrupted

FAILED = 1
BAD_USE = 2

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout, and nothing else there.")]


class BadUse(BadRequest):
    """The command was asked in a way that can never do."""

    code = "bad_use"
    remedy = "run it with --help for examples"


class BadSettings(RegistryError):
    """The environment lacks a setting or holds one that is not usable."""

    code = "bad_settings"
    sentence = "the environment is not usable: {reasons}"
    remedy = "set these variables; .env.example lists them all"


def group(*, name: str | None = None, summary: str) -> typer.Typer:
    """Make a command that has others under it."""
    return typer.Typer(
        name=name,
        help=summary,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )


def examples(*commands: str) -> str:
    """Write the end of a command's help; a blank line keeps each command on a line of its own."""
    return "\n\n".join(["Examples:", *commands])


def print_json(value: Mapping[str, object] | Sequence[object]) -> None:
    """Print one JSON value, the whole of what a program reads."""
    typer.echo(json.dumps(value))


def confirm(question: str, *, yes: bool) -> None:
    """Ask on stderr, unless `yes` was given; where nobody can be asked, BadUse."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUse(field="--yes", reason="it is not given, and nobody can be asked without a terminal")
    typer.confirm(question, abort=True, err=True)


@contextmanager
def sentences() -> Iterator[None]:
    """Turn typed errors into one sentence on stderr and an exit status; a traceback is for what nobody foresaw."""
    try:
        yield
    except Interrupted as interrupted:
        raise typer.Exit(interrupted.status) from None
    except RegistryError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_USE if isinstance(error, BadRequest | BadSettings) else FAILED) from None
