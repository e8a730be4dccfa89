"""The one base task: what it binds to log lines, what Flower shows of it, which errors are an answer, not a crash."""

from inspect import signature
from typing import Any

from celery import Task
from celery.app.amqp import AMQP
from structlog.contextvars import bound_contextvars

from registry.domain.errors import RegistryError

_SHOWN = ("policy_id", "transaction_id", "quote", "tx_id")
_LONGEST = 10_000
"""Characters of arguments or of a result in events: the largest batch, 200 ids, so that Flower finds each by its id."""


class Messages(AMQP):  # type: ignore[misc] # Celery ships no types
    """Task messages that tell all of their arguments to whoever watches."""

    argsrepr_maxsize = _LONGEST
    kwargsrepr_maxsize = _LONGEST


class RegistryTask(Task):  # type: ignore[misc] # Celery ships no types
    """A task whose typed errors travel as data and are logged without a traceback."""

    abstract = True
    throws = (RegistryError,)
    resultrepr_maxsize = _LONGEST

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - whatever the task takes and answers
        """Run with the task's name and id, and the ids that it is about, on every log line."""
        given = signature(self.run).bind_partial(*args, **kwargs).arguments
        about = {name: given[name] for name in _SHOWN if name in given}
        with bound_contextvars(task=self.name, task_id=self.request.id, **about):
            return super().__call__(*args, **kwargs)

    def end_canvas(self) -> None:
        """Publish no further link: what comes next waits for the chain, and is found by a sweep."""
        self.request.chain = None
