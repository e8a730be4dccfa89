"""What a service sees of us: tasks called by name through the broker, answers awaited without blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from kombu.entity import Queue

from registry.domain.errors import RegistryError
from workers.rules import CHAIN, DEFAULT, QUEUES

_QUEUE_OF = {"policies.handle_on_chain_event": CHAIN}


class TaskCrashed(RegistryError):
    """A task ended with an error that is no answer."""

    code = "task_crashed"
    sentence = "{task} ended with {error}"
    remedy = "look at the workers' logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A call on its way."""

    task: str
    result: AsyncResult

    def is_over(self) -> bool:
        """Whether the answer, or the refusal, has come."""
        return bool(self.result.ready())

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """Give the answer of a call that is over, or raise the refusal as the error it was."""
        if self.result.successful():
            return self.result.result
        error = self.result.result
        if isinstance(error, RegistryError):
            raise error
        raise TaskCrashed(task=self.task, error=f"{type(error).__name__}: {error}")


class Client:
    """A Celery application that knows nothing but the broker and where results are kept."""

    def __init__(self, *, broker_url: str, result_url: str) -> None:
        self._app = Celery("registry-client", broker=broker_url, backend=result_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            result_serializer="json",
            accept_content=["json"],
            task_queues=[Queue(name) for name in QUEUES],
            task_default_queue=DEFAULT,
            task_create_missing_queues=False,
        )

    def send(self, task: str, message: Mapping[str, object]) -> Pending:
        """Call a task with its one JSON object."""
        queue = _QUEUE_OF.get(task, DEFAULT)
        return Pending(task=task, result=self._app.send_task(task, args=[dict(message)], queue=queue))

    def close(self) -> None:
        """Give the sockets back."""
        self._app.close()
