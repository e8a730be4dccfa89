"""`registry migrate`: the database's schema."""

import typer

from workers.commands.environment import open_database
from workers.commands.frame import AsJson, examples, print_json, sentences


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("registry migrate", "registry migrate --json"))(migrate)


def migrate(*, as_json: AsJson = False) -> None:
    """Bring the database to the present schema; a new one gets the default parameters.

    Reads REGISTRY_DATABASE_URL. Running it again, or twice at once, does no harm.
    """
    from registry.store.migrate import migrate as bring_up_to_date  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database(doing="the schema is brought up to date") as database:
        bring_up_to_date(database)
    if as_json:
        print_json({"migrated": True})
    else:
        typer.echo("the schema is up to date")
