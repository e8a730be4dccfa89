"""What orders of an operator have in common: a reason, a name, and a list of what waits for an order."""

import getpass
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from workers.commands.frame import print_json
from workers.commands.paper import print_table

DEFAULT_LIMIT = 100
MOST = 500

Policy = Annotated[str, typer.Argument(metavar="POLICY", help="Its UUID, or its number on the chain.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the order.")]
By = Annotated[str | None, typer.Option(help="Whose order it is. Default: your name on this machine.")]
Limit = Annotated[int, typer.Option(min=1, max=MOST, help="How many at most.")]

Columns = Mapping[str, Callable[[Mapping[str, Any]], object]]
"""What people read: under each heading, a row's cell."""


def operator(by: str | None) -> str:
    """Who gives the order, as its event will say."""
    return f"operator {by or _own_name()}"


def print_waiting(rows: Sequence[Mapping[str, Any]], columns: Columns, *, as_json: bool, none: str) -> None:
    """Print what waits, or of an empty list `none`."""
    if as_json:
        print_json({"items": list(rows)})
    elif rows:
        print_table(tuple(columns), [[cell(row) for cell in columns.values()] for row in rows])
    else:
        typer.echo(none)


def _own_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return "unknown"
