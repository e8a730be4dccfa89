"""What is written down while it happens: by owners what they asked and were answered, by the conductor what it did."""

import json
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from workers.audit.toll import Asked, Journal, Struck, Wished


@dataclass
class Scribe:
    """Writes each line at once, so that a run that is cut short can be read; threads share it."""

    path: Path
    _asked: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    _wished: list[Wished] = field(default_factory=list)
    _struck: list[Struck] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def asked(self, owner: str, key: str) -> None:
        """Somebody is about to ask for a policy."""
        with self._lock:
            self._asked.setdefault((owner, key), set())
        self._write("asked", owner=owner, key=key)

    def answered(self, owner: str, key: str, *, policy: str) -> None:
        """He was answered."""
        with self._lock:
            self._asked.setdefault((owner, key), set()).add(policy)
        self._write("answered", owner=owner, key=key, policy=policy)

    def accepted(self, policy: str, key: str) -> None:
        """A request to be paid was accepted."""
        with self._lock:
            self._wished.append(Wished(policy=policy, key=key))
        self._write("accepted", policy=policy, key=key)

    def struck(self, what: str, *, begun: datetime, ended: datetime | None = None) -> None:
        """A fault is over, just now unless it is told when."""
        fault = Struck(what=what, begun=begun, ended=ended or datetime.now(UTC))
        with self._lock:
            self._struck.append(fault)
        self._write("struck", fault=what, begun=begun.isoformat())

    def note(self, what: str, **more: object) -> None:
        """Anything else that helps to understand a run."""
        self._write(what, **more)

    @property
    def faults(self) -> int:
        """How many are over."""
        return len(self._struck)

    def journal(self) -> Journal:
        """All of it, for the toll."""
        with self._lock:
            return Journal(
                asked=tuple(
                    Asked(owner=owner, key=key, policies=tuple(sorted(policies)))
                    for (owner, key), policies in self._asked.items()
                ),
                wished=tuple(self._wished),
                struck=tuple(self._struck),
            )

    def _write(self, what: str, **more: object) -> None:
        line = json.dumps({"at": datetime.now(UTC).isoformat(), "what": what, **more})
        with self._lock, self.path.open("a") as file:
            file.write(line + "\n")
