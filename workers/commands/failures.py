"""`registry failures`: what will not go on by itself, and an operator's orders to try again or to leave it."""

from operator import itemgetter
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from workers.commands.environment import now_of, open_database, read_settings
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.orders import DEFAULT_LIMIT, By, Columns, Limit, Reason, operator, print_waiting
from workers.commands.paper import second
from workers.commands.policies import found_policy

if TYPE_CHECKING:
    from registry.store.session import Database

failures = group(summary="Policies that were refused for good, and messages that ended their workers.")

Failed = Annotated[
    str, typer.Argument(metavar="ID", help="A policy's UUID, its number on the chain, or the failure's own id.")
]

_COLUMNS: Columns = {
    "failure": itemgetter("failure"),
    "policy": itemgetter("id"),
    "on chain": itemgetter("policy_id_on_chain"),
    "status": lambda row: row["task"] or row["status_detailed"],
    "code": itemgetter("code"),
    "meaning": lambda row: row["meaning"] or row["cause"],
    "since": lambda row: second(row["at"]),
    "closed": itemgetter("resolution"),
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(failures, name="failures")


@failures.command(name="list", epilog=examples("registry failures list", "registry failures list --all --json"))
def list_failures(
    *,
    limit: Limit = DEFAULT_LIMIT,
    closed: Annotated[bool, typer.Option("--all", help="Also those that were decided.")] = False,
    as_json: AsJson = False,
) -> None:
    """List what has failed and what was answered, the oldest first; `status` of a message is its task."""
    from registry.services.failures import waiting  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        rows = waiting(database, limit=limit, closed=closed)
    print_waiting(rows, _COLUMNS, as_json=as_json, none="nothing has failed")


@failures.command(
    epilog=examples(
        'registry failures retry 7 --reason "the backend principal is set again"',
        'registry failures retry 0b9d1b6e-6c0f-4f6c-9a53-3e4f0f0f7a51 --reason "funded" --by alice --json',
    )
)
def retry(name: Failed, *, reason: Reason, by: By = None, as_json: AsJson = False) -> None:
    """Set a failed policy on its way again (edges h and m), paying what was pinned; or send a message once more."""
    from registry.services.failures import policy_of  # noqa: PLC0415 - imported when it runs
    from registry.services.failures import retry as try_again  # noqa: PLC0415 - as above

    with sentences(), open_database() as database:
        failure = _own(database, name)
        message = None if failure is None else _send_again(database, failure, reason=reason, by=by)
        if message is None:
            named = name if failure is None else str(policy_of(database, failure))
            with found_policy(database, named) as (_, row):
                about, failed = row.id, row.status_detailed
            try_again(database, about, reason=reason, actor=operator(by), now=now_of(database))
        else:
            about, failed = message
    if as_json:
        print_json({"retried": str(about), "failed": failed})
    else:
        typer.echo(f"{'policy' if message is None else 'message'} {about} was {failed} and is on its way again")


@failures.command(
    epilog=examples(
        'registry failures abandon 7 --reason "the owner was paid by hand"',
        'registry failures abandon 6d0a2c1e-0f4b-4a6f-8f53-3e4f0f0f7a51 --reason "of a release that is gone" --json',
    )
)
def abandon(name: Failed, *, reason: Reason, by: By = None, as_json: AsJson = False) -> None:
    """Leave a failure as it is: nothing is tried by itself any more. What the chain does is followed all the same."""
    from registry.services.failures import abandon as leave  # noqa: PLC0415 - imported when it runs
    from registry.services.failures import failure_of  # noqa: PLC0415 - as above

    with sentences(), open_database() as database:
        failure = _own(database, name)
        if failure is None:
            with found_policy(database, name) as (_, row):
                policy_id = row.id
            failure = failure_of(database, policy_id)
        leave(database, failure, reason=reason, actor=operator(by), now=now_of(database))
    if as_json:
        print_json({"abandoned": str(failure), "reason": reason})
    else:
        typer.echo(f"failure {failure} is left as it is")


def _own(database: "Database", name: str) -> UUID | None:
    """The failure that goes by this name; None if it is a policy's."""
    from registry.services.failures import is_failure  # noqa: PLC0415 - imported when it runs

    return UUID(name) if is_failure(database, name) else None


def _send_again(database: "Database", failure: UUID, *, reason: str, by: str | None) -> tuple[UUID, str] | None:
    """Send a given-up message, then note the order: a message that was sent twice is harmless, a lost one is not."""
    from registry.services.failures import close_message, message_of  # noqa: PLC0415 - imported when it runs
    from registry.store.tables import Resolution  # noqa: PLC0415 - as above

    message: tuple[str, dict[str, Any]] | None = message_of(database, failure)
    if message is None:
        return None
    from workers.resending import resend  # noqa: PLC0415 - as above

    task, arguments = message
    resend(read_settings().broker_url.get_secret_value(), task=task, arguments=arguments)
    now = now_of(database)
    close_message(database, failure, resolution=Resolution.RETRIED, reason=reason, actor=operator(by), now=now)
    return failure, task
