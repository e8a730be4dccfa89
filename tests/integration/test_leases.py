"""Leases: one drive at a time for each policy, and a late one writes nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from registry.domain.lease import MOST_DOUBLINGS, Held, LeaseLost
from registry.domain.policy import PolicyStatus
from registry.services import activation, advance, creation, expiration, failures, sync
from registry.store import policies
from registry.store.session import unit_of_work
from tests.integration.driver import LEASE, Driver
from tests.integration.walks import quoted, run_out


def take(driver: Driver, *, later: timedelta = timedelta(0)) -> Held:
    """Claim what stands still: one policy."""
    (held,) = advance.claim(driver.database, height=driver.height, lease=LEASE, limit=9, now=driver.now() + later)
    return held


def stands_still(driver: Driver, policy_id: UUID) -> UUID:
    """Let a policy be due for a look."""
    with unit_of_work(driver.database) as session:
        policies.look_again(session, policy_id, at=driver.now(), height=None)
    return policy_id


def ran_out(driver: Driver) -> UUID:
    return stands_still(driver, run_out(driver))


def length_of(driver: Driver, policy_id: UUID, *, since: timedelta) -> timedelta:
    """How long a lease lasts that was taken so long after now, about."""
    ends = driver.policy(policy_id).next_look_at
    assert ends is not None
    return ends - driver.now() - since


def test_two_sweeps_never_take_one_policy_twice(driver: Driver) -> None:
    policy_id = ran_out(driver)
    assert driver.sweep() == ([policy_id], [])
    assert driver.sweep() == ([], [])
    assert driver.claim() == []


def test_the_lease_of_a_dead_worker_runs_out_and_another_goes_on(driver: Driver) -> None:
    policy_id = ran_out(driver)
    first = take(driver)
    assert driver.claim(later=LEASE.length - timedelta(seconds=5)) == []
    second = take(driver, later=LEASE.length)
    assert (second.policy_id, second.token) == (policy_id, first.token + 1)
    assert driver.policy(policy_id).lease_owner == LEASE.owner


def test_a_policy_that_does_not_move_is_taken_more_rarely_and_starts_over_once_it_moved(driver: Driver) -> None:
    policy_id = ran_out(driver)
    lengths, since = [], timedelta(0)
    for _ in range(MOST_DOUBLINGS + 2):
        take(driver, later=since)
        lengths.append(round(length_of(driver, policy_id, since=since) / LEASE.length))
        since += timedelta(days=1)
    assert lengths == [1, 2, 4, 8, 8]
    assert driver.expire(policy_id) == [policy_id]
    assert driver.policy(policy_id).lease_attempts == 0


def test_a_late_drive_with_an_old_token_writes_nothing(driver: Driver) -> None:
    policy_id = ran_out(driver)
    own, old = driver.chain, take(driver).token
    take(driver, later=LEASE.length)
    about: dict[str, Any] = {"height": driver.height, "now": driver.now()}
    before = driver.policy(policy_id)
    late: list[Callable[[], object]] = [
        lambda: sync.sync(driver.database, own.contracts, policy_id, lease=old, **about),
        lambda: activation.decide(driver.database, policy_id, price_ids=[], lease=old, **about),
        lambda: expiration.give_up(driver.database, policy_id, lease=old, **about),
        lambda: creation.prepare(driver.database, own.contracts, own.quote_key, policy_id, lease=old),
        lambda: failures.retry_by_itself(driver.database, policy_id, now=driver.now(), lease=old),
        lambda: advance.step_of(driver.database, policy_id, lease=LEASE, token=old, **about),
    ]
    for write in late:
        with pytest.raises(LeaseLost):
            write()
    assert expiration.begin(driver.database, [policy_id], leases={policy_id: old}, **about) == []
    assert driver.policy(policy_id).model_dump() == before.model_dump()
    assert driver.edges(policy_id) == "ab"


def test_of_a_batch_only_those_are_left_out_whose_lease_was_lost(driver: Driver) -> None:
    lost = driver.buy(duration_days=7)
    kept = ran_out(driver)
    stands_still(driver, lost)
    now = driver.now()
    held = {
        each.policy_id: each.token
        for each in advance.claim(driver.database, height=driver.height, lease=LEASE, limit=9, now=now)
    }
    assert driver.next(lost) is not None  # takes it over
    begun = expiration.begin(driver.database, [lost, kept], height=driver.height, now=now, leases=held)
    assert begun == [kept]
    assert (driver.edges(lost), driver.edges(kept)) == ("ab", "abj")


def test_what_has_changed_takes_a_policy_over_from_whoever_has_it(driver: Driver) -> None:
    policy_id = ran_out(driver)
    held = take(driver)
    assert driver.next(policy_id) is not None
    assert driver.policy(policy_id).lease_token == held.token + 1


def test_the_sweep_passes_by_what_an_owners_request_drives(driver: Driver) -> None:
    policy_id = driver.buy()
    stands_still(driver, policy_id)
    driver.chain.price("44000")
    message = {"owner_principal": driver.owner, "policy_id": str(policy_id), "idempotency_key": "one"}
    height = driver.chain.node.tip().burn_height
    activation.request(driver.database, driver.chain.contracts, message, height=height, lease=LEASE, now=driver.now())
    assert driver.claim() == []
    assert driver.claim(later=LEASE.length) == [policy_id]


def test_a_message_of_an_older_release_bears_no_token_and_is_done(driver: Driver) -> None:
    policy_id = ran_out(driver)
    take(driver)
    assert driver.expire(policy_id) == [policy_id]
    assert driver.policy(policy_id).status_detailed == PolicyStatus.EXPIRING


def test_what_waits_for_a_person_is_not_taken_by_sweep_after_sweep(driver: Driver) -> None:
    policy_id, _, valid_until = quoted(driver)
    with pytest.raises(failures.MessageGivenUp):
        failures.count_delivery(
            driver.database, "one", task="any", arguments={}, policy_id=policy_id, most=1, now=driver.now()
        )
    driver.chain.burn(valid_until - driver.height.tip + driver.depths.final)
    driver.follow()
    assert driver.next(policy_id) is None
    assert driver.claim() == []


def test_what_only_waits_is_held_by_nobody(driver: Driver) -> None:
    policy_id = driver.buy()
    stands_still(driver, policy_id)
    take(driver)
    assert driver.next(policy_id) is None
    row = driver.policy(policy_id)
    assert (row.lease_owner, row.lease_attempts, row.next_look_at) == (None, 0, None)
