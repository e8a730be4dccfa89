"""The conductor: does harm by the schedule, ends what lasts, and keeps an eye on the processes meanwhile."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from registry.domain.errors import RegistryError
from tests.chaos.harm import End, Harm
from tests.chaos.journal import Scribe
from tests.chaos.schedule import Fault
from workers.embedded.supervisor import Supervisor

TICK_SECONDS = 0.05
LEAST_REST = 0.5


@dataclass(frozen=True, kw_only=True)
class _Lasting:
    fault: Fault
    begun: datetime
    until: float
    end: End


@dataclass
class Conductor:
    """Runs in the main thread; owners live in others."""

    harm: Harm
    scribe: Scribe
    supervisor: Supervisor
    faults: Sequence[Fault]
    tell: Callable[[str], None]
    progress: Callable[[str], None]
    done: list[Fault] = field(default_factory=list)
    undone: list[str] = field(default_factory=list)
    """Faults that could not be done, and why."""
    _begun: float = field(default_factory=time.monotonic)
    _next: int = 0
    _late: float = 0.0
    """By how much the schedule is put off, for faults that took longer than the time until the next."""
    _lasting: list[_Lasting] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long faults have been going on."""
        return time.monotonic() - self._begun

    @property
    def current(self) -> str:
        """What goes on now."""
        return ", ".join(each.fault.kind for each in self._lasting) or "nothing"

    def until(self, reached: Callable[[], bool], *, seconds: float) -> bool:
        """Do what is due until something is reached; False when that took too long."""
        limit = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > limit:
                return False
            self._turn()
        return True

    def end(self) -> None:
        """End what lasts; nothing more is done."""
        self._next = len(self.faults)
        for each in self._lasting:
            self._finish(each)
        self._lasting.clear()

    def _turn(self) -> None:
        self.supervisor.check()
        self.harm.world.company.tend()
        self.progress(self.current)
        for each in [one for one in self._lasting if self.seconds >= one.until]:
            self._lasting.remove(each)
            self._finish(each)
        if self._next < len(self.faults) and self.faults[self._next].at + self._late <= self.seconds:
            self._next += 1
            self._begin(self.faults[self._next - 1])
            self._put_off()
        time.sleep(TICK_SECONDS)

    def _put_off(self) -> None:
        """Leave the world some of the planned time between two faults, however long the one took."""
        for before, after in itertools.pairwise(self.faults[self._next - 1 : self._next + 1]):
            rest = (after.at - before.at) * LEAST_REST
            self._late = max(self._late, self.seconds + rest - after.at)

    def _begin(self, fault: Fault) -> None:
        begun = datetime.now(UTC)
        self.tell(f"{fault.kind}" + (f", {fault.depth} deep" if fault.depth else ""))
        try:
            end = self.harm.do(fault)
        except (RegistryError, AssertionError, OSError) as error:
            self.undone.append(f"{fault.kind}: {error}")
            self.tell(f"could not: {error}")
            return
        self.done.append(fault)
        if end is None:
            self.scribe.struck(fault.kind, begun=begun)
            return
        self._lasting.append(_Lasting(fault=fault, begun=begun, until=self.seconds + fault.seconds, end=end))

    def _finish(self, lasting: _Lasting) -> None:
        lasting.end()
        self.scribe.struck(lasting.fault.kind, begun=lasting.begun)
