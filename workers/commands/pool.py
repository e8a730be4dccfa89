"""`registry pool show`: what the pool holds, what is locked and what can still be sold. Reads the database alone."""

from collections.abc import Mapping
from typing import Any

import typer

from workers.commands.environment import open_runtime
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.paper import coins, per_cent, print_facts, print_heading, print_table

pool = group(summary="The pool, counterparty of every policy, as its events up to the newest applied block make it.")


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(pool, name="pool")


@pool.callback()
def _pool() -> None:
    """Keep `show` a command of its own: a group of one would be taken for it."""


@pool.command(epilog=examples("registry pool show", "registry pool show --json"))
def show(*, as_json: AsJson = False) -> None:
    """Show assets, locks and premiums yet to be earned of each token; share, holds and what is free of each tier.

    What is free is what one more policy may lock; `bound` says what it runs into first.
    """
    from registry.queries.pool import get_state  # noqa: PLC0415 - imported when it runs

    with sentences(), open_runtime() as runtime:
        state = get_state(runtime.database, {}, limits=runtime.limits)
    if as_json:
        print_json(state)
        return
    print_facts({"height": state["height"], "parameters": state["parameters_id"]})
    for token, told in state["tokens"].items():
        _print_token(token, told)


def _print_token(token: str, told: Mapping[str, Any]) -> None:
    print_heading(token)
    facts = {name: coins(told[f"{name}_base_units"], token) for name in ("assets", "locked", "reserved", "free")}
    unearned = f"{coins(told['unearned_base_units'], token)}, until height {told['earned_until_height']}"
    print_facts({**facts, "unearned": unearned, "utilisation": per_cent(told["utilisation_ppm"])}, indent="  ")
    typer.echo()
    headings = ("tier", "share", "usable", "locked", "reserved", "free", "bound", "utilisation")
    rows = [
        (
            tier,
            per_cent(use["share_ppm"]),
            *(coins(use[f"{name}_base_units"], token) for name in ("usable", "locked", "reserved", "free")),
            use["bound"],
            per_cent(use["utilisation_ppm"]),
        )
        for tier, use in told["tiers"].items()
    ]
    print_table(headings, rows, indent="  ")
