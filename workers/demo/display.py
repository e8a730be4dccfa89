"""What the demo shows while it runs, and its last table."""

import time
from collections.abc import Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from registry.domain.policy import OnChainStatus
from registry.domain.units import MICRO_PER_STX, SATS_PER_BTC, Token
from workers.demo.lives import Life
from workers.embedded.supervisor import Phase

PLAIN_WIDTH = 150
_DIGITS = 4
_SHOWN_PHASES = {Phase.LEFT_OVER, Phase.KILLED}


class Display:
    """Phases and the status of each policy, live on a terminal, else a line for each change; always on stderr."""

    def __init__(self, lives: Sequence[Life], *, live: bool) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._lives = lives
        self._begun = time.monotonic()
        self._phases: list[tuple[str, float]] = []
        self._seen: dict[str, str] = {}
        self._starting: dict[str, None] = {}
        self._live = Live(console=self.console, auto_refresh=False) if live and self.console.is_terminal else None

    @property
    def seconds(self) -> float:
        """How long the demo has run."""
        return time.monotonic() - self._begun

    def open(self) -> None:
        """Begin to draw, if this is a terminal."""
        if self._live is not None:
            self._live.start()

    def close(self) -> None:
        """Leave the last picture standing."""
        if self._live is not None:
            self.refresh()
            self._live.stop()
            self._live = None

    def phase(self, title: str) -> None:
        """Begin a phase; the one before is over."""
        self._phases.append((title, self.seconds))
        if self._live is None:
            self._line(title)
        self.refresh()

    def phase_seconds(self) -> dict[str, float]:
        """Say how long each phase took, the last one until now."""
        begun = [at for _, at in self._phases]
        ended = [*begun[1:], self.seconds]
        return {title: round(end - start, 2) for (title, _), start, end in zip(self._phases, begun, ended, strict=True)}

    def process(self, name: str, phase: Phase) -> None:
        """Take the supervisor's word on a process."""
        if phase is Phase.STARTING:
            self._starting[name] = None
        else:
            self._starting.pop(name, None)
        if self._live is None and phase in _SHOWN_PHASES:
            self._line(f"{name}: {phase}")
        self.refresh()

    def refresh(self) -> None:
        """Show what has changed."""
        if self._live is not None:
            self._live.update(self._picture(), refresh=True)
            return
        for life in self._lives:
            if life.id is not None and self._seen.get(life.plan.name) != life.status:
                self._seen[life.plan.name] = life.status
                self._line(f"  {life.plan.name}: {life.status}")

    def _line(self, text: str) -> None:
        self.console.print(f"{self.seconds:6.1f} s  {text}", soft_wrap=True, markup=False)

    def _picture(self) -> Group:
        steps = Table.grid(padding=(0, 2))
        for (title, _), seconds in zip(self._phases, self.phase_seconds().values(), strict=True):
            steps.add_row(Text(f"{seconds:5.1f} s", style="cyan"), title)
        if self._starting:
            steps.add_row("", Text(", ".join(self._starting), style="dim"))
        policies = Table(box=None, padding=(0, 2))
        for heading in ("policy", "token", "status", "last step"):
            policies.add_column(heading)
        for life in self._lives:
            last = next(reversed(life.steps.items()), None)
            done = f"{_words(last[0])} {last[1]:.1f} s" if last else ""
            style = "bold green" if life.is_over else "yellow"
            policies.add_row(life.plan.name, life.plan.token.value, Text(life.status, style=style), done)
        return Group(steps, "", policies)


def print_table(lives: Sequence[Life], checks: Mapping[str, bool], *, seconds: float) -> None:
    """Print on stdout how each policy ended, one a column, and what the audit says."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PLAIN_WIDTH)
    table = Table(title=f"Policies, after {seconds:.1f} s")
    table.add_column("")
    for life in lives:
        table.add_column(life.plan.name, overflow="fold")
    for heading, cells in _rows(lives):
        table.add_row(heading, *cells)
    console.print(table)
    audit = Table(title="Audit", box=None)
    for name, holds in checks.items():
        audit.add_row(Text("holds", style="green") if holds else Text("BROKEN", style="bold red"), name)
    console.print(audit)


def _rows(lives: Sequence[Life]) -> list[tuple[str, list[str]]]:
    facts = [life.to_json() for life in lives]
    steps = list(dict.fromkeys(step for life in lives for step in life.steps))
    return [
        ("id", [str(each["id"] or "") for each in facts]),
        ("id on chain", [_or_nothing(each["policy_id_on_chain"]) for each in facts]),
        ("tier", [_or_nothing(each["risk_tier"]) for each in facts]),
        ("premium", [_coins(each["premium_amount_base_units"], life) for each, life in zip(facts, lives, strict=True)]),
        (
            "payout",
            [_coins(each["settlement_amount_base_units"], life) for each, life in zip(facts, lives, strict=True)],
        ),
        ("status", [life.status for life in lives]),
        ("on chain", [_on_chain(each["status_on_chain"]) for each in facts]),
        ("purchase tx", [_short(each["tx_id_creation"]) for each in facts]),
        ("final tx", [_short(each["tx_id_status_update"]) for each in facts]),
        *(
            (_words(step), [f"{life.steps[step]:.1f} s" if step in life.steps else "" for life in lives])
            for step in steps
        ),
    ]


def _words(step: str) -> str:
    return step.replace("_", " ")


def _or_nothing(value: object) -> str:
    return "" if value is None else str(value)


def _coins(amount: int | None, life: Life) -> str:
    if amount is None:
        return ""
    if life.plan.token is Token.STX:
        return f"{amount / MICRO_PER_STX:.6f} STX"
    return f"{amount / SATS_PER_BTC:.8f} sBTC"


def _on_chain(status: int | None) -> str:
    return "" if status is None else f"{status} {OnChainStatus(status).name.capitalize()}"


def _short(tx_id: str | None) -> str:
    return "" if tx_id is None else f"0x{tx_id[:_DIGITS]}…{tx_id[-_DIGITS:]}"
