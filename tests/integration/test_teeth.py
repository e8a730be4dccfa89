"""The auditor has teeth: with each guard switched off, one after another, its own line tells what that costs."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.policy import TRANSITIONS, Edge, PolicyStatus
from registry.domain.units import BaseUnits
from registry.services import blocks, broadcast, events
from registry.services.terms import quote_terms
from registry.stacks.contracts import Contracts
from registry.stacks.node import Accepted, Rejected
from registry.stacks.quote import sign_quote
from registry.stacks.wallet import wallet_payload
from registry.stacks.wire import Transaction
from registry.store import policies, quotes
from registry.store.session import unit_of_work
from registry.store.tables import PolicyEventRow, PolicyRow
from tests.integration.driver import LEASE, Driver
from tests.integration.walks import quoted, settling
from workers.audit.audit import judge, read_facts
from workers.audit.chain import Addresses
from workers.audit.toll import Journal, Toll, take

A_DAY = timedelta(days=1)
FOR_EVER = replace(LEASE, length=timedelta(days=3_650))

Switch = pytest.MonkeyPatch


class WorkerDied(BaseException):
    """A worker is gone; nothing that it ran catches this."""


def toll(driver: Driver) -> Toll:
    """The auditor's own count, of this database and this chain."""
    ours = driver.chain.contracts
    addresses = Addresses(stacks_url=driver.chain.url, registry=ours.registry, pool=ours.pool, sbtc=ours.sbtc)
    url = driver.database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    ledger, chain = read_facts(url, addresses)
    return take(ledger, chain, Journal(), complaints=judge(ledger, chain).details)


def holds(driver: Driver) -> Toll:
    """The guard is on: the line has nothing but zeros."""
    found = toll(driver)
    assert found.is_paid, (found.line, found.details)
    assert "lost 0 · doubled 0 · stuck 0 · drift 0" in found.line
    return found


def bites(driver: Driver) -> Toll:
    """The guard is off: the line tells."""
    found = toll(driver)
    assert not found.is_paid, found.line
    return found


def outlived(driver: Driver) -> UUID:
    """A quote that nobody signed and no block can hold any more."""
    policy_id, _, valid_until = quoted(driver)
    driver.chain.burn(valid_until - driver.chain.node.tip().burn_height + driver.depths.confirmed + 1)
    driver.follow()
    return policy_id


def give_up_in_two_workers(driver: Driver, switch: Switch, *, move: Callable[..., bool]) -> None:
    """Both have read the policy before either writes, for the row's lock is out of the way; the second is first."""
    policy_id = outlived(driver)
    second: Iterator[UUID] = iter([policy_id])

    def overtaken(*arguments: Any, **more: Any) -> bool:
        for each in second:
            driver.give_up(each)
        return move(*arguments, **more)

    with switch.context() as switched:
        switched.setattr(policies, "lock", lambda session, named, **_: policies.get(session, named))
        switched.setattr(policies, "move", overtaken)
        driver.give_up(policy_id)


def move_from_anywhere(
    session: Session,
    policy_id: UUID,
    edge: Edge,
    *,
    leaves: PolicyStatus,
    cause: str,
    actor: str,
    now: datetime,
    **_more: object,
) -> bool:
    """Move a policy, whatever status it has by now."""
    enters = TRANSITIONS[edge][1]
    session.execute(update(PolicyRow).where(col(PolicyRow.id) == policy_id).values(status_detailed=enters))
    session.add(
        PolicyEventRow(
            policy_id=policy_id, edge=edge, from_status=leaves, to_status=enters, cause=cause, actor=actor, at=now
        )
    )
    return True


def test_teeth_compare_and_set(driver: Driver, monkeypatch: Switch) -> None:
    give_up_in_two_workers(driver, monkeypatch, move=policies.move)
    holds(driver)
    give_up_in_two_workers(driver, monkeypatch, move=move_from_anywhere)
    assert bites(driver).doubled == 1


def pay_with_a_death(driver: Driver, *policy_ids: UUID, dies: Callable[[UUID], None]) -> None:
    """Pay these; the worker of the second dies the moment that the node has taken the bytes, and is never told."""
    first, second, third = policy_ids
    driver.run(first)
    with pytest.raises(WorkerDied):
        dies(second)
    driver.chain.mine()
    for policy_id in (third, second):
        signed = driver.sign(policy_id)
        if signed is not None:
            driver.send(signed)
            driver.chain.mine()
        driver.chain.burn(driver.depths.confirmed)
        driver.follow()
        if signed is not None:
            for each in driver.look(signed):
                driver.sync(each)


