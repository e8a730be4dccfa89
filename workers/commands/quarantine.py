"""`registry quarantine`: purchases that no quote of ours explains, and an operator's decision to stand by one."""

from operator import itemgetter
from typing import Annotated

import typer

from registry.domain.tier import RiskTier
from workers.commands.environment import open_database, open_runtime
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.orders import DEFAULT_LIMIT, By, Columns, Limit, Policy, Reason, operator, print_waiting
from workers.commands.paper import coins, second
from workers.commands.policies import found_policy

quarantine = group(summary="Purchases in our pool that no quote of ours explains: nothing is paid on them.")

_COLUMNS: Columns = {
    "id": itemgetter("id"),
    "on chain": itemgetter("policy_id_on_chain"),
    "cause": itemgetter("cause"),
    "premium": lambda row: coins(row["premium_amount_base_units"], row["premium_token"]),
    "expires at": itemgetter("expiration_height"),
    "since": lambda row: second(row["at"]),
    "owner": itemgetter("owner_principal"),
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(quarantine, name="quarantine")


@quarantine.command(name="list", epilog=examples("registry quarantine list", "registry quarantine list --json"))
def list_quarantined(*, limit: Limit = DEFAULT_LIMIT, as_json: AsJson = False) -> None:
    """List what is in quarantine and why; what runs out first comes first."""
    from registry.services.quarantine import waiting  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        rows = waiting(database, limit=limit)
    print_waiting(rows, _COLUMNS, as_json=as_json, none="nothing is in quarantine")


@quarantine.command(
    epilog=examples(
        'registry quarantine release 7 --tier Balanced --reason "sold before the database was restored"',
        'registry quarantine release 7 --tier Balanced --reason "signed by hand" --by alice --json',
    )
)
def release(
    policy: Policy,
    *,
    tier: Annotated[RiskTier, typer.Option(help="Which tier it counts towards from now on.")],
    reason: Reason,
    by: By = None,
    as_json: AsJson = False,
) -> None:
    """Stand by a purchase in quarantine (edge o): from now on it is a policy like any other, and may be paid."""
    from registry.services.quarantine import release as stand_by  # noqa: PLC0415 - imported when it runs

    with sentences(), open_runtime() as runtime:
        with found_policy(runtime.database, policy) as (_, row):
            policy_id = row.id
        stand_by(
            runtime.database,
            runtime.contracts,
            policy_id,
            tier=tier,
            reason=reason,
            actor=operator(by),
            now=runtime.now(),
        )
    if as_json:
        print_json({"released": str(policy_id), "tier": tier.value})
    else:
        typer.echo(f"policy {policy_id} is Active, in the {tier} tier")
