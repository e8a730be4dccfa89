"""One node among several: its client, and the breaker that hears how each call of it went."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from registry.domain.errors import RegistryError
from registry.outside.breaker import Breaker
from registry.stacks.http_node import HttpNode
from registry.stacks.node import NodeUnavailable, NotAsked

_TOO_MANY = 429
_CLIENT_ERRORS = range(400, 500)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One node; `name` is shown and holds no secret."""

    name: str
    node: HttpNode
    breaker: Breaker

    def ask(self, call: Callable[[HttpNode], T]) -> T:
        """Call it, unless it is left alone.

        Raises:
            NotAsked: it fails, and is left alone for a while.
            NodeUnavailable: as the call says.
        """
        shut = self.breaker.refuses()
        if shut is not None:
            raise NotAsked(endpoint=self.name, reason=shut.because, retry_after=math.ceil(shut.seconds))
        try:
            found = call(self.node)
        except NodeUnavailable as error:
            self._judge(error)
            raise
        except RegistryError:
            self.breaker.succeeded()  # it answered
            raise
        self.breaker.succeeded()
        return found

    def passes_on(self, error: NodeUnavailable) -> bool:
        """Whether another node is to be asked at once: this one is left alone, or nobody is there."""
        return self.breaker.is_open or _is_unreachable(error)

    def _judge(self, error: NodeUnavailable) -> None:
        """A refusal that is an answer is none of its failures; a call that we did not make says nothing."""
        if isinstance(error, NotAsked):
            return
        status, wait = error.figures["status"], error.figures["retry_after"]
        if status in _CLIENT_ERRORS and status != _TOO_MANY:
            self.breaker.succeeded()
        else:
            self.breaker.failed(str(error.figures["reason"]), wait=wait if isinstance(wait, int) else None)


def _is_unreachable(error: NodeUnavailable) -> bool:
    return not error.maybe_sent and error.figures["status"] is None and not isinstance(error, NotAsked)
