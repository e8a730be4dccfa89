"""`registry doctor`: everything that the registry stands on, a line each with what to do."""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import typer

from workers.commands.frame import FAILED, AsJson, examples, print_json
from workers.commands.paper import print_heading
from workers.commands.progress import Progress

if TYPE_CHECKING:
    from workers.commands.checks.check import Check, Checks
    from workers.runtime import Runtime

_COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("registry doctor", "registry doctor --json | python -m json.tool"))(doctor)


def doctor(*, as_json: AsJson = False) -> None:
    """Look at every dependency, the chain, the contracts, the keys, the venues and our own processes.

    Each line says what was found and what to do. Ends with 1 if there is a problem; a warning does no harm yet.
    Nothing is changed, and no secret is shown. Beat is listened to for as long as its next message may take.
    """
    from workers.commands.checks.check import Verdict  # noqa: PLC0415 - imported when it runs

    with Progress() as progress:
        found = list(_examine(progress))
    sound = not any(each.verdict is Verdict.PROBLEM for _, each in found)
    if as_json:
        print_json({"ok": sound, "checks": [{"part": part, **each.to_json()} for part, each in found]})
    else:
        _print(found)
    if not sound:
        raise typer.Exit(FAILED)


def _examine(progress: Progress) -> "Iterator[tuple[str, Check]]":
    """Look at one part after another; without settings there is nothing more to look at."""
    from workers.commands.checks import environment, software  # noqa: PLC0415 - imported when it runs
    from workers.commands.checks.check import held  # noqa: PLC0415 - as above
    from workers.runtime import Runtime  # noqa: PLC0415 - as above

    yield from (("software", each) for each in software.look())
    settings, read = environment.read(os.environ)
    yield from (("settings", each) for each in read)
    if settings is None:
        return
    runtime = Runtime(settings=settings)
    try:
        for part, look in _parts(runtime):
            progress.phase(f"looking at the {part}")
            yield from ((part, each) for each in held(part, look))
    finally:
        runtime.database.close()
        runtime.node.close()


def _parts(runtime: "Runtime") -> "Iterator[tuple[str, Callable[[], Checks]]]":
    from workers.commands.checks import (  # noqa: PLC0415 - above
        broker,
        chain,
        database,
        environment,
        processes,
        pushes,
        venues,
    )

    fleet = processes.Fleet(settings=runtime.settings)
    yield "settings", lambda: environment.look(runtime)
    yield "database", lambda: database.look(runtime)
    yield "broker", lambda: broker.look(runtime.settings)
    yield "broker", fleet.begin
    yield "chain", lambda: chain.look(runtime)
    yield "venues", lambda: venues.look(runtime)
    yield "pushes", lambda: pushes.look(runtime)
    yield "workers", fleet.look


def _print(found: "list[tuple[str, Check]]") -> None:
    """Print a line a check, under the name of its part; what is to be done stands below it."""
    width = max(len(each.name) for _, each in found)
    part = None
    for name, each in found:
        if name != part:
            print_heading(name)
            part = name
        colour = _COLOURS[each.verdict] if sys.stdout.isatty() else None
        typer.echo(f"  {typer.style(f'{each.verdict:<7}', fg=colour)}  {each.name:<{width}}  {each.found}")
        if each.do:
            typer.echo(f"  {'':<7}  {'':<{width}}  → {each.do}")
    counts = Counter(each.verdict.value for _, each in found)
    typer.echo("\n" + ", ".join(f"{counts[name]} {name}" for name in ("ok", "warning", "problem")))
