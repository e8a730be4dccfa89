"""Pushes against the chain: early, late, twice, in any order, of a fork that lost; the end is what following finds."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import col

from registry.domain.push import PushOutcome, PushSource
from registry.domain.units import BlockHash, StacksHeight
from registry.services import pushes
from registry.stacks.node import Block
from registry.store import blocks
from registry.store.session import unit_of_work
from registry.store.tables import PushRow
from tests.integration.driver import Driver
from tests.integration.pushing import hook_v1, hook_v2, new_block

PATIENCE = timedelta(minutes=10)


def push(driver: Driver, body: object, *, source: PushSource = PushSource.NODE) -> int:
    """Keep a body as the front door does."""
    return pushes.keep(driver.database, source, json.dumps(body).encode()).id


def follow(driver: Driver, *, first: int | None = None, later: timedelta = timedelta(0)) -> dict[int, str]:
    """A round of `chain.follow`, or of `chain.take_push` with `first`; the outcomes of the pushes taken in it."""
    waiting = pushes.waiting(driver.database, first=first, limit=20)
    driver.follow()
    return {**pushes.take(driver.database, waiting, patience=PATIENCE, now=driver.now() + later)}


def mined(driver: Driver, count: int = 1) -> tuple[Block, ...]:
    """Seal blocks that nobody has followed yet."""
    driver.chain.mine(count)
    newest = driver.chain.node.tip().height
    return tuple(block(driver, newest - back) for back in reversed(range(count)))


def block(driver: Driver, height: int) -> Block:
    found = driver.chain.node.block(StacksHeight(height))
    assert found is not None
    return found


def is_applied(driver: Driver, one: Block) -> bool:
    with unit_of_work(driver.database) as session:
        return blocks.is_canonical(session, one.index_block_hash)


def waits(driver: Driver, push_id: int) -> bool:
    with unit_of_work(driver.database) as session:
        return session.get_one(PushRow, push_id).taken_at is None


def test_a_pushed_block_is_followed_at_once_and_known_afterwards(driver: Driver) -> None:
    (fresh,) = mined(driver)
    first = push(driver, new_block(fresh))
    assert follow(driver, first=first) == {first: PushOutcome.APPLIED}
    assert is_applied(driver, fresh)
    again = push(driver, new_block(fresh, events=[{}]))
    assert follow(driver, first=again) == {again: PushOutcome.KNOWN}


def test_pushes_in_any_order_and_twice_are_all_taken_in_one_round(driver: Driver) -> None:
    sealed = mined(driver, 3)
    ids = [push(driver, new_block(each)) for each in reversed(sealed)]
    assert [push(driver, new_block(each)) for each in reversed(sealed)] == ids
    assert follow(driver, first=ids[0]) == dict.fromkeys(ids, PushOutcome.APPLIED)
    assert all(is_applied(driver, each) for each in sealed)
    assert follow(driver, first=ids[0]) == {}


def test_what_was_never_pushed_is_followed_all_the_same(driver: Driver) -> None:
    lost, told = mined(driver, 2)
    push_id = push(driver, new_block(told))
    assert follow(driver, first=push_id) == {push_id: PushOutcome.APPLIED}
    assert is_applied(driver, lost)
    (never,) = mined(driver)
    driver.follow()
    assert is_applied(driver, never)


def test_a_block_that_the_api_does_not_show_yet_is_waited_for(driver: Driver) -> None:
    driver.chain.mine()
    driver.follow()
    early = replace(driver.chain.node.tip(), height=StacksHeight(driver.chain.node.tip().height + 1))
    ahead = replace(early, index_block_hash=BlockHash("ab" * 32))
    push_id = push(driver, new_block(ahead))
    assert follow(driver, first=push_id) == {}
    assert waits(driver, push_id)
    # it never comes: two others stand in its place
    mined(driver, 2)
    assert follow(driver) == {push_id: PushOutcome.NOT_CANONICAL}


def test_what_is_never_seen_is_given_up_after_a_while(driver: Driver) -> None:
    tip = driver.chain.node.tip()
    far = replace(tip, height=StacksHeight(tip.height + 100), index_block_hash=BlockHash("cd" * 32))
    push_id = push(driver, new_block(far))
    assert follow(driver) == {}
    assert follow(driver, later=PATIENCE / 2) == {}
    assert follow(driver, later=PATIENCE * 2) == {push_id: PushOutcome.GIVEN_UP}
    assert follow(driver, later=PATIENCE * 2) == {}


@pytest.mark.parametrize("hook", [hook_v1, hook_v2])
def test_a_rollback_is_taken_before_what_stands_in_its_place(
    driver: Driver, hook: Callable[..., dict[str, Any]]
) -> None:
    lost = mined(driver, 2)
    driver.follow()
    driver.chain.reorganise(2)
    won = mined(driver, 3)
    push_id = push(driver, hook(gone=lost, come=won), source=PushSource.CHAINHOOK)
    assert follow(driver, first=push_id) == {push_id: PushOutcome.APPLIED}
    assert not any(is_applied(driver, each) for each in lost)
    assert all(is_applied(driver, each) for each in won)
    # told of the lost ones afterwards, as hooks and nodes may
    late = push(driver, new_block(lost[0]))
    assert follow(driver, first=late) == {late: PushOutcome.NOT_CANONICAL}


def test_a_rollback_that_the_api_does_not_show_takes_nothing_back(driver: Driver) -> None:
    stands = mined(driver, 2)
    driver.follow()
    push_id = push(driver, hook_v2(gone=stands), source=PushSource.CHAINHOOK)
    assert follow(driver, first=push_id) == {}
    assert all(is_applied(driver, each) for each in stands)
    driver.chain.reorganise(2)
    mined(driver, 3)
    assert follow(driver) == {push_id: PushOutcome.APPLIED}


def test_a_fork_that_only_a_parents_hash_shows_is_rewound(driver: Driver) -> None:
    policy_id = driver.buy()
    assert driver.policy(policy_id).status_detailed == "Active"
    lost = mined(driver, 1)
    driver.follow()
    driver.chain.reorganise(driver.depths.final + 3)
    won = mined(driver, driver.depths.final + 5)
    assert won[0].parent_index_block_hash != lost[-1].index_block_hash
    push_id = push(driver, new_block(won[-1]))
    assert follow(driver, first=push_id) == {push_id: PushOutcome.APPLIED}
    assert not is_applied(driver, lost[0])
    assert driver.edges(policy_id).startswith("abp")


def test_a_burn_block_is_a_reason_to_follow_and_no_more(driver: Driver) -> None:
    driver.chain.burn()
    tip = driver.chain.node.tip()
    push_id = push(driver, {"burn_block_hash": "0x" + "0" * 64, "burn_block_height": tip.burn_height, "slots": []})
    assert follow(driver, first=push_id) == {push_id: PushOutcome.FOLLOWED}
    assert is_applied(driver, tip)


def test_the_push_that_is_asked_for_is_taken_however_many_wait(driver: Driver) -> None:
    tip = driver.chain.node.tip()
    for number in range(3):
        far = replace(tip, height=StacksHeight(tip.height + 50), index_block_hash=BlockHash(f"{number:064x}"))
        push(driver, new_block(far))
    asked = push(driver, new_block(tip))
    read = pushes.waiting(driver.database, first=asked, limit=2)
    assert read[0].id == asked
    assert len(read) == 2


def test_what_was_taken_is_removed_when_it_is_old_and_what_waits_is_not(driver: Driver) -> None:
    taken = [push(driver, new_block(each)) for each in mined(driver, 3)]
    follow(driver)
    tip = driver.chain.node.tip()
    far = replace(tip, height=StacksHeight(tip.height + 50), index_block_hash=BlockHash("ef" * 32))
    left = push(driver, new_block(far))
    later = driver.now() + timedelta(days=8)
    assert pushes.prune(driver.database, before=driver.now() - timedelta(days=7), limit=10) == 0
    assert pushes.prune(driver.database, before=later, limit=2) == 2
    assert pushes.prune(driver.database, before=later, limit=2) == 1
    with unit_of_work(driver.database) as session:
        kept = session.execute(select(col(PushRow.id))).scalars().all()
    assert list(kept) == [left]
    assert not set(kept) & set(taken)
