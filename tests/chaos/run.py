"""A run of chaos: the stack, the story, the audit, the line."""

import contextlib
import itertools
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from registry_client.http import PolicyRegistry
from registry_client.transport import Patience
from tests.chaos.conductor import Conductor
from tests.chaos.harm import Harm
from tests.chaos.journal import Scribe
from tests.chaos.order import Order
from tests.chaos.owners import Counter, Owner
from tests.chaos.schedule import plan
from tests.chaos.story import Story
from tests.chaos.watch import Watch
from tests.chaos.world import World, world
from workers.audit.audit import judge, read_facts
from workers.audit.toll import Toll, take
from workers.embedded.supervisor import AlreadyRunning, Supervisor
from workers.local import CHECKOUT

STATE = CHECKOUT / ".registry"
FAILED = 1
PATIENCE = Patience(trying_seconds=12.0)
AT_ONCE = 10
PROGRESS_SECONDS = 2.0


def run(order: Order, *, report: Path | None) -> int:
    """Make a run, print its line, write its report; 1 if anything was lost, doubled, stuck or adrift."""
    begun = time.monotonic()

    def tell(what: str) -> None:
        sys.stderr.write(f"{time.monotonic() - begun:6.1f} s  {what}\n")

    with contextlib.ExitStack() as held:
        supervisor = _first_free(held)
        logs = supervisor.directory / "logs"
        _empty(logs)
        tell(f"seed {order.seed}: {order.policies} policies, {order.seconds:g} s of faults; logs are in {logs}")
        scribe = Scribe(path=logs / "journal.jsonl")
        own = held.enter_context(world(supervisor, order))
        tell("the stack stands")
        story = _tell(order, own, supervisor, scribe, tell=tell)
        _note_points(own, scribe, tell=tell)
        tell("the audit")
        toll = _audit(own, scribe)
    told = _report(order, story, toll, seconds=time.monotonic() - begun)
    if report is not None:
        report.write_text(told)
    sys.stdout.write(f"{toll.line}\n")
    if toll.is_paid:
        return 0
    _keep(logs, told, seed=order.seed, toll=toll)
    return FAILED


def _tell(order: Order, own: World, supervisor: Supervisor, scribe: Scribe, *, tell: Callable[[str], None]) -> Story:
    over, repeated = threading.Event(), Counter()
    turnstile = threading.Semaphore(AT_ONCE)
    with contextlib.ExitStack() as held:
        watch = held.enter_context(Watch(url=own.database_url))
        pool = held.enter_context(ThreadPoolExecutor(max_workers=len(own.owners)))
        # last in, so that threads are told before they are waited for
        held.callback(over.set)
        owners = [
            Owner(
                world=own,
                wallet=wallet,
                front=held.enter_context(PolicyRegistry(own.stack.api_url, patience=PATIENCE)),
                watch=watch,
                scribe=scribe,
                over=over,
                repeated=repeated,
                turnstile=turnstile,
            )
            for wallet in own.owners
        ]
        conductor = Conductor(
            harm=Harm(world=own, seed=order.seed),
            scribe=scribe,
            supervisor=supervisor,
            faults=plan(seed=order.seed, seconds=order.most_seconds, gap=order.gap),
            tell=tell,
            progress=_progress(watch, scribe),
        )
        story = Story(order=order, own=own, owners=owners, watch=watch, conductor=conductor, pool=pool)
        story.live()
        tell("all faults are over, everything is well again")
        story.drain()
    return story


def _note_points(own: World, scribe: Scribe, *, tell: Callable[[str], None]) -> None:
    """Count among the faults what workers ended themselves at, each at the time of its mark."""
    if own.strikes is None:
        return
    for point, at in own.strikes.struck():
        scribe.struck(point, begun=at, ended=at)
    tell(own.strikes.line())


def _progress(watch: Watch, scribe: Scribe) -> Callable[[str], None]:
    """Show, on a terminal, how things stand, every now and then."""
    shown = time.monotonic()

    def show(current: str) -> None:
        nonlocal shown
        if sys.stderr.isatty() and time.monotonic() - shown > PROGRESS_SECONDS:
            shown = time.monotonic()
            counts = ", ".join(f"{status} {count}" for status, count in sorted(watch.counts().items()))
            sys.stderr.write(f"          {scribe.faults} faults; {counts}; now: {current}\n")

    return show


def _audit(own: World, scribe: Scribe) -> Toll:
    ledger, chain = read_facts(own.database_url, own.addresses, openings=own.openings)
    return take(ledger, chain, scribe.journal(), complaints=judge(ledger, chain).details)


def _report(order: Order, story: Story, toll: Toll, *, seconds: float) -> str:
    figures = {
        "points": None if story.own.strikes is None else story.own.strikes.to_json(),
        "seed": order.seed,
        "line": toll.line,
        "toll": toll.to_json(),
        "seconds": round(seconds, 1),
        "load": os.getloadavg(),
        **story.to_json(),
    }
    return json.dumps(figures, indent=2) + "\n"


def _keep(logs: Path, told: str, *, seed: int, toll: Toll) -> None:
    kept = STATE / f"chaos-seed-{seed}"
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(logs, kept)
    (kept / "report.json").write_text(told)
    for name, sentences in toll.details.items():
        for sentence in sentences:
            sys.stderr.write(f"{name}: {sentence}\n")
    sys.stderr.write(f"the seed was {seed}; logs and report are kept in {kept}\n")


def _first_free(held: contextlib.ExitStack) -> Supervisor:
    """Enter the first directory that no other run uses."""
    for number in itertools.count(1):
        with contextlib.suppress(AlreadyRunning):
            return held.enter_context(Supervisor(STATE / f"chaos-{number}"))
    raise AssertionError("counting has no end")


def _empty(logs: Path) -> None:
    for old in logs.iterdir():
        old.unlink()
