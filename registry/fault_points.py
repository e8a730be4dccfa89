"""Fault points: named places before and after each commit and each call to another system, at which a run may be ended.

The places: before and after what writes is committed, a call, and a message: `commit.before`, `commit.after`, `call.…`,
`publish.…`.

A name is `task:purpose:place`, e.g. `transactions.sign_and_broadcast:settle:commit.after`; whoever runs a unit of work
or a call has them without writing a line. Nobody watches unless a test does, so a point costs one comparison.
`#n` after a name is the n-th time that it was reached since somebody began to watch.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

Watcher = Callable[[str], None]
"""Is told the name of each point as it is reached; what it raises goes to whoever reached it."""

OUTSIDE = "outside"
"""What points are named by where no task runs."""

_ONE = r"[a-z_.]+:[a-z_]*:[a-z_.]+#[1-9][0-9]*"
NUMBERED = rf"^{_ONE}(,{_ONE})*$"
"""How a point is named whose turn it is; several have commas between them."""

_DOING: ContextVar[str] = ContextVar("doing", default=f"{OUTSIDE}:")
_watchers: list[Watcher] = []


@contextmanager
def doing(task: str, *, purpose: str = "") -> Iterator[None]:
    """Name the points that are reached within after a task and what it is for."""
    before = _DOING.set(f"{task}:{purpose}")
    try:
        yield
    finally:
        _DOING.reset(before)


def begin(task: str) -> None:
    """Name the points that follow after a task, until another begins: what Celery does around it has no block."""
    _DOING.set(f"{task}:")


def now_for(purpose: str) -> None:
    """Say what the task turned out to be for; the points that follow are named so."""
    task, _, _ = _DOING.get().partition(":")
    _DOING.set(f"{task}:{purpose}")


@contextmanager
def watched_by(watcher: Watcher) -> Iterator[None]:
    """Tell `watcher` of each point that this process reaches."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def watch(watcher: Watcher) -> None:
    """Tell `watcher` of each point that this process and those it forks will ever reach."""
    _watchers.append(watcher)


def numbered(watcher: Watcher) -> Watcher:
    """Count for `watcher`: it is told names with `#n`."""
    times: Counter[str] = Counter()
    lock = threading.Lock()  # venues are asked side by side

    def count(name: str) -> None:
        with lock:
            times[name] += 1
            turn = times[name]
        watcher(f"{name}#{turn}")

    return count


def is_watched() -> bool:
    """Whether it matters what points there are."""
    return bool(_watchers)


def reached(place: str) -> None:
    """Be at a point."""
    for watcher in _watchers:
        watcher(f"{_DOING.get()}:{place}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strike:
    """A watcher that ends its process at one point as a power cut would, the first time that any process is there.

    `directory` remembers that it struck: the message that was being worked on passes when it is delivered again.
    """

    point: str
    directory: Path

    def __call__(self, name: str, /) -> None:
        """Be told of a point."""
        if name == self.point and self._is_first():
            os.kill(os.getpid(), signal.SIGKILL)

    def has_struck(self) -> bool:
        """Whether some process was ended."""
        return self._mark().exists()

    def _is_first(self) -> bool:
        try:
            os.close(os.open(self._mark(), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError:
            return False
        return True

    def _mark(self) -> Path:
        return self.directory / self.point


def end_at(points: str, *, directory: Path) -> None:
    """End this process, and those it forks, at each of these points, once; several have commas between them."""
    for point in points.split(","):
        watch(numbered(Strike(point=point, directory=directory)))
