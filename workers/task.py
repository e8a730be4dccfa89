"""The one base task: what every task binds to its log lines, and which errors are an answer, not a crash."""

from inspect import signature
from typing import Any

from celery import Task
from structlog.contextvars import bound_contextvars

from registry.domain.errors import RegistryError

_SHOWN = ("policy_id", "transaction_id", "quote", "tx_id")


class RegistryTask(Task):  # type: ignore[misc] # Celery ships no types
    """A task whose typed errors travel as data and are logged without a traceback."""

    abstract = True
    throws = (RegistryError,)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the task takes and answers
        """Run with the task's name and id, and the ids that it is about, on every log line."""
        given = signature(self.run).bind_partial(*args, **kwargs).arguments
        about = {name: given[name] for name in _SHOWN if name in given}
        with bound_contextvars(task=self.name, task_id=self.request.id, **about):
            return super().__call__(*args, **kwargs)

    def end_canvas(self) -> None:
        """Publish no further link: what comes next waits for the chain, and is found by a sweep."""
        self.request.chain = None
