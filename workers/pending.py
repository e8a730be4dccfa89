"""A call on its way: look whether it is over, or wait for its answer."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from celery.states import SUCCESS

from workers.refusals import AnswerTimeout, error_of

LOOK_SECONDS = 0.02

Answer = TypeVar("Answer")


@dataclass(slots=True, kw_only=True)
class Pending(Generic[Answer]):
    """A call, from its sending until its answer, its refusal or the end of its time.

    `idempotency_key` is what a request was sent under: keep it, and the request can be asked again.
    """

    task: str
    task_id: str
    idempotency_key: str | None
    seconds: float
    look: Callable[["Pending[Any]"], Mapping[str, Any] | None]
    _end: float
    _outcome: Mapping[str, Any] | None = None

    def is_over(self) -> bool:
        """Look once, without waiting: has the answer come, or the refusal, or has the time run out?"""
        if self._outcome is None:
            self._outcome = self.look(self)
        return self._outcome is not None or time.monotonic() >= self._end

    def answer(self) -> Answer:
        """Wait for the answer.

        Raises:
            RegistryError: the refusal, as the class and with the figures that the task raised.
            AnswerTimeout: none came in time; asked once more, it looks once more.
        """
        while not self.is_over():
            time.sleep(LOOK_SECONDS)
        if self._outcome is None:
            raise AnswerTimeout(task=self.task, seconds=self.seconds, idempotency_key=self.idempotency_key)
        result = self._outcome["result"]
        if self._outcome["status"] != SUCCESS:
            raise error_of(result, task=self.task, task_id=self.task_id)
        return cast("Answer", result)
