"""What /proc knows: which process is which, who belongs together, and how to end them."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """One process for good: its number may be given to another, number and start together may not.

    `started` counts clock ticks since the machine's boot.
    """

    pid: int
    started: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the process table."""

    identity: Identity
    parent: int
    session: int
    is_zombie: bool


def boot_id() -> str:
    """Name this boot of the machine: start times compare only within one."""
    return (PROC / "sys/kernel/random/boot_id").read_text().strip()


def entry(pid: int) -> Entry | None:
    """Read one process, or None when there is none of this number."""
    try:
        line = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may itself hold brackets and spaces, so fields are counted from the last bracket.
    fields = line.rpartition(")")[2].split()
    return Entry(
        identity=Identity(pid=pid, started=int(fields[19])),
        parent=int(fields[1]),
        session=int(fields[3]),
        is_zombie=fields[0] == "Z",
    )


def table() -> dict[int, Entry]:
    """Read every process that can be seen."""
    found = (entry(int(path.name)) for path in PROC.iterdir() if path.name.isdecimal())
    return {one.identity.pid: one for one in found if one is not None}


def is_alive(identity: Identity) -> bool:
    """Whether this very process still runs; a zombie does not."""
    now = entry(identity.pid)
    return now is not None and now.identity == identity and not now.is_zombie


def family(leader: Identity, processes: Mapping[int, Entry]) -> set[Identity]:
    """Everyone of the session that `leader` opened, and all their descendants; zombies left out.

    Works when the leader itself is gone: its number cannot be given away while its session has members.
    """
    head = processes.get(leader.pid)
    if head is not None and head.identity != leader:
        return set()
    members = {
        pid for pid, one in processes.items() if one.session == leader.pid and one.identity.started >= leader.started
    }
    if head is not None:
        members.add(leader.pid)
    size = 0
    while size < len(members):
        size = len(members)
        members.update(pid for pid, one in processes.items() if one.parent in members)
    return {processes[pid].identity for pid in members if not processes[pid].is_zombie}


def carriers(variable: str, processes: Mapping[int, Entry]) -> set[Identity]:
    """Everyone whose environment holds `NAME=value`, as its descendants inherit it; zombies left out."""
    wanted = variable.encode()
    found: set[Identity] = set()
    for pid, one in processes.items():
        with contextlib.suppress(OSError):
            if wanted in (PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                found.add(one.identity)
    return found


def works_in(directory: Path) -> set[int]:
    """The numbers of those whose working directory this is, as far as we may see."""
    found: set[int] = set()
    for pid in table():
        with contextlib.suppress(OSError):
            if (PROC / str(pid) / "cwd").readlink() == directory:
                found.add(pid)
    return found


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal this very process; nothing happens when it is gone."""
    if is_alive(identity):
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)


def await_end(identities: Iterable[Identity], *, seconds: float) -> set[Identity]:
    """Wait until all have ended or the time is over; answer those who still run."""
    limit = time.monotonic() + seconds
    running = {one for one in identities if is_alive(one)}
    while running and time.monotonic() < limit:
        time.sleep(POLL_SECONDS)
        running = {one for one in running if is_alive(one)}
    return running
