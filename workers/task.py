"""The one base task: what it binds to log lines, what Flower shows of it, which errors are an answer, not a crash.

It also counts a message that comes again, for one that ends its worker each time would come for ever; and it ends the
canvas of whoever has lost his lease.
"""

from collections.abc import Mapping
from inspect import BoundArguments, signature
from typing import Any
from uuid import UUID

import structlog
from celery import Task
from celery.app.amqp import AMQP
from structlog.contextvars import bound_contextvars

from registry import fault_points
from registry.domain.errors import Alarm, RegistryError
from registry.domain.lease import LeaseLost
from registry.services import failures
from workers.runtime import runtime

_LOG = structlog.get_logger()
_SHOWN = ("policy_id", "transaction_id", "quote", "tx_id")
_LONGEST = 10_000
"""Characters of arguments or of a result in events: the largest batch, 200 ids, so that Flower finds each by its id."""


class UnknownMessage(Alarm):
    """A message of another release, or of nobody's."""

    code = "unknown_message"
    sentence = "{task} does not take these arguments: {reason}"
    remedy = "nothing is lost, for what it was to do is found in the database; bring all processes to one release"


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
        given = self._given(*args, **kwargs).arguments
        about = {name: given[name] for name in _SHOWN if name in given}
        with bound_contextvars(task=self.name, task_id=self.request.id, **about), fault_points.doing(self.name):
            if (self.request.delivery_info or {}).get("redelivered"):
                self._count_delivery(args, kwargs, policy_id=_only_policy(given))
            try:
                return super().__call__(*args, **kwargs)
            except LeaseLost as lost:
                _LOG.info("lease.lost", **lost.figures)
                self.end_canvas()
                return None

    def end_canvas(self) -> None:
        """Publish no further link: what comes next waits for the chain, and is found by a sweep."""
        self.request.chain = None

    def _given(self, *args: Any, **kwargs: Any) -> BoundArguments:  # noqa: ANN401 - as above
        try:
            return signature(self.run).bind(*args, **kwargs)
        except TypeError as error:
            _LOG.error("message.unknown", task=self.name, task_id=self.request.id, reason=str(error))
            raise UnknownMessage(task=self.name, reason=str(error)) from None

    def _count_delivery(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, policy_id: UUID | None) -> None:
        own = runtime()
        try:
            failures.count_delivery(
                own.database,
                self.request.id,
                task=self.name,
                arguments={"args": list(args), "kwargs": kwargs},
                policy_id=policy_id,
                most=own.settings.max_deliveries,
                now=own.now(),
            )
        except failures.MessageGivenUp as given_up:
            _LOG.error("message.given_up", **given_up.figures)
            raise


def _only_policy(given: Mapping[str, object]) -> UUID | None:
    """The one policy that a message is about; None if it is about several, or none."""
    many = given.get("policy_ids")
    value = many[0] if isinstance(many, list) and len(many) == 1 else given.get("policy_id")
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None
