"""The demo: the whole stack for the length of some policies' lives, then the audit and a clean end."""

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from registry.domain.errors import RegistryError
from workers.audit.audit import Audit, audit
from workers.audit.chain import Addresses
from workers.client import RegistryClient
from workers.demo.devnet import Devnet
from workers.demo.display import Display, print_table
from workers.demo.lives import PLANS, Life, LifeWentWrong
from workers.demo.stack import Stack, start
from workers.demo.story import Story
from workers.demo.wallets import Wallet
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import Supervisor
from workers.local import CHECKOUT

STATE = CHECKOUT / ".registry"
FAILED = 1


def run(*, directory: Path | None, as_json: bool) -> int:
    """Run the demo and answer its exit status: 1 if a life or a check of the audit went wrong."""
    lives = [Life(plan=plan, owner=Wallet(name=plan.name)) for plan in PLANS]
    display = Display(lives, live=not as_json)
    with contextlib.ExitStack() as held:
        held.callback(display.close)
        ports = held.enter_context(HeldPorts())
        supervisor = held.enter_context(Supervisor(directory or STATE / "demo", report=display.process))
        display.open()
        stack = _start(supervisor, ports, lives, display)
        failure = _live_through(supervisor, stack, lives, display)
        display.phase("the audit")
        verdict = _audit(stack)
        seconds = display.seconds
        display.phase("everything stops")
    _report(lives, verdict, seconds=seconds, as_json=as_json)
    if failure is not None:
        sys.stderr.write(f"error: {failure}\n")
    return 0 if failure is None and verdict.ok else FAILED


def _start(supervisor: Supervisor, ports: HeldPorts, lives: Sequence[Life], display: Display) -> Stack:
    return start(supervisor, ports, owners=[life.owner for life in lives], tell=display.phase)


def _live_through(
    supervisor: Supervisor, stack: Stack, lives: Sequence[Life], display: Display
) -> RegistryError | None:
    """Tell the story; a life that went wrong is kept, so that table and audit still say how things stand."""
    servers = stack.foundations
    with (
        RegistryClient(servers.valkey.url(0), servers.valkey.url(1)) as client,
        contextlib.closing(Devnet(stack.devnet_url)) as devnet,
    ):
        story = Story(supervisor=supervisor, stack=stack, client=client, devnet=devnet, display=display, lives=lives)
        try:
            story.tell()
        except LifeWentWrong as failure:
            return failure
    return None


def _audit(stack: Stack) -> Audit:
    cast = stack.cast
    addresses = Addresses(
        stacks_url=stack.devnet_url,
        registry=cast.contract("policy-registry"),
        pool=cast.contract("liquidity-pool"),
        sbtc=cast.contract("sbtc-token"),
    )
    return audit(stack.foundations.postgres.url(), addresses)


def _report(lives: Sequence[Life], verdict: Audit, *, seconds: float, as_json: bool) -> None:
    """Print how each policy ended and what the audit found: as JSON on stdout, or as tables."""
    for name, complaints in verdict.details.items():
        for complaint in complaints:
            sys.stderr.write(f"{name}: {complaint}\n")
    if as_json:
        result = {
            "policies": [life.to_json() for life in lives],
            "audit": verdict.to_json(),
            "seconds": round(seconds, 2),
        }
        sys.stdout.write(json.dumps(result, indent=2) + "\n")
        return
    print_table(lives, verdict.checks, seconds=seconds)
