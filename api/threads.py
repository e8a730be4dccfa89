"""Calls that block, off the event loop: few at once, and none is waited for without a limit."""

from collections.abc import Callable
from typing import TypeVar

import anyio
import structlog
from anyio.to_thread import run_sync

from api.problem import unavailable

_Answer = TypeVar("_Answer")
_LOG = structlog.get_logger()


class Threads:
    """A few threads for calls of one kind, made within a running event loop."""

    def __init__(self, *, most: int, seconds: float) -> None:
        """Allow `most` calls at once, each `seconds` for waiting its turn and for being done."""
        self._limiter = anyio.CapacityLimiter(most)
        self._seconds = seconds

    @property
    def are_all_busy(self) -> bool:
        """Whether a further call would have to wait."""
        return self._limiter.available_tokens < 1

    async def run(self, call: Callable[[], _Answer]) -> _Answer:
        """Make a call; one that takes too long goes on alone, and is answered with 503."""
        try:
            with anyio.fail_after(self._seconds):
                return await run_sync(call, limiter=self._limiter, abandon_on_cancel=True)
        except TimeoutError:
            _LOG.error("api.too_slow", seconds=self._seconds)
            raise unavailable(code="overloaded") from None
