"""`registry parameters`: what is sold, at which rates, on how much of the pool."""

import json
from collections.abc import Mapping
from typing import Annotated

import typer

from registry.domain.errors import BadRequest
from workers.commands.environment import open_database
from workers.commands.frame import AsJson, examples, group, print_json, sentences

parameters = group(summary="What is sold, at which rates, on how much of the pool.")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(parameters, name="parameters")


@parameters.command(epilog=examples("registry parameters show", "registry parameters show --json"))
def show(*, as_json: AsJson = False) -> None:
    """Show the parameters that are in force."""
    from registry.store import parameters as versions  # noqa: PLC0415 - imported when it runs
    from registry.store.session import unit_of_work  # noqa: PLC0415 - as above

    with sentences(), open_database() as database, unit_of_work(database) as session:
        version, in_force = versions.current(session)
    _print_parameters(version, in_force.to_json(), as_json=as_json)


@parameters.command(
    name="set",
    epilog=examples(
        'registry parameters set quote_valid_blocks=30 --reason "a block comes every second"',
        'registry parameters set creation_enabled=false --reason "the venues disagree"',
    ),
)
def set_parameters(
    changes: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="Names as `show` lists them.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for whoever reads the versions later.")],
    as_json: AsJson = False,
) -> None:
    """Put a new version in force, which differs from the last one in what is named.

    Policies and quotes keep the version that they were made under.
    """
    from registry.domain.parameters import Parameters  # noqa: PLC0415 - imported when it runs
    from registry.store import parameters as versions  # noqa: PLC0415 - as above
    from registry.store.session import unit_of_work  # noqa: PLC0415 - as above

    with sentences(), open_database() as database, unit_of_work(database) as session:
        _, in_force = versions.current(session)
        changed = Parameters.from_json({**in_force.to_json(), **parse_changes(changes)})
        versions.put_in_force(session, changed, reason=reason)
        session.flush()
        version, _ = versions.current(session)
    _print_parameters(version, changed.to_json(), as_json=as_json)


def parse_changes(changes: list[str]) -> dict[str, int | bool]:
    """Read NAME=VALUE; a value is an integer, true or false."""
    switches = {"true": True, "false": False}
    parsed: dict[str, int | bool] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if not equals:
            raise BadRequest(field=change, reason="it is not NAME=VALUE")
        try:
            parsed[name] = switches[value] if value in switches else int(value)
        except ValueError:
            raise BadRequest(field=name, reason=f"{value!r} is neither an integer nor true or false") from None
    return parsed


def _print_parameters(version: int, values: Mapping[str, int | bool], *, as_json: bool) -> None:
    if as_json:
        print_json({"version": version, "parameters": dict(values)})
        return
    typer.echo(f"version {version}")
    for name, value in values.items():
        typer.echo(f"  {name} = {json.dumps(value)}")
