"""`registry api-keys`: keys by which services are let in at the front door, and what each may do."""

from datetime import timedelta
from operator import itemgetter
from typing import Annotated

import typer

from registry.domain.access import Scope
from registry.domain.errors import BadRequest
from workers.commands.environment import now_of, open_database
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.orders import Columns, print_waiting
from workers.commands.paper import second

api_keys = group(summary="Keys of services: what each may do, when it was used last, and when it ends.")

MOST_DAYS = 3650
MOST_LISTED = 200

_COLUMNS: Columns = {
    "prefix": itemgetter("prefix"),
    "name": itemgetter("name"),
    "scopes": lambda row: " ".join(row["scopes"]),
    "created": lambda row: second(row["created_at"]),
    "ends": lambda row: second(row["expires_at"]),
    "used last": lambda row: second(row["last_used_at"]),
    "taken back": lambda row: second(row["revoked_at"]),
}


class NoSuchApiKey(BadRequest):
    """No key has that prefix."""

    code = "no_such_api_key"
    sentence = "there is no key {prefix}"
    remedy = "run `registry api-keys list` to see which there are"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(api_keys, name="api-keys")


@api_keys.command(
    epilog=examples(
        "registry api-keys create reporting --scope read --scope pool",
        "registry api-keys create operations --scope operator --days 90 --json",
    )
)
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, as the list and the logs show it.")],
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it may do; once for each.")],
    days: Annotated[int | None, typer.Option(min=1, max=MOST_DAYS, help="When it ends. Default: never.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, this once: what is kept is a digest.

    `read`: anybody's policies; `pool`: the pool and its tiers; `events`: streams and webhooks; `operator`: keys. A key
    of `operator` can only be made here.
    """
    from registry.services.api_keys import create as make  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        now = now_of(database)
        ends = None if days is None else now + timedelta(days=days)
        made = make(database, name, scopes=scope, expires_at=ends, now=now)
    if as_json:
        print_json(dict(made))
    else:
        typer.echo(made["key"])
        typer.echo("It is shown this once; send it as `Authorization: Bearer …`.", err=True)


@api_keys.command(name="list", epilog=examples("registry api-keys list", "registry api-keys list --json"))
def list_keys(*, as_json: AsJson = False) -> None:
    """List the newest 200 keys without their secrets, those that are over too."""
    from registry.services.api_keys import listed  # noqa: PLC0415 - as above

    with sentences(), open_database() as database:
        rows = listed(database, limit=MOST_LISTED)["items"]
    print_waiting(rows, _COLUMNS, as_json=as_json, none="there is no key yet")


@api_keys.command(epilog=examples("registry api-keys revoke 3f9a1b2c4d5e"))
def revoke(
    prefix: Annotated[str, typer.Argument(metavar="PREFIX", help="What stands between `prk_` and the secret.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Take a key back: the next request with it is refused. Taking it back again changes nothing."""
    from registry.services.api_keys import revoke as take_back  # noqa: PLC0415 - as above

    with sentences(), open_database() as database:
        revoked = take_back(database, prefix, now=now_of(database))
        if revoked is None:
            raise NoSuchApiKey(prefix=prefix)
    if as_json:
        print_json({"revoked": prefix, "at": revoked["revoked_at"]})
    else:
        typer.echo(f"the key {prefix} of {revoked['name']} lets nobody in any more")
