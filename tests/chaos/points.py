"""At which points workers end themselves: at each that a traced life reaches, once in a run where that can be.

`points.txt` holds their names, each `task:purpose:place` behind the queue of its task. It is held against the traces by
tests/integration/test_fault_points.py, and written by the same with WRITE_FAULT_POINTS=1.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import TypedDict

WRITTEN = Path(__file__).with_name("points.txt")

LEFT_OUT: Mapping[str, str] = MappingProxyType(
    {
        ":mark_expired:": "its world expires policies in one step",
        ":release:": "its world expires policies in one step",
        ":fill:": "only a database that was restored has nonces that no transaction of ours has",
        "policies.retry_failed:": "its registry knows one backend, so nothing fails that could be tried again",
    }
)
"""Pieces of names that no run of chaos reaches, and why."""

AT_ONCE = 2
"""How many places of one task wait for the same turn of it: a message that is ended too often is given up."""
TURNS = (1, 4, 8)
"""A task's first places wait for its first time in a process, the next for a later one: who takes the place of the
ended counts anew, so a message that was ended at a first time seldom meets a later one."""


def read() -> Mapping[str, str]:
    """Read the file: the queue of each name."""
    lines = (line.split(" ") for line in WRITTEN.read_text(encoding="ascii").splitlines())
    return {name: queue for queue, name in lines}


def write(names: Mapping[str, str]) -> None:
    """Write the file anew: these names, each with its queue."""
    lines = sorted(f"{queue} {name}\n" for name, queue in names.items())
    WRITTEN.write_text("".join(lines), encoding="ascii")


def why_left_out(name: str) -> str | None:
    """Why no run of chaos reaches a name; None for those that one may."""
    return next((reason for piece, reason in LEFT_OUT.items() if piece in name), None)


class Told(TypedDict):
    """What a report says of points: how many names were wanted, at which points workers ended, and what is missing."""

    names: int
    struck: list[str]
    missed: list[str]
    left_out: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Strikes:
    """Deals to each life of a worker the points at which it is to end, those first that were not struck so far.

    `directory` is where workers leave a mark for each point at which one has ended.
    """

    directory: Path
    queues: Mapping[str, str] = field(default_factory=read)
    _dealt: Counter[str] = field(default_factory=Counter)
    _lives: Counter[str] = field(default_factory=Counter)

    def environment(self, queue: str) -> dict[str, str]:
        """Say to a queue's next worker where it ends; at no point in its first life, so that the world can begin."""
        self._lives[queue] += 1
        ends = self.deal(queue) if self._lives[queue] > 1 else []
        if not ends:
            return {}
        return {"REGISTRY_FAULT_POINT": ",".join(ends), "REGISTRY_FAULT_DIRECTORY": str(self.directory)}

    def deal(self, queue: str) -> list[str]:
        """Choose the points of a worker's next life: whatever was not struck, the least dealt for the first turn."""
        done = {point.partition("#")[0] for point, _ in self.struck()}
        left = [name for name in self._wanted() if self.queues[name] == queue and name not in done]
        return [point for _, names in groupby(left, _subject) for point in self._turns(list(names))]

    def _turns(self, names: Sequence[str]) -> Iterable[str]:
        """Those of one task and purpose, with the turns at which they wait."""
        for place, name in enumerate(sorted(names, key=lambda each: self._dealt[each])[: AT_ONCE * len(TURNS)]):
            turn = TURNS[place // AT_ONCE]
            self._dealt[name] += turn == TURNS[0]
            yield f"{name}#{turn}"

    def struck(self) -> Sequence[tuple[str, datetime]]:
        """The points at which a worker has ended, and when, the first first."""
        marks = sorted((mark.stat().st_mtime, mark.name) for mark in self.directory.iterdir())
        return [(name, datetime.fromtimestamp(at, tz=UTC)) for at, name in marks]

    def to_json(self) -> Told:
        """How many names there are to be struck, where workers ended, and which were not reached."""
        struck = [point for point, _ in self.struck()]
        wanted = self._wanted()
        missed = sorted(set(wanted) - {point.partition("#")[0] for point in struck})
        return {"names": len(wanted), "struck": struck, "missed": missed, "left_out": dict(LEFT_OUT)}

    def line(self) -> str:
        """Say in one line how many names were struck, and name the others."""
        told = self.to_json()
        missed, count = told["missed"], told["names"]
        names = f"; not reached: {', '.join(missed)}" if missed else ""
        return f"workers ended themselves at {count - len(missed)} of {count} points{names}"

    def _wanted(self) -> Sequence[str]:
        return sorted(name for name in self.queues if why_left_out(name) is None)


def _subject(name: str) -> str:
    """The task and its purpose."""
    return name.rpartition(":")[0]
