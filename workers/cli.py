"""The `registry` command. What a command needs is imported when it runs, so that help comes at once."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.domain.errors import BadRequest, RegistryError, Unavailable
from workers.embedded.interrupts import Interrupted

if TYPE_CHECKING:
    from registry.settings import Settings
    from registry.store.session import Database

FAILED = 1
BAD_USE = 2


def examples(*commands: str) -> str:
    """Write the end of a command's help; a blank line keeps each command on a line of its own."""
    return "\n\n".join(["Examples:", *commands])


app = typer.Typer(
    name="registry",
    help="Bitcoin price protection on Stacks: run the whole stack, prepare a database, say what is sold.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
parameters = typer.Typer(
    help="What is sold, at which rates, on how much of the pool.", no_args_is_help=True, rich_markup_mode="markdown"
)
app.add_typer(parameters, name="parameters")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
Directory = Annotated[
    Path | None, typer.Option(help="Where the stack keeps its data and logs, made anew. Default: in .registry")
]


class BadSettings(RegistryError):
    """The environment lacks a setting or holds one that is not usable."""

    code = "bad_settings"
    sentence = "the environment is not usable: {reasons}"
    remedy = "set these variables; .env.example lists them all"


class DatabaseUnusable(Unavailable):
    """PostgreSQL does not answer, or not with our tables."""

    code = "database_unusable"
    sentence = "the database is not usable: {reason}"
    remedy = "check REGISTRY_DATABASE_URL, and run `registry migrate` if it is new"


@app.command(epilog=examples("registry demo", "registry demo --json | python -m json.tool"))
def demo(*, as_json: AsJson = False, directory: Directory = None) -> None:
    """Take policies through their lives on a chain's real VM, then audit the result.

    Starts PostgreSQL, Valkey, a devnet, the workers, beat and Flower, and stops them all again. Ends with 1 if a
    policy does not end as it should or a check of the audit fails. Variables named REGISTRY_… are ignored.
    """
    from workers.demo.run import run  # noqa: PLC0415 - see the top

    with sentences():
        raise typer.Exit(run(directory=directory, as_json=as_json))


@app.command(epilog=examples("registry up", "registry up --json > stack.json"))
def up(*, as_json: AsJson = False, directory: Directory = None) -> None:
    """Run the same stack until Ctrl-C, with contracts deployed and both pools filled, for services to use.

    Prints every URL, and the environment that a service needs.
    """
    from workers.demo.up import run  # noqa: PLC0415 - see the top

    with sentences():
        run(directory=directory, as_json=as_json)


@app.command(epilog=examples("registry migrate"))
def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database to the present schema; a new one gets the default parameters.

    Reads REGISTRY_DATABASE_URL. Running it again, or twice at once, does no harm.
    """
    from registry.store.migrate import migrate as bring_up_to_date  # noqa: PLC0415 - see the top

    with sentences(), open_database() as database:
        bring_up_to_date(database)
    typer.echo(json.dumps({"migrated": True}) if as_json else "the schema is up to date")


@parameters.command(epilog=examples("registry parameters show", "registry parameters show --json"))
def show(*, as_json: AsJson = False) -> None:
    """Show the parameters that are in force."""
    from registry.store import parameters as versions  # noqa: PLC0415 - see the top
    from registry.store.session import unit_of_work  # noqa: PLC0415

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
    from registry.domain.parameters import Parameters  # noqa: PLC0415 - see the top
    from registry.store import parameters as versions  # noqa: PLC0415
    from registry.store.session import unit_of_work  # noqa: PLC0415

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


def read_settings() -> "Settings":
    """Read the environment; what is wrong with it becomes a sentence that shows no value."""
    from pydantic import ValidationError  # noqa: PLC0415 - see the top

    from registry.settings import Settings  # noqa: PLC0415

    try:
        return Settings()
    except ValidationError as error:
        reasons = [f"REGISTRY_{str(each['loc'][0]).upper()}: {each['msg'].lower()}" for each in error.errors()]
        raise BadSettings(reasons="; ".join(reasons)) from None


@contextmanager
def open_database() -> Iterator["Database"]:
    """Open the database that the environment names; what PostgreSQL says against it becomes a sentence."""
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - see the top

    from registry.store.session import Database  # noqa: PLC0415

    database = Database(read_settings().database_url.get_secret_value())
    try:
        yield database
    except DBAPIError as error:
        raise DatabaseUnusable(reason=str(error.orig).strip().partition("\n")[0]) from None
    finally:
        database.close()


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


def _print_parameters(version: int, values: Mapping[str, int | bool], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"version": version, "parameters": dict(values)}))
        return
    typer.echo(f"version {version}")
    for name, value in values.items():
        typer.echo(f"  {name} = {json.dumps(value)}")


if __name__ == "__main__":
    app()
