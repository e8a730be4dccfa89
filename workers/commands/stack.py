"""`registry demo`, `up` and `reset`: the whole stack on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from workers.commands.frame import AsJson, confirm, examples, print_json, sentences

SLOWEST = 3600

Anew = Annotated[Path | None, typer.Option(help="Where its data and logs go, made anew. Default: .registry/demo")]
Lasting = Annotated[Path | None, typer.Option(help="Where the stack keeps its data and logs. Default: .registry/up")]
BlockSeconds = Annotated[
    int | None, typer.Option(min=1, max=SLOWEST, help="Seconds between two blocks. Default: a few; `demo` has one.")
]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("registry demo", "registry demo --json | python -m json.tool"))(demo)
    app.command(epilog=examples("registry up", "registry up --json > stack.json", "registry up --block-seconds 60"))(up)
    app.command(epilog=examples("registry reset", "registry reset --directory /srv/registry --yes --json"))(reset)


def demo(*, as_json: AsJson = False, directory: Anew = None) -> None:
    """Take policies through their lives on a chain's real VM, then audit the result.

    Starts PostgreSQL, Valkey, a devnet, the workers, beat, the front door and Flower, and stops all of them again.
    Ends with 1 if a policy does not end as it should or a check of the audit fails. Variables named REGISTRY_… are
    ignored.
    """
    from workers.demo.run import run  # noqa: PLC0415 - a command imports what it needs when it runs

    with sentences():
        raise typer.Exit(run(directory=directory, as_json=as_json))


def up(*, as_json: AsJson = False, directory: Lasting = None, block_seconds: BlockSeconds = None) -> None:
    """Run the same stack until Ctrl-C, with contracts deployed and both pools filled, for services to use.

    Prints every URL, and the environment that a service needs. What it held, the chain too, is there again at the
    next start; `registry reset` removes it.
    """
    from workers.demo.up import BLOCK_SECONDS, run  # noqa: PLC0415 - as above

    with sentences():
        run(directory=directory, as_json=as_json, block_seconds=block_seconds or BLOCK_SECONDS)


def reset(
    *,
    directory: Lasting = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Remove what `registry up` keeps: database, chain, keys and logs, all of it for good.

    Refuses while the stack runs there. The next `registry up` begins anew, with new keys and contracts.
    """
    from workers.demo.up import reset as remove  # noqa: PLC0415 - as above

    with sentences():
        confirm("Remove the stack's database, chain and keys for good?", yes=yes)
        removed = [str(path) for path in remove(directory)]
    if as_json:
        print_json({"removed": removed})
        return
    for path in removed:
        typer.echo(f"removed {path}")
    if not removed:
        typer.echo("there was nothing to remove")
