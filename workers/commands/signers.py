"""`registry signers`: the keys that we send with, and an operator's orders to stop and to go on."""

from operator import itemgetter
from typing import TYPE_CHECKING, Annotated

import typer

from registry.domain.units import Token
from workers.commands.environment import now_of, open_database, open_runtime
from workers.commands.frame import AsJson, examples, group, print_json, sentences
from workers.commands.orders import By, Columns, Reason, operator, print_waiting
from workers.commands.paper import coins, second

if TYPE_CHECKING:
    from registry.domain.units import MicroStx, Principal
    from workers.runtime import Runtime

signers = group(
    summary="The keys that we send transactions with: their nonces, their money, and whether they are paused."
)

Signer = Annotated[str, typer.Argument(metavar="SIGNER", help="Its address, as `registry signers list` shows it.")]

_COLUMNS: Columns = {
    "signer": itemgetter("signer"),
    "next nonce": itemgetter("next_nonce"),
    "under way": lambda row: f"{row['under_way']} of {row['window']}",
    "balance": lambda row: coins(row["balance_micro_stx"], Token.STX),
    "paused since": lambda row: None if row["paused_at"] is None else second(row["paused_at"]),
    "reason": itemgetter("pause_reason"),
}


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(signers, name="signers")


@signers.command(name="list", epilog=examples("registry signers list", "registry signers list --json"))
def list_signers(*, as_json: AsJson = False) -> None:
    """List each key that has signed: next nonce, how many may still take effect, money, and why it is paused."""
    from registry.services.signers import listed  # noqa: PLC0415 - imported when it runs

    with sentences(), open_runtime() as runtime:
        rows = listed(
            runtime.database,
            window=runtime.settings.nonce_window,
            balance_of=lambda principal: _balance(runtime, principal),
        )
    print_waiting(rows, _COLUMNS, as_json=as_json, none="nothing has been signed yet")


def _balance(runtime: "Runtime", principal: "Principal") -> "MicroStx | None":
    """What the node says; an order to stop must not wait for one that is down."""
    from registry.domain.errors import Unavailable  # noqa: PLC0415 - imported when it runs

    try:
        return runtime.node.account(principal).balance
    except Unavailable as error:
        typer.echo(f"the balance of {principal} is not known: {error}", err=True)
        return None


@signers.command(
    epilog=examples(
        'registry signers pause ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB --reason "the key may have leaked"'
    )
)
def pause(signer: Signer, *, reason: Reason, by: By = None, as_json: AsJson = False) -> None:
    """Sign and send nothing more with a key; what was sent before may still be mined."""
    from registry.services.signers import pause as stop  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        stop(database, signer, reason=reason, actor=operator(by), now=now_of(database))
    if as_json:
        print_json({"paused": signer, "reason": reason})
    else:
        typer.echo(f"{signer} signs and sends nothing more")


@signers.command(
    epilog=examples(
        'registry signers resume ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB --reason "the network is set right"'
    )
)
def resume(signer: Signer, *, reason: Reason, by: By = None, as_json: AsJson = False) -> None:
    """Go on with a key; what was signed before and not sent is sent as it is."""
    from registry.services.signers import resume as go_on  # noqa: PLC0415 - imported when it runs

    with sentences(), open_database() as database:
        paused_for = go_on(database, signer, reason=reason, actor=operator(by), now=now_of(database))
    if as_json:
        print_json({"resumed": signer, "paused_for": paused_for})
    else:
        typer.echo(f"{signer} goes on; it was paused for: {paused_for}")
