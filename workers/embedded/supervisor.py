"""The supervisor: starts processes, sees that they serve, notices when one dies, and leaves none behind."""

import atexit
import contextlib
import fcntl
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Self

from registry.domain.errors import RegistryError
from workers.embedded import procfs
from workers.embedded.account import DIRECTORY_MODE
from workers.embedded.interrupts import Interrupts
from workers.embedded.process import Process, Running, launch
from workers.embedded.runfile import RUN_VARIABLE, Member, RunFile

POLL_SECONDS = 0.05
PATIENCE_SECONDS = 2.0
STOP_SECONDS = 9.0
WAVE_SECONDS = 0.5
"""What every later wave is left of STOP_SECONDS, however slow the earlier ones are."""


class AlreadyRunning(RegistryError):
    """Another supervisor works in the same directory."""

    code = "already_running"
    sentence = "another one is running in {directory} (process {pid})"
    remedy = "stop it with Ctrl-C where it runs, or: kill {pid}"


class StartFailed(RegistryError):
    """A process did not come up."""

    code = "start_failed"
    sentence = "{process} did not start: {reason}"
    remedy = "everything is stopped again; {log} ends with:\n{lines}"


class ProcessDied(RegistryError):
    """A process ended while it was needed."""

    code = "process_died"
    sentence = "{process} has died: {reason}"
    remedy = "everything else is stopped; {log} ends with:\n{lines}"


class Phase(StrEnum):
    """What is happening to a process, for whoever displays it."""

    LEFT_OVER = "ended what the last run left"
    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"
    STOPPED = "stopped"
    KILLED = "killed"


Report = Callable[[str, Phase], None]
"""Told the process's name and what happens to it."""

Patience = Callable[[str, float], None]
"""Told the name of a process that is not ready yet and for how many seconds it has been starting, again and again."""


