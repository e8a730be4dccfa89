"""The run file: which processes a supervisor has started, for the next one to end if this one is killed."""

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from workers.embedded import procfs
from workers.embedded.procfs import Identity

RUN_VARIABLE = "REGISTRY_RUN"
"""Set for every child to the run's name, so that even one that left its session is known as ours."""

GENTLE_SECONDS = 4.0
KILL_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process that a supervisor started; it leads the session of its own number."""

    name: str
    pid: int
    started: int
    stop_signal: int

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return Identity(pid=self.pid, started=self.started)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """One run of a supervisor, as it is written down."""

    run: str
    boot: str
    members: tuple[Member, ...] = ()

    def write(self, path: Path) -> None:
        """Replace the file in one step; only its owner may read it."""
        part = path.with_suffix(".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file)
        part.replace(path)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read what the last run left; None when it left nothing that can be read."""
        try:
            raw = json.loads(path.read_text())
            members = tuple(Member(**member) for member in raw["members"])
            return cls(run=str(raw["run"]), boot=str(raw["boot"]), members=members)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def survivors(self) -> set[Identity]:
        """Every process of this run that still lives, whatever session it has moved to."""
        if self.boot != procfs.boot_id():
            return set()
        processes = procfs.table()
        found = procfs.carriers(f"{RUN_VARIABLE}={self.run}", processes)
        for member in self.members:
            found |= procfs.family(member.identity, processes)
        return found

    def end_survivors(self) -> list[str]:
        """Stop what this run left: gently, then for good. Answer the names of those that were found."""
        found = self.survivors()
        if not found:
            return []
        left = [member for member in self.members if member.identity in found]
        for member in left:
            procfs.send(member.identity, signal.Signals(member.stop_signal))
        procfs.await_end((member.identity for member in left), seconds=GENTLE_SECONDS)
        self.kill_survivors()
        return [member.name for member in left] or ["a process without a leader"]

    def kill_survivors(self) -> None:
        """Kill until nobody is left: a process may fork while it is being looked for."""
        for _ in range(int(KILL_SECONDS / procfs.POLL_SECONDS)):
            found = self.survivors()
            if not found:
                return
            for identity in found:
                procfs.send(identity, signal.SIGKILL)
            procfs.await_end(found, seconds=procfs.POLL_SECONDS)
