"""Results: many wait for calls on their way, and one task looks for all of them."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from api.problem import Problem
from api.threads import Threads
from registry.domain.errors import Unavailable

LOOK_SECONDS = 0.05
LOOK_SECONDS_IN_TROUBLE = 1.0
ROUNDS_A_SECOND = 20
"""Every so many looks at the results, one is taken at what others have kept meanwhile."""
MOST_AT_ONCE = 500
_LOG = structlog.get_logger()

Outcome = Mapping[str, Any]
"""What is stored of a call that is over: `status` and `result`."""


@dataclass(eq=False, slots=True, kw_only=True)
class _Waiting:
    task_id: str
    submission_id: UUID | None
    future: "asyncio.Future[Outcome | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def tell(self, outcome: Outcome | None) -> None:
        if not self.future.done():
            self.future.set_result(outcome)


class Results:
    """One per process, within a running event loop. Nothing is looked at while nobody waits."""

    def __init__(
        self,
        *,
        outcomes: Callable[[Sequence[str]], Mapping[str, Outcome]],
        answered: Callable[[Collection[UUID]], Collection[UUID]],
    ) -> None:
        """`outcomes` reads the results of calls, `answered` which submissions have an answer by now; both block."""
        self._outcomes = outcomes
        self._answered = answered
        self._waiting: set[_Waiting] = set()
        self._looking: asyncio.Task[None] | None = None
        self._threads = Threads(most=1, seconds=5.0)

    async def wait(self, task_id: str, *, seconds: float, submission_id: UUID | None = None) -> Outcome | None:
        """Wait for what a call ends with; None if that takes too long, or if its submission was answered otherwise."""
        mine = _Waiting(task_id=task_id, submission_id=submission_id)
        self._waiting.add(mine)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_on())
        try:
            async with asyncio.timeout(seconds):
                return await mine.future
        except TimeoutError:
            return None
        finally:
            self._waiting.discard(mine)

    async def _look_on(self) -> None:
        rounds = 0
        while self._waiting:
            pause = LOOK_SECONDS
            try:
                await self._look()
                if rounds % ROUNDS_A_SECOND == 0:
                    await self._look_at_submissions()
            except (Unavailable, Problem) as error:
                # whoever waits is told in time that it takes longer, and where to look
                _LOG.warning("results.unreadable", reason=type(error).__name__)
                pause = LOOK_SECONDS_IN_TROUBLE
            except Exception:  # noqa: BLE001 - whoever waits is owed the next look, whatever became of this one
                _LOG.exception("results.failed")
                pause = LOOK_SECONDS_IN_TROUBLE
            rounds += 1
            await asyncio.sleep(pause)

    async def _look(self) -> None:
        ids = sorted({each.task_id for each in self._waiting})
        for first in range(0, len(ids), MOST_AT_ONCE):
            found = await self._threads.run(partial(self._outcomes, ids[first : first + MOST_AT_ONCE]))
            for each in list(self._waiting):
                if each.task_id in found:
                    each.tell(found[each.task_id])

    async def _look_at_submissions(self) -> None:
        ids = {each.submission_id for each in self._waiting if each.submission_id is not None}
        if not ids:
            return
        found = await self._threads.run(partial(self._answered, ids))
        for each in list(self._waiting):
            if each.submission_id in found:
                each.tell(None)
