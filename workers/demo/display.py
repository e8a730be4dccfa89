"""What the demo shows while it runs."""

import time
from collections.abc import Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from workers.demo.lives import Life
from workers.embedded.supervisor import Phase

SHOWN_WHILE_LIVE = 5
"""Phases: with the policies below them they fit on 24 lines, and what does not fit is not drawn at all."""

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
            self._live.update(self._picture(self._steps()), refresh=True)
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
        return {title: round(seconds, 2) for title, seconds in self._steps()}

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
            self._live.update(self.picture(), refresh=True)
            return
        for life in self._lives:
            if life.id is not None and self._seen.get(life.plan.name) != life.status:
                self._seen[life.plan.name] = life.status
                self._line(f"  {life.plan.name}: {life.status}")

    def _line(self, text: str) -> None:
        self.console.print(f"{self.seconds:6.1f} s  {text}", soft_wrap=True, markup=False)

    def _steps(self) -> list[tuple[str, float]]:
        """Each phase with how long it took; a title that came twice is told twice."""
        ended = [*(at for _, at in self._phases[1:]), self.seconds]
        return [(title, end - begun) for (title, begun), end in zip(self._phases, ended, strict=True)]

    def picture(self) -> Group:
        """What is drawn while it runs: the last phases, and every policy."""
        return self._picture(self._steps()[-SHOWN_WHILE_LIVE:])

    def _picture(self, phases: Sequence[tuple[str, float]]) -> Group:
        steps = Table.grid(padding=(0, 2))
        for title, seconds in phases:
            steps.add_row(Text(f"{seconds:5.1f} s", style="cyan"), title)
        # One line at all times, or the policies below would jump.
        steps.add_row("", Text(", ".join(self._starting), style="dim", overflow="ellipsis", no_wrap=True))
        policies = Table(box=None, padding=(0, 2))
        for heading in ("policy", "token", "status", "last step"):
            policies.add_column(heading)
        for life in self._lives:
            last = next(reversed(life.steps.items()), None)
            done = f"{last[0].replace('_', ' ')} {last[1]:.1f} s" if last else ""
            policies.add_row(life.plan.name, life.plan.token.value, Text(life.status, style=style_of(life)), done)
        return Group(steps, "", policies)


def style_of(life: Life) -> str:
    """How a policy's status is drawn: dim before there is one, green at its end."""
    if life.is_over:
        return "bold green"
    return "dim" if life.id is None else "yellow"
