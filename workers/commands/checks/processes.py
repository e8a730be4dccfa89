"""Our processes: a worker for each queue, messages that wait, and beat."""

import time
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from celery import Celery
from kombu.exceptions import OperationalError
from redis import Redis, RedisError

from registry.settings import Settings
from workers.commands.checks.check import Checks, held, ok, problem, warning
from workers.queues import QUEUES

ANSWER_SECONDS = 1.5
CROWD = 1000
BEATS = "transactions.poll"
"""A task that nobody but beat sends."""
ENTRY = "poll"
GRACE_SECONDS = 3.0
LOOK_SECONDS = 1.0


@dataclass(kw_only=True)
class Fleet:
    """The workers that hear us through the broker. `handled` counts what beat had them do when first asked."""

    settings: Settings
    handled: Mapping[str, int] | None = None

    def begin(self) -> Checks:
        """Note what the workers have done so far, to see later whether beat sends them more."""
        with suppress(OSError, OperationalError, RedisError):  # the broker has lines of its own
            self.handled = self._count()
        yield from ()

    def look(self) -> Checks:
        """Look at all of them; where `begin` found no broker, nobody can be asked."""
        if self.handled is None:
            yield warning("workers", "they cannot be asked without the broker", do="see to the broker first")
            return
        yield from held("workers", self.workers)
        yield from held("messages", self.waiting)
        yield from held("beat", lambda: self.beat(interval=beat_interval()))

    def workers(self) -> Checks:
        """A worker for each queue."""
        nodes = self._ask("active_queues")
        served: dict[str, list[str]] = {queue: [] for queue in QUEUES}
        for name, queues in nodes.items():
            for each in queues:
                served.setdefault(each["name"], []).append(name)
        for queue, names in served.items():
            if names:
                yield ok(f"queue {queue}", f"served by {', '.join(sorted(names))}")
            else:
                todo = f"start `celery -A workers.app worker -Q {queue}`"
                yield problem(f"queue {queue}", "no worker serves it", do=todo)

    def waiting(self) -> Checks:
        """Messages that no worker has taken yet."""
        url = self.settings.broker_url.get_secret_value()
        with closing(Redis.from_url(url, socket_timeout=5.0, socket_connect_timeout=5.0)) as client:
            lengths = {queue: int(client.llen(queue)) for queue in QUEUES}
        found = ", ".join(f"{length} in {queue}" for queue, length in lengths.items())
        if max(lengths.values()) > CROWD:
            yield warning("messages", found, do="start more workers for the queue that grows")
        else:
            yield ok("messages", found)

    def beat(self, *, interval: float, pause: Callable[[float], None] = time.sleep) -> Checks:
        """Whether beat has had the workers do anything since `begin`; waits for its next message if need be."""
        begun = self.handled
        if not begun:
            yield warning("beat", "no worker answers that could tell of it", do="start the workers first")
            return
        end = time.monotonic() + interval + GRACE_SECONDS
        while (moved := _sum(self._count()) - _sum(begun)) <= 0 and time.monotonic() < end:
            pause(LOOK_SECONDS)
        if moved > 0:
            yield ok("beat", f"it sends: {BEATS} came {moved} times meanwhile, every {interval:g} s")
        else:
            yield problem(
                "beat", f"{BEATS} did not come for {interval:g} s", do="start `celery -A workers.app beat`, once"
            )

    def _count(self) -> dict[str, int]:
        told = self._ask("stats")
        return {name: int(each.get("total", {}).get(BEATS, 0)) for name, each in told.items()}

    def _ask(self, question: str) -> dict[str, Any]:
        # Not workers.app: its connection would be tried again for ever.
        client = Celery(broker=self.settings.broker_url.get_secret_value())
        client.conf.broker_transport_options = {
            "socket_connect_timeout": ANSWER_SECONDS,
            "socket_timeout": 2 * ANSWER_SECONDS,
            "max_retries": 1,
        }
        with client:
            told: list[dict[str, Any]] | None = client.control.broadcast(question, reply=True, timeout=ANSWER_SECONDS)
        return {name: answer for each in told or () for name, answer in each.items()}


def beat_interval() -> float:
    """Seconds between two messages that only beat sends."""
    from workers.app import app  # noqa: PLC0415 - it reads the settings as it is imported

    seconds: float = app.conf.beat_schedule[ENTRY]["schedule"].total_seconds()
    return seconds


def _sum(counts: Mapping[str, int]) -> int:
    return sum(counts.values())
