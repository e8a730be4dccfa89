"""Processes that are meant to die: started, killed with all their children, started again, and ended with the run."""

import itertools
import signal
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from workers.embedded import procfs
from workers.embedded.process import Process, Running, launch

READY_SECONDS = 60.0
POLL_SECONDS = 0.05


@dataclass
class Company:
    """Keeps one running process a name; each of its lives has a log of its own, named by its number.

    `environment` is what every process carries so that its run can find it again.
    """

    logs: Path
    environment: Mapping[str, str]
    running: dict[str, Running] = field(default_factory=dict)
    missed: Counter[str] = field(default_factory=Counter)
    """How often each has ended by itself."""
    _numbers: dict[str, "itertools.count[int]"] = field(default_factory=dict)

    def start(self, *processes: Process) -> None:
        """Start these and wait until each serves."""
        for process in processes:
            self.launch(process)
        for process in processes:
            self.await_ready(process.name)

    def launch(self, process: Process) -> None:
        """Start one, and do not wait."""
        number = next(self._numbers.setdefault(process.name, itertools.count(1)))
        log = self.logs / f"{process.name}.{number}.log"
        self.running[process.name] = launch(process, log=log, environment=self.environment)

    def await_ready(self, name: str) -> None:
        """Wait until one serves; one that ends instead is started again."""
        limit = time.monotonic() + READY_SECONDS
        while not self._serves(name):
            if time.monotonic() > limit:
                raise TimeoutError(f"{name} was not ready within {READY_SECONDS:g} s; see {self.running[name].log}")
            self.tend()
            time.sleep(POLL_SECONDS)

    def kill(self, *names: str) -> list[Process]:
        """End these and all their children at once, as a power cut would; answer what they were."""
        ended = [self.running.pop(name) for name in names]
        for one in ended:
            one.bury()
        return [one.process for one in ended]

    def retire(self, name: str, *, by: signal.Signals = signal.SIGTERM) -> None:
        """Ask one to end, and see that it does."""
        one = self.running.pop(name)
        procfs.send(one.identity, by)
        procfs.await_end([one.identity], seconds=one.process.stop_seconds)
        one.bury()

    def tend(self) -> None:
        """Start again whoever has ended by itself, as whoever runs such processes does."""
        for name, one in list(self.running.items()):
            if one.has_ended():
                self.missed[name] += 1
                one.bury()
                self.launch(one.process)

    def _serves(self, name: str) -> bool:
        one = self.running[name]
        return one.process.ready is None or one.process.ready(one.log)
