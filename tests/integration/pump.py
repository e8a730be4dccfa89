"""A worker inside the test's own process: Celery's messages and its own tracer, one task after another.

Messages are published to kombu's transport in memory, or to a broker, and what a worker's child runs is run here. A
task that is ended at a fault point loses its message, or gets it again after all others, as from a broker.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from enum import StrEnum

import pytest
from celery import Celery
from celery.app.trace import trace_task_ret
from celery.exceptions import Ignore
from kombu.message import Message

from workers.runtime import runtime

IN_MEMORY = "memory://"
RESULTS = "cache+memory://"
MOST = 20_000
"""Messages in one go, a few for each policy that one block concerns: more would be tasks that enqueue each other."""


class Killed(BaseException):
    """Ends a task at a point; nothing in between may catch it."""


class Fate(StrEnum):
    """What becomes of the message of a task that was killed."""

    REDELIVERED = "redelivered"
    LOST = "lost"


class Pump:
    """Takes messages off the queues and runs them."""

    def __init__(self, app: Celery) -> None:
        self.app = app
        self.fate = Fate.REDELIVERED
        self.kills = 0
        self.crashes: list[str] = []
        self.swallowed: list[str] = []
        """Tasks whose next message is popped and forgotten."""
        self.ran: list[tuple[str, str]] = []
        self._again: list[Message] = []
        self._connection = app.connection_for_read()
        channel = self._connection.channel()
        self._queues = [queue(channel) for queue in app.amqp.queues.values()]
        for queue in self._queues:
            queue.declare()
            queue.purge()

    def drain(self) -> None:
        """Run whatever is enqueued and whatever that enqueues."""
        for _ in range(MOST):
            message = self._next()
            if message is None:
                return
            if message.headers["task"] in self.swallowed:
                self.swallowed.remove(message.headers["task"])
                continue
            self._run(message)
        raise AssertionError(f"{MOST} messages, and there are more")

    def close(self) -> None:
        self._connection.close()

    def _next(self) -> Message | None:
        for queue in self._queues:
            message: Message | None = queue.get(no_ack=True)
            if message is not None:
                return message
        return self._again.pop(0) if self._again else None

    def _run(self, message: Message) -> None:
        headers, redelivered = message.headers, message.delivery_info.get("redelivered", False)
        request = {**headers, "delivery_info": {**message.delivery_info, "priority": 0, "redelivered": redelivered}}
        self.ran.append((headers["task"], headers["id"]))
        try:
            failed, answer, _ = trace_task_ret(
                headers["task"],
                headers["id"],
                request,
                message.body,
                message.content_type,
                message.content_encoding,
                app=self.app,
            )
        except Killed:
            self.kills += 1
            _forget_runtime()
            if self.fate is Fate.REDELIVERED:
                message.delivery_info["redelivered"] = True
                self._again.append(message)
            return
        if failed and answer.type is not Ignore:
            self.crashes.append(f"{headers['task']}: {answer.exception!r}")


@contextmanager
def pumping(environment: Mapping[str, str]) -> Iterator[Pump]:
    """Let the application of this process be a worker on its own messages, and be as it was afterwards."""
    own = {
        "broker_url": environment["REGISTRY_BROKER_URL"],
        "broker_transport_options": {},
        "result_backend": RESULTS,
    }
    with pytest.MonkeyPatch.context() as patch:
        # the first to import the configuration leaves it to all tests of this process
        for name, value in {"REGISTRY_RESULT_URL": RESULTS, **environment}.items():
            patch.setenv(name, value)
        from workers.app import app  # noqa: PLC0415 - it reads the settings

        app.loader.import_default_modules()
        before = {name: app.conf[name] for name in own}
        app.conf.update(own)
        _forget_connections(app)
        runtime.cache_clear()
        with closing(Pump(app)) as pump:
            yield pump
        _forget_runtime()
        app.conf.update(before)
        _forget_connections(app)


def _forget_runtime() -> None:
    """What a process holds ends with it."""
    with closing(runtime().database), closing(runtime().node):
        runtime.cache_clear()


def _forget_connections(app: Celery) -> None:
    """What was opened for another broker is opened anew."""
    app._after_fork()
    app._backend_cache = None
    app._local.__dict__.pop("backend", None)
