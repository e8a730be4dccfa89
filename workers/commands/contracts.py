"""`registry contracts`: deploy our contracts, name who may do what, and see how they stand."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workers.commands.environment import open_runtime
from workers.commands.frame import AsJson, confirm, examples, group, print_json, sentences
from workers.commands.paper import coins, print_facts, print_heading, print_table
from workers.commands.progress import Progress

if TYPE_CHECKING:
    from workers.deployment.order import Prepared

MINUTES = 60.0
MOST_STX = 10

contracts = group(summary="Our contracts on the chain that the settings name.")

Holder = Annotated[
    str | None, typer.Option(metavar="ADDRESS|KEYFILE", help="An address, or the key file whose address it is.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(contracts, name="contracts")


@contracts.command(epilog=examples("registry contracts show", "registry contracts show --json"))
def show(*, as_json: AsJson = False) -> None:
    """Show how the contracts stand: deployed or not, whether their source is ours, who may do what, the pool."""
    from workers.deployment.standing import standing  # noqa: PLC0415 - imported when it runs

    with sentences(), Progress() as progress, open_runtime(progress=progress) as runtime:
        progress.phase("the contracts are read")
        told = standing(runtime.contracts, node=runtime.node, read_source=runtime.node.contract_source)
    if as_json:
        print_json(told)
    else:
        _print_standing(told)


@contracts.command(
    epilog=examples(
        "registry contracts deploy --admin-key-file admin.key --treasury ST1PQHQKV0RJXZFY1DGX8MNSNYVE3VGZJSRTPGZGM",
        "registry contracts deploy --admin-key-file admin.key --treasury treasury.key --with-test-sbtc --yes --json",
    )
)
def deploy(
    *,
    admin_key_file: Annotated[Path, typer.Option(help="The key of the deployer, admin for ever; it is read once.")],
    backend: Holder = None,
    quote_signer: Holder = None,
    treasury: Holder = None,
    with_test_sbtc: Annotated[
        bool, typer.Option("--with-test-sbtc", help="Deploy the stand-in for sBTC too; never on mainnet.")
    ] = False,
    max_fees: Annotated[int, typer.Option(min=0, help="Whole STX that all fees together may come to.")] = MOST_STX,
    minutes: Annotated[float, typer.Option(min=0.0, help="How long each block is waited for.")] = MINUTES,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Deploy the contracts, name backend, quote signer and treasury, and wait until all of it is confirmed.

    Running it again does only what is missing; other code at our ids is an error. Backend and quote signer are those
    of REGISTRY_BACKEND_KEY_FILE and REGISTRY_QUOTE_KEY_FILE unless they are named. The key is neither kept nor shown.
    """
    from workers.deployment.duties import Duty  # noqa: PLC0415 - imported when it runs
    from workers.deployment.order import Order, prepare  # noqa: PLC0415 - as above
    from workers.deployment.sender import Patience  # noqa: PLC0415 - as above

    order = Order(
        admin_key_file=admin_key_file,
        named={Duty.BACKEND: backend, Duty.QUOTE_SIGNER: quote_signer, Duty.TREASURY: treasury},
        with_test_sbtc=with_test_sbtc,
        most_stx=max_fees,
    )
    with sentences(), Progress() as progress, open_runtime(progress=progress) as runtime:
        patience = Patience(minutes=minutes, tell=progress.phase)
        prepared = prepare(
            order, settings=runtime.settings, contracts=runtime.contracts, node=runtime.node, patience=patience
        )
        progress.hush()
        if prepared.plan.missing:
            confirm(_question(prepared), yes=yes)
        prepared.carry_out(depths=runtime.settings.depths)
    _print_deployed(prepared, as_json=as_json)


def _question(prepared: "Prepared") -> str:
    """What is about to be sent, and what it costs."""
    plan = prepared.plan
    lines = [f"  {step.what}, for {coins(prepared.fees[step.name], 'STX')}" for step in plan.missing]
    return "\n".join([f"{plan.deployer} is about to", *lines, "Go on?"])


def _print_deployed(prepared: "Prepared", *, as_json: bool) -> None:
    plan, ours = prepared.plan, prepared.plan.contracts
    stands = {
        "registry": ours.registry,
        "pool": ours.pool,
        "sbtc": ours.sbtc,
        "admin": plan.deployer,
        **{duty.value.replace(" ", "_"): name for duty, name in plan.duties.items()},
    }
    done = [{"what": each.what, "tx_id": prepared.sender.sent[each.name]} for each in plan.missing]
    if as_json:
        print_json({**stands, "done": done, "fees_micro_stx": sum(prepared.fees.values())})
        return
    print_facts({name.replace("_", " "): each for name, each in stands.items()})
    typer.echo()
    if done:
        print_table(("done", "transaction"), [(each["what"], each["tx_id"]) for each in done])
    else:
        typer.echo("nothing was missing")


def _print_standing(told: dict[str, Any]) -> None:
    names = ("network", "height", "admin", "backend", "quote_signer", "treasury")
    print_facts({name.replace("_", " "): told[name] for name in names})
    print_heading("contracts")
    rows = [(each["contract"], each["deployed"], each["is_ours"], each["sha256"]) for each in told["contracts"]]
    print_table(("contract", "deployed", "ours", "sha256 of its source"), rows, indent="  ")
    print_heading("pool")
    figures = ("assets", "locked", "free", "unearned")
    pools = [
        (token, *(coins(pool[f"{name}_base_units"], token) for name in figures))
        for token, pool in told["pool"].items()
        if pool is not None
    ]
    print_table(("token", *figures), pools, indent="  ")
