"""`registry policies`: which there are, and the whole of one with its timeline. Reads the database alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from workers.commands.environment import open_database, read_settings
from workers.commands.frame import AsJson, BadUse, examples, group, print_json, sentences
from workers.commands.paper import bitcoins, coins, dollars, print_facts, print_heading, print_table, second

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from registry.store.tables import PolicyRow

DEFAULT_LIMIT = 50
MOST = 500

policies = group(summary="Which policies there are, and the whole of one with its timeline.")


class NoSuchPolicy(BadUse):
    """No policy of ours goes by this name."""

    code = "no_such_policy"
    sentence = "there is no policy {policy}"
    remedy = "run `registry policies list`; a policy goes by its UUID or by the chain's number"


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(policies, name="policies")


@policies.command(
    name="list",
    epilog=examples(
        "registry policies list",
        "registry policies list --status FailedSettlement --json",
        "registry policies list --owner ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM --tier Balanced --limit 10",
    ),
)
def list_policies(
    *,
    owner: Annotated[str | None, typer.Option(help="Only those of this principal.")] = None,
    status: Annotated[PolicyStatus | None, typer.Option(help="Only those of this status.")] = None,
    tier: Annotated[RiskTier | None, typer.Option(help="Only those of this tier.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MOST, help="How many at most.")] = DEFAULT_LIMIT,
    after: Annotated[str | None, typer.Option(help="The `next` of the page before.")] = None,
    as_json: AsJson = False,
) -> None:
    """List policies, newest first, a page at a time."""
    from registry.queries.listing import newest  # noqa: PLC0415 - imported when it runs
    from registry.store.session import unit_of_work  # noqa: PLC0415 - as above

    with sentences(), open_database() as database, unit_of_work(database) as session:
        page = newest(session, owner=owner, status=status, tier=tier, limit=limit, after=after)
    if as_json:
        print_json(page)
        return
    headings = ("id", "on chain", "status", "tier", "strike USD", "BTC", "premium", "payout", "expires at", "owner")
    print_table(headings, [_cells(each) for each in page["items"]])
    if page["next"] is not None:
        typer.echo(f"\nmore: --after {page['next']}")


@policies.command(
    epilog=examples(
        "registry policies show 0b9d1b6e-6c0f-4f6c-9a53-3e4f0f0f7a51",
        "registry policies show 7 --json",
    )
)
def show(
    policy: Annotated[str, typer.Argument(metavar="POLICY", help="Its UUID, or its number on the chain.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show a policy whole: fields, quote, settlement, transactions with their attempts, and its timeline.

    The timeline has a line for each edge that the policy walked; the letters are those of docs/architecture.md.
    """
    from registry.queries.timeline import whole  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database, found_policy(database, policy) as (session, row):
        told = whole(session, row, depths=read_settings().depths)
    if as_json:
        print_json(told)
    else:
        _print_whole(told)


@contextmanager
def found_policy(database: Any, name: str) -> Iterator[tuple["Session", "PolicyRow"]]:  # noqa: ANN401 - imported late
    """Open a session with the policy of this name; NoSuchPolicy if there is none."""
    from registry.queries.timeline import find  # noqa: PLC0415 - imported when it runs
    from registry.store.session import unit_of_work  # noqa: PLC0415 - as above

    with unit_of_work(database) as session:
        row = find(session, name)
        if row is None:
            raise NoSuchPolicy(policy=name)
        yield session, row


def _cells(each: dict[str, Any]) -> tuple[object, ...]:
    token = each["premium_token"]
    return (
        each["id"],
        each["policy_id_on_chain"],
        each["status_detailed"],
        each["risk_tier"],
        dollars(each["protected_value_price_feed_units"]),
        bitcoins(each["protected_amount_sats"]),
        coins(each["premium_amount_base_units"], token),
        coins(each["settlement_amount_base_units"], each["settlement_token"]),
        each["expiration_height"],
        each["owner_principal"],
    )


def _print_whole(told: dict[str, Any]) -> None:
    print_facts({name: value for name, value in told["policy"].items() if not isinstance(value, dict)})
    for name, each in told["chain"].items():
        if each is not None:
            print_heading(f"{name} on chain")
            print_facts(each, indent="  ")
    for name in ("quote", "collateral", "settlement"):
        if told[name] is not None:
            print_heading(name)
            print_facts({key: each for key, each in told[name].items() if not isinstance(each, dict)}, indent="  ")
    if told["requests"]:
        print_heading("activation requests")
        _print_rows(told["requests"], ("requested_at", "requested_height", "state", "min_payout_base_units", "refusal"))
    for each in told["transactions"]:
        print_heading(f"transaction {each['id']}")
        print_facts({key: value for key, value in each.items() if key not in {"id", "attempts"}}, indent="  ")
        _print_rows(each["attempts"], ("tx_id", "fee_micro_stx", "accepted_at", "refusal"))
    print_heading("timeline")
    _print_rows(told["timeline"], ("at", "edge", "from", "to", "cause", "actor", "height", "tx_id"))


def _print_rows(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    headings = tuple(name.removesuffix("_at") if name != "at" else name for name in names)
    print_table(headings, [[_short(name, row[name]) for name in names] for row in rows], indent="  ")


def _short(name: str, value: object) -> object:
    """Times to the second; of a refusal its code."""
    if isinstance(value, dict):
        return value.get("code")
    return second(value) if isinstance(value, str) and name.endswith("at") else value
