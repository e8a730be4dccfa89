"""`registry reconcile`: the whole of Postgres beside the contracts at one block, and what differs mended."""

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from workers.commands.environment import open_runtime
from workers.commands.frame import FAILED, AsJson, examples, print_json, sentences
from workers.commands.paper import print_table
from workers.commands.progress import Progress

DEFAULT_PAGE = 100
MOST = 1_000


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(
        epilog=examples("registry reconcile --dry-run", "registry reconcile", "registry reconcile --page 500 --json")
    )(reconcile)


def reconcile(
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what differs, and change nothing.")] = False,
    page: Annotated[int, typer.Option(min=1, max=MOST, help="How many policies are read at once.")] = DEFAULT_PAGE,
    as_json: AsJson = False,
) -> None:
    """Compare every policy, the pool's book and coins, what tiers hold, and our nonces with the chain.

    What the chain decides is mended, by edges and by following blocks again, never by writing a status. The exit status
    is 0 if both sides agree now, 1 if something differs still: each line says what to do.
    """
    with sentences(), _log_on_stderr(), Progress() as progress:
        told = _run(progress, is_dry=dry_run, size=page)
    if as_json:
        print_json(told)
    else:
        _print(told)
    if not told["ok"]:
        raise typer.Exit(FAILED)


@contextmanager
def _log_on_stderr() -> Iterator[None]:
    """Keep what the services log off stdout: that is the command's own."""
    import structlog  # noqa: PLC0415 - imported when it runs

    before = structlog.get_config()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(file=sys.stderr))
    try:
        yield
    finally:
        structlog.configure(**before)


def _run(progress: Progress, *, is_dry: bool, size: int) -> dict[str, Any]:
    from registry.domain.errors import NoBlockYet  # noqa: PLC0415 - imported when it runs
    from registry.services import reconciliation  # noqa: PLC0415 - as above
    from workers.repairs import next_page  # noqa: PLC0415 - as above

    with open_runtime(progress=progress) as own:
        progress.phase("the newest confirmed block is looked up")
        run_id = reconciliation.begin(own.database, depths=own.settings.depths, is_dry=is_dry, now=own.now())
        if run_id is None:
            raise NoBlockYet
        while (run := reconciliation.state(own.database, run_id)).finished_at is None:
            progress.phase(f"policies after {run.cursor} are compared")
            next_page(own, run, size=size, tell=progress.phase)
    drift = [each for each in run.findings if each["is_drift"]]
    return {
        "ok": all(each["repaired"] for each in drift),
        "is_dry": run.is_dry,
        "block": run.block,
        "height": run.height,
        "compared": run.compared,
        "findings": run.findings,
    }


def _print(told: Mapping[str, Any]) -> None:
    if told["findings"]:
        rows = [_cells(each) for each in told["findings"]]
        print_table(("what", "of", "here", "on chain", "done"), rows)
        for each in told["findings"]:
            if each["next"] is not None:
                typer.echo(f"\n{each['kind']} of {each['subject']}: {each['next']}")
        typer.echo()
    outcome = "agree" if told["ok"] else "differ"
    typer.echo(f"Postgres and the chain {outcome}: {told['compared']} ids compared at height {told['height']}")


def _cells(finding: Mapping[str, Any]) -> tuple[object, ...]:
    done = finding["repair"] if finding["repaired"] else None
    return finding["kind"], finding["subject"], _figures(finding["ours"]), _figures(finding["chain"]), done


def _figures(told: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in told.items())
