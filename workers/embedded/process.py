"""A process: as data, and once it is started."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers.embedded import procfs
from workers.embedded.account import Account
from workers.embedded.procfs import Identity
from workers.embedded.readiness import ReadyCheck

KILL_SECONDS = 0.5
LAST_LINES = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """What a supervisor starts.

    Without a ready check it is a job: ready when it has ended with status 0, and not watched afterwards.
    """

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    """All that it is given; nothing is inherited."""

    ready: ReadyCheck | None = None
    ready_seconds: float = 30.0

    stop_order: int
    """Lower numbers stop first, equal ones together."""

    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 3.0
    """How long it may take to stop before it is killed; less when others need the time."""

    account: Account | None = None
    """Whom it runs as; None: ourselves."""

    cwd: Path = Path("/")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Running:
    """A process that was started: it leads the session of its own number."""

    process: Process
    popen: subprocess.Popen[bytes]
    identity: Identity
    log: Path

    def has_ended(self) -> bool:
        """Whether it has ended; it stays a zombie, so that its number still stands for its session."""
        if self.popen.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def bury(self) -> int | None:
        """End everyone of its session and all their descendants, and answer its status; None if it will not die."""
        limit = time.monotonic() + KILL_SECONDS
        while time.monotonic() < limit:
            members = procfs.family(self.identity, procfs.table())
            if not members:
                break
            for one in members:
                procfs.send(one, signal.SIGKILL)
            procfs.await_end(members, seconds=procfs.POLL_SECONDS)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.popen.wait(timeout=KILL_SECONDS)
        return self.popen.returncode

    def last_lines(self) -> str:
        """Show the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_LINES:]) or "(nothing)"


def launch(process: Process, *, log: Path, environment: Mapping[str, str]) -> Running:
    """Start a process in a session of its own, with `environment` besides its own and its output in `log`.

    Raises:
        OSError: it cannot be executed.
    """
    account = process.account
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    try:
        popen = subprocess.Popen(  # noqa: S603 -- argv is ours, and no shell reads it
            process.argv,
            env={**process.environment, **environment},
            cwd=process.cwd,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            umask=0o077,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=subprocess.STDOUT,
        )
    finally:
        os.close(descriptor)
    started = procfs.entry(popen.pid)
    if started is None:
        raise RuntimeError("a child that was not waited for cannot have left the process table")
    return Running(process=process, popen=popen, identity=started.identity, log=log)