class Supervisor:
    """Runs processes for as long as its `with` block lasts.

    One directory has one supervisor at a time. Entering ends what a killed one has left there. While it is open,
    SIGINT, SIGTERM and SIGHUP raise `Interrupted` in the main thread, where it must be entered. However the
    block is left, all processes are stopped within ten seconds.
    """

    def __init__(self, directory: Path, *, report: Report | None = None, patience: Patience | None = None) -> None:
        self.directory = directory
        self._report: Report = report or (lambda _name, _phase: None)
        self._patience: Patience = patience or (lambda _name, _seconds: None)
        self._run = RunFile(run=secrets.token_hex(8), boot=procfs.boot_id())
        self._running: list[Running] = []
        self._interrupts = Interrupts()
        self._held = contextlib.ExitStack()

    def __enter__(self) -> Self:
        make_directory(self.directory)
        with contextlib.ExitStack() as held:
            held.enter_context(locked(self.directory))
            held.enter_context(self._interrupts)
            with self._interrupts.deferred():
                self._end_leftovers()
            self._run.write(self._run_path)
            # The belt: an interrupt between the block's last line and __exit__ finds us not yet there.
            atexit.register(self.stop)
            held.callback(atexit.unregister, self.stop)
            self._held = held.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._held:
            self.stop()

    def start(self, *processes: Process) -> None:
        """Start processes side by side and wait until all are ready.

        Raises:
            StartFailed: one of them ended or took too long.
            ProcessDied: one that was ready before has died.
        """
        begun = told = time.monotonic()
        wave = [self._launch(process) for process in processes]
        while wave := [one for one in wave if not self._is_ready(one, since=begun)]:
            self._check(starting=wave)
            if (now := time.monotonic()) - told > PATIENCE_SECONDS:
                told = now
                for one in wave:
                    self._wait_for(one.process.name, seconds=now - begun)
            time.sleep(POLL_SECONDS)

    def check(self) -> None:
        """Raise ProcessDied if a process that should serve has ended."""
        self._check(starting=())

    def wait(self, seconds: float = float("inf")) -> None:
        """Sleep, but raise ProcessDied as soon as a process ends."""
        limit = time.monotonic() + seconds
        self.check()
        while (left := limit - time.monotonic()) > 0:
            time.sleep(min(POLL_SECONDS, left))
            self.check()

    def stop(self) -> None:
        """Stop all processes in their order; a second call finds nothing to do."""
        with self._interrupts.deferred():
            try:
                self._stop_in_order()
            finally:
                # Also finds who left its session and lost its parent: it is known by its environment alone.
                self._run.kill_survivors()
                self._run_path.unlink(missing_ok=True)

    @property
    def _run_path(self) -> Path:
        return self.directory / "run.json"

    def _end_leftovers(self) -> None:
        left = RunFile.read(self._run_path)
        for name in left.end_survivors() if left else ():
            self._tell(name, Phase.LEFT_OVER)

    def _tell(self, name: str, phase: Phase) -> None:
        # A display whose terminal is gone must not keep us from stopping.
        with contextlib.suppress(Exception):
            self._report(name, phase)

    def _wait_for(self, name: str, *, seconds: float) -> None:
        with contextlib.suppress(Exception):
            self._patience(name, seconds)

    def _launch(self, process: Process) -> Running:
        """Start one process and write down who it is before anything can interrupt us."""
        self._tell(process.name, Phase.STARTING)
        log = self.directory / "logs" / f"{process.name}.log"
        with self._interrupts.deferred():
            try:
                one = launch(process, log=log, environment={RUN_VARIABLE: self._run.run})
            except OSError as error:
                reason = f"{process.argv[0]}: {error.strerror}"
                raise StartFailed(process=process.name, reason=reason, log=str(log), lines="") from error
            self._running.append(one)
            self._write_run()
        return one

    def _write_run(self) -> None:
        self._run = RunFile(
            run=self._run.run,
            boot=self._run.boot,
            members=tuple(
                Member(
                    name=one.process.name,
                    pid=one.identity.pid,
                    started=one.identity.started,
                    stop_signal=one.process.stop_signal,
                )
                for one in self._running
            ),
        )
        self._run.write(self._run_path)

    def _is_ready(self, one: Running, *, since: float) -> bool:
        """Whether it serves, or, being a job, is done."""
        ready = one.process.ready
        if one.has_ended():
            if ready is None and one.bury() == 0:
                self._running.remove(one)
                self._tell(one.process.name, Phase.READY)
                return True
            raise _failure(StartFailed, one)
        if ready is not None and ready(one.log):
            self._tell(one.process.name, Phase.READY)
            return True
        if time.monotonic() - since > one.process.ready_seconds:
            reason = f"it was not ready within {one.process.ready_seconds:g} seconds"
            raise _failure(StartFailed, one, reason=reason)
        return False

    def _check(self, *, starting: Sequence[Running]) -> None:
        self._interrupts.check()
        for one in self._running:
            if one not in starting and one.has_ended():
                raise _failure(ProcessDied, one)

    def _stop_in_order(self) -> None:
        final = time.monotonic() + STOP_SECONDS
        orders = sorted({one.process.stop_order for one in self._running})
        for later, order in zip(reversed(range(len(orders))), orders, strict=True):
            wave = [one for one in self._running if one.process.stop_order == order]
            self._stop_wave(wave, limit=final - WAVE_SECONDS * later)

    def _stop_wave(self, wave: Sequence[Running], *, limit: float) -> None:
        """Ask all of a wave to stop, and end those that have not by their time."""
        begun = time.monotonic()
        for one in wave:
            self._tell(one.process.name, Phase.STOPPING)
            # To the leader alone: a signal to the group would end a worker's pool in the middle of its tasks.
            procfs.send(one.identity, one.process.stop_signal)
        for one in wave:
            until = min(limit, begun + one.process.stop_seconds)
            left = procfs.await_end([one.identity], seconds=until - time.monotonic())
            one.bury()
            self._running.remove(one)
            self._tell(one.process.name, Phase.KILLED if left else Phase.STOPPED)


def _failure(
    error: type[StartFailed | ProcessDied], one: Running, *, reason: str | None = None
) -> StartFailed | ProcessDied:
    """Write down how a process failed, with what it said last; `status` is None for one that has not ended."""
    status = None
    if reason is None:
        status = one.bury()
        reason = f"it ended with status {status}"
        if status is not None and status < 0:
            reason = f"it was killed by {signal.Signals(-status).name}"
    figures = {"process": one.process.name, "status": status, "reason": reason, "log": str(one.log)}
    return error(figures, lines=one.last_lines())


def make_directory(directory: Path) -> None:
    """Make a supervisor's directory: as root, others may pass through it to what is theirs, and see nothing."""
    mode = DIRECTORY_MODE if os.geteuid() == 0 else 0o700
    for missing in [one for one in reversed(directory.absolute().parents) if not one.exists()]:
        missing.mkdir(mode=mode, exist_ok=True)
    directory.mkdir(exist_ok=True)
    directory.chmod(mode)
    (directory / "logs").mkdir(exist_ok=True)
    (directory / "logs").chmod(0o700)


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Be the only one in a directory; the kernel lets go of the lock when we end, however that happens."""
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode()
            raise AlreadyRunning(directory=str(directory), pid=pid) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
