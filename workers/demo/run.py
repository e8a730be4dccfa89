"""The demo: the whole stack for the length of some policies' lives, then the audit and a clean end."""

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from registry.domain.errors import RegistryError
from registry.stacks.http_node import HttpNode
from workers.audit.audit import Audit, audit
from workers.audit.chain import Addresses
from workers.client import RegistryClient
from workers.demo.deployment import openings
from workers.demo.devnet import Devnet
from workers.demo.display import Display
from workers.demo.lives import Life
from workers.demo.plans import PLANS
from workers.demo.probes import Probe
from workers.demo.stack import Stack, start
from workers.demo.stage import Stage
from workers.demo.story import Story
from workers.demo.tables import print_tables
from workers.demo.wallets import Wallet
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import ProcessDied, Supervisor
from workers.local import CHECKOUT

STATE = CHECKOUT / ".registry"
FAILED = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """All that the demo has to say at its end."""

    lives: Sequence[Life]
    probes: Sequence[Probe]
    verdict: Audit
    phases: Mapping[str, float]
    seconds: float
    failure: RegistryError | None

    @property
    def is_good(self) -> bool:
        """Whether everything ended as it should."""
        return self.failure is None and self.verdict.ok

    def to_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        walks = self.verdict.walks
        return {
            "policies": [
                {**life.to_json(), "walk": [each.to_json() for each in walks.get(life.id or "", ())]}
                for life in self.lives
            ],
            "probes": [probe.to_json() for probe in self.probes],
            "audit": self.verdict.to_json(),
            "phases": dict(self.phases),
            "seconds": round(self.seconds, 2),
        }


def run(*, directory: Path | None, as_json: bool) -> int:
    """Run the demo and answer its exit status: 1 if a life, an answer or a check of the audit went wrong."""
    lives = [Life(plan=plan, owner=Wallet(name=plan.name)) for plan in PLANS]
    display = Display(lives, live=not as_json)
    with contextlib.ExitStack() as held:
        held.callback(display.close)
        ports = held.enter_context(HeldPorts())
        supervisor = held.enter_context(Supervisor(directory or STATE / "demo", report=display.process))
        display.open()
        stack = start(supervisor, ports, owners=[life.owner for life in lives], tell=display.phase)
        probes, failure = _live_through(supervisor, stack, lives, display)
        display.phase("the audit")
        verdict = _audit(stack, lives)
        phases, seconds = display.phase_seconds(), display.seconds
        display.phase("everything stops")
    outcome = Outcome(lives=lives, probes=probes, verdict=verdict, phases=phases, seconds=seconds, failure=failure)
    _report(outcome, as_json=as_json)
    return 0 if outcome.is_good else FAILED


def _live_through(
    supervisor: Supervisor, stack: Stack, lives: Sequence[Life], display: Display
) -> tuple[list[Probe], RegistryError | None]:
    """Tell the story; what went wrong is kept, so that tables and audit still say how things stand."""
    servers = stack.foundations
    with (
        RegistryClient(servers.valkey.url(0), servers.valkey.url(1)) as client,
        contextlib.closing(Devnet(stack.devnet_url)) as devnet,
        contextlib.closing(HttpNode(stack.devnet_url)) as node,
    ):
        story = Story(
            stage=Stage(
                supervisor=supervisor,
                stack=stack,
                client=client,
                devnet=devnet,
                node=node,
                display=display,
                lives=lives,
            )
        )
        try:
            story.tell()
        except ProcessDied:
            raise
        except RegistryError as failure:
            return story.probes, failure
    return story.probes, None


def _audit(stack: Stack, lives: Sequence[Life]) -> Audit:
    cast = stack.cast
    addresses = Addresses(
        stacks_url=stack.devnet_url,
        registry=cast.contract("policy-registry"),
        pool=cast.contract("liquidity-pool"),
        sbtc=cast.contract("sbtc-token"),
    )
    began_with = openings(cast, [life.owner for life in lives])
    return audit(stack.foundations.postgres.url(), addresses, openings=began_with)


def _report(outcome: Outcome, *, as_json: bool) -> None:
    """Print how each policy ended, what was tried and what the audit found: as JSON on stdout, or as tables."""
    for name, complaints in outcome.verdict.details.items():
        for complaint in complaints:
            sys.stderr.write(f"{name}: {complaint}\n")
    if as_json:
        sys.stdout.write(json.dumps(outcome.to_json(), indent=2) + "\n")
    else:
        print_tables(outcome.lives, outcome.probes, outcome.verdict, seconds=outcome.seconds)
    if outcome.failure is not None:
        sys.stderr.write(f"error: {outcome.failure}\n")
