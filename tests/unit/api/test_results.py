"""Many wait for results, and one task looks for all of them; what cannot be read is looked at again."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from api.results import LOOK_SECONDS, Results
from workers.refusals import BrokerUnreachable

CROWD = 1_200
LONG = 30.0
DONE = {"status": "SUCCESS", "result": 7}


@dataclass
class Kept:
    """What is stored, and how often somebody looked."""

    over: set[str] = field(default_factory=set)
    answered: set[UUID] = field(default_factory=set)
    failures: int = 0
    looks: int = 0

    def outcomes(self, task_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        self.looks += 1
        if self.failures:
            self.failures -= 1
            raise BrokerUnreachable(task="a look", reason="down", idempotency_key=None)
        return {each: DONE for each in task_ids if each in self.over}

    def those_answered(self, submission_ids: Collection[UUID]) -> Collection[UUID]:
        return self.answered & set(submission_ids)

    def results(self) -> Results:
        return Results(outcomes=self.outcomes, answered=self.those_answered)


async def _later(kept: Kept, *task_ids: str) -> None:
    await asyncio.sleep(2 * LOOK_SECONDS)
    kept.over.update(task_ids)


def test_hundreds_wait_at_the_cost_of_one() -> None:
    kept = Kept()

    async def crowd() -> list[Mapping[str, Any] | None]:
        results = kept.results()
        ids = [str(number) for number in range(CROWD)]
        waiting = asyncio.gather(*(results.wait(each, seconds=LONG) for each in ids))
        await _later(kept, *ids)
        return await waiting

    assert asyncio.run(crowd()) == [DONE] * CROWD
    assert kept.looks <= CROWD / 10


def test_all_who_wait_for_one_call_are_told_and_nobody_looks_afterwards() -> None:
    kept = Kept(over={"one"})

    async def crowd() -> int:
        results = kept.results()
        told = await asyncio.gather(*(results.wait("one", seconds=LONG) for _ in range(9)))
        assert told == [DONE] * 9
        seen = kept.looks
        await asyncio.sleep(5 * LOOK_SECONDS)
        return kept.looks - seen

    assert asyncio.run(crowd()) == 0


def test_what_takes_too_long_is_none_and_the_next_who_waits_is_told() -> None:
    kept = Kept()

    async def both() -> None:
        results = kept.results()
        assert await results.wait("one", seconds=LOOK_SECONDS) is None
        kept.over.add("one")
        assert await results.wait("one", seconds=LONG) == DONE

    asyncio.run(both())


def test_what_was_answered_elsewhere_is_waited_for_no_longer() -> None:
    submission = uuid4()
    kept = Kept(answered={submission})

    async def soon() -> object:
        return await asyncio.wait_for(kept.results().wait("lost", seconds=LONG, submission_id=submission), LONG / 3)

    assert asyncio.run(soon()) is None


def test_results_that_cannot_be_read_for_a_moment_are_looked_at_again() -> None:
    kept = Kept(over={"one"}, failures=1)
    assert asyncio.run(kept.results().wait("one", seconds=LONG)) == DONE
    assert kept.looks == 2
