"""What a service sees of us: tasks called by name through the broker, answers awaited without blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from celery import Celery
from celery.backends.base import Backend
from celery.states import READY_STATES, SUCCESS
from kombu.entity import Queue

from registry.domain.errors import RegistryError
from workers.rules import CHAIN, DEFAULT, QUEUES

_QUEUE_OF = {"policies.handle_on_chain_event": CHAIN}


class TaskCrashed(RegistryError):
    """A task ended with an error that is no answer."""

    code = "task_crashed"
    sentence = "{task} ended with {error}"
    remedy = "look at the workers' logs"


class Client:
    """A Celery application that knows nothing but the broker and where results are kept."""

    def __init__(self, *, broker_url: str, result_url: str) -> None:
        self._app = Celery("registry-client", broker=broker_url, backend=result_url, set_as_current=False)
        self._app.conf.update(
            task_serializer="json",
            result_serializer="json",
            accept_content=["json"],
            task_queues=[Queue(name) for name in QUEUES],  # type: ignore[no-untyped-call] # kombu ships few types
            task_default_queue=DEFAULT,
            task_create_missing_queues=False,
        )

    def send(self, task: str, message: Mapping[str, object]) -> "Pending":
        """Call a task with its one JSON object."""
        queue = _QUEUE_OF.get(task, DEFAULT)
        # Only the id is kept: a result that is awaited holds a subscription, and mourns a broker that is gone.
        task_id = self._app.send_task(task, args=[dict(message)], queue=queue).id
        return Pending(task=task, task_id=task_id, backend=self._app.backend)

    def close(self) -> None:
        """Give the sockets back."""
        self._app.close()


@dataclass(slots=True, kw_only=True)
class Pending:
    """A call on its way."""

    task: str
    task_id: str
    backend: Backend
    _outcome: Mapping[str, Any] | None = None

    def is_over(self) -> bool:
        """Look once whether the answer, or the refusal, has come."""
        outcome = self.backend.get_task_meta(self.task_id)
        if outcome["status"] in READY_STATES:
            self._outcome = outcome
        return self._outcome is not None

    def answer(self) -> Any:  # noqa: ANN401 - JSON
        """Give the answer of a call that is over, or raise the refusal as the error it was."""
        if self._outcome is None:
            raise ValueError(f"{self.task} is not over yet")
        result = self._outcome["result"]
        if self._outcome["status"] == SUCCESS:
            return result
        if isinstance(result, RegistryError):
            raise result
        raise TaskCrashed(task=self.task, error=f"{type(result).__name__}: {result}")
