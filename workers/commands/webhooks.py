"""`registry webhooks`: what services were to be told and never heard, and an operator's order to send it again."""

from operator import itemgetter
from typing import Annotated
from uuid import UUID

import typer

from workers.commands.environment import now_of, open_database
from workers.commands.frame import AsJson, BadUse, examples, group, print_json, sentences
from workers.commands.orders import DEFAULT_LIMIT, Columns, Limit, print_waiting
from workers.commands.paper import second

webhooks = group(summary="Messages to services that never arrived.")

Named = Annotated[
    str, typer.Argument(metavar="ID", help="A delivery's id, or an endpoint's: then all that is dead of it.")
]

_COLUMNS: Columns = {
    "delivery": itemgetter("id"),
    "endpoint": itemgetter("endpoint_id"),
    "kind": itemgetter("kind"),
    "policy": itemgetter("policy_id"),
    "of": lambda row: second(row["at"]),
    "tries": itemgetter("attempts"),
    "because": itemgetter("last_error"),
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(webhooks, name="webhooks")


@webhooks.command(epilog=examples("registry webhooks dead", "registry webhooks dead --limit 20 --json"))
def dead(*, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False) -> None:
    """List what was tried for a day, or led to an endpoint that is no more; the newest first."""
    from registry.queries.webhooks import deliveries  # noqa: PLC0415 - imported when it runs
    from registry.store.front_tables import WebhookState  # noqa: PLC0415 - as above
    from registry.store.session import unit_of_work  # noqa: PLC0415 - as above

    with sentences(), open_database() as database, unit_of_work(database) as session:
        rows = deliveries(session, endpoint_id=None, state=WebhookState.DEAD, limit=limit)["items"]
    print_waiting(rows, _COLUMNS, as_json=as_json, none="nothing is dead")


@webhooks.command(
    epilog=examples(
        "registry webhooks resend 6d0a2c1e-0f4b-4a6f-8f53-3e4f0f0f7a51",
        "registry webhooks resend 0b9d1b6e-6c0f-4f6c-9a53-3e4f0f0f7a51 --json",
    )
)
def resend(name: Named, *, as_json: AsJson = False) -> None:
    """Send one delivery again, or what is dead of an endpoint, the oldest 1000; its receiver knows each by its id."""
    from registry.services.webhook_endpoints import resend_dead  # noqa: PLC0415 - imported when it runs

    with sentences():
        try:
            named = UUID(name)
        except ValueError:
            raise BadUse(field="ID", reason="it is no UUID") from None
        with open_database() as database:
            resent = resend_dead(database, named, now=now_of(database))
    if as_json:
        print_json({"resent": resent})
    else:
        typer.echo(f"{resent} on the way again")
