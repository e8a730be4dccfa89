"""`registry failures`: policies whose own transaction was refused for good, and an operator's order to try again."""

from datetime import UTC, datetime
from operator import itemgetter

import typer

from workers.commands.environment import open_database
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.orders import DEFAULT_LIMIT, By, Columns, Limit, Policy, Reason, operator, print_waiting
from workers.commands.paper import second
from workers.commands.policies import found_policy

failures = group(summary="Policies whose settlement or expiration the contracts refused.")

_COLUMNS: Columns = {
    "id": itemgetter("id"),
    "on chain": itemgetter("policy_id_on_chain"),
    "status": itemgetter("status_detailed"),
    "code": itemgetter("code"),
    "meaning": itemgetter("meaning"),
    "since": lambda row: second(row["at"]),
    "owner": itemgetter("owner_principal"),
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(failures, name="failures")


@failures.command(name="list", epilog=examples("registry failures list", "registry failures list --json"))
def list_failures(*, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False) -> None:
    """List what has failed, with what the contract answered; settlements, which are owed, come first."""
    from registry.services.failures import waiting  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        rows = waiting(database, limit=limit)
    print_waiting(rows, _COLUMNS, as_json=as_json, none="nothing has failed")


@failures.command(
    epilog=examples(
        'registry failures retry 7 --reason "the backend principal is set again"',
        'registry failures retry 0b9d1b6e-6c0f-4f6c-9a53-3e4f0f0f7a51 --reason "funded" --by alice --json',
    )
)
def retry(policy: Policy, *, reason: Reason, by: By = None, as_json: AsJson = False) -> None:
    """Set a failed policy on its way again (edges h and m); what is paid is what was pinned."""
    from registry.services.failures import retry as try_again  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        with found_policy(database, policy) as (_, row):
            policy_id, failed = row.id, row.status_detailed
        try_again(database, policy_id, reason=reason, actor=operator(by), now=datetime.now(UTC))
    if as_json:
        print_json({"retried": str(policy_id), "failed": failed})
    else:
        typer.echo(f"policy {policy_id} was {failed} and is on its way again")