def test_teeth_storage_before_sending(driver: Driver, monkeypatch: Switch) -> None:
    node = driver.chain.node
    sends = node.broadcast

    def taken_and_untold(raw: bytes) -> Accepted | Rejected:
        sends(raw)
        raise WorkerDied

    def send_before_it_is_stored(*_: object, **__: object) -> UUID:
        (signed,) = (each for each in (*_, *__.values()) if isinstance(each, Transaction))
        sends(signed.encode())
        raise WorkerDied

    def stored_first(policy_id: UUID) -> None:
        signed = driver.sign(policy_id)
        assert signed is not None
        with monkeypatch.context() as switched:
            switched.setattr(node, "broadcast", taken_and_untold)
            driver.send(signed)

    def sent_first(policy_id: UUID) -> None:
        with monkeypatch.context() as switched:
            switched.setattr(broadcast, "_store", send_before_it_is_stored)
            driver.sign(policy_id)

    pay_with_a_death(driver, *(settling_again(driver) for _ in range(3)), dies=stored_first)
    holds(driver)
    pay_with_a_death(driver, *(settling_again(driver) for _ in range(3)), dies=sent_first)
    assert bites(driver).drift > 0


def settling_again(driver: Driver) -> UUID:
    driver.chain.price("50000")
    return settling(driver)


def finish_what_a_dead_worker_held(driver: Driver, policy_id: UUID) -> None:
    """Somebody claims it and dies. A day later everything that may be claimed is driven to its end."""
    assert policy_id in driver.claim(later=LEASE.length)
    for due in driver.claim(later=A_DAY):
        driver.run(due)


def test_teeth_lease(driver: Driver, monkeypatch: Switch) -> None:
    held = settling(driver)
    finish_what_a_dead_worker_held(driver, held)
    holds(driver)
    assert driver.policy(held).status_detailed == PolicyStatus.SETTLED
    claim = policies.claim_standing_still
    with monkeypatch.context() as switched:
        switched.setattr(
            policies,
            "claim_standing_still",
            lambda *arguments, **more: claim(*arguments, **{**more, "lease": FOR_EVER}),
        )
        finish_what_a_dead_worker_held(driver, settling_again(driver))
    found = bites(driver)
    assert (found.stuck, found.doubled) == (1, 0)


def lose_a_payout_to_a_fork(driver: Driver, policy_id: UUID) -> None:
    """Paid and confirmed; then the blocks are gone, with the payout, and a longer chain has none of it."""
    signed = driver.run(policy_id)
    driver.chain.reorganise(driver.depths.confirmed + 1, transactions="drop")
    for _ in range(driver.depths.confirmed + 2):
        driver.chain.burn()
    driver.follow()
    for each in driver.look(signed):
        driver.sync(each)
    driver.sync(policy_id)
    if driver.policy(policy_id).status_detailed == PolicyStatus.SETTLING:
        driver.chain.mine()
        driver.run(policy_id)


def test_teeth_rewind(driver: Driver, monkeypatch: Switch) -> None:
    paid_anew = settling(driver)
    lose_a_payout_to_a_fork(driver, paid_anew)
    holds(driver)
    assert driver.edges(paid_anew) == "abcdqd"
    policy_id = settling_again(driver)
    with monkeypatch.context() as switched:
        switched.setattr(blocks, "_rewind_fork", lambda *_, **__: set())
        lose_a_payout_to_a_fork(driver, policy_id)
    assert driver.policy(policy_id).status_detailed == PolicyStatus.SETTLED
    assert bites(driver).drift > 0


def buy_by_a_leaked_key(driver: Driver) -> UUID:
    """A purchase under our quote's id, signed with our quote key, for a tenth of the premium; then it is outlived."""
    policy_id, _, valid_until = quoted(driver)
    with unit_of_work(driver.database) as session:
        row = quotes.of_policy(session, policy_id)
        assert row is not None
        sold = quote_terms(row)
    cheaper = replace(sold, premium=BaseUnits(sold.premium // 10), fee=BaseUnits(1))
    ours: Contracts = driver.chain.contracts
    payload = wallet_payload(ours, cheaper, sign_quote(ours, cheaper, key=driver.chain.quote_key))
    driver.chain.buy(driver.wallet, payload)
    driver.chain.mine()
    driver.chain.burn(valid_until - driver.chain.node.tip().burn_height + driver.depths.confirmed + 1)
    driver.follow()
    driver.give_up(policy_id)
    return policy_id


def test_teeth_proof_of_purchase(driver: Driver, monkeypatch: Switch) -> None:
    given_up = buy_by_a_leaked_key(driver)
    holds(driver)
    assert driver.policy(given_up).status_detailed == PolicyStatus.FAILED_CREATION
    with monkeypatch.context() as switched:
        switched.setattr(events, "explains", lambda *_: True)
        believed = buy_by_a_leaked_key(driver)
    assert driver.policy(believed).status_detailed == PolicyStatus.ACTIVE
    assert bites(driver).drift > 0
