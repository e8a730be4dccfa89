"""Sweeps: one policy that nobody foresaw does not hold up those behind it."""

from uuid import UUID, uuid4

import pytest

from registry.domain.errors import DatabaseUnavailable
from registry.domain.lease import LeaseLost
from workers.policies import for_each

FIRST, SECOND = uuid4(), uuid4()


@pytest.mark.parametrize("error", [KeyError("a row that is not there"), LeaseLost(policy_id="p", token=1, newest=2)])
def test_those_behind_a_policy_that_fails_have_their_turn(error: Exception) -> None:
    def do(policy_id: UUID) -> int:
        if policy_id == FIRST:
            raise error
        return 1

    assert for_each([FIRST, SECOND], do) == 1


def test_without_the_database_nobody_has_a_turn() -> None:
    asked: list[UUID] = []

    def do(policy_id: UUID) -> int:
        asked.append(policy_id)
        raise DatabaseUnavailable(reason="it is down")

    with pytest.raises(DatabaseUnavailable):
        for_each([FIRST, SECOND], do)
    assert asked == [FIRST]
