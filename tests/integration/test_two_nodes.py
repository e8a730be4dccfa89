"""Two nodes of one chain: the second takes over, also when it lags, and nothing is sent or undone because of that."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import cast
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlmodel import col

from registry.domain.policy import PolicyStatus
from registry.domain.units import Principal
from registry.outside.breaker import Breaker
from registry.services import broadcast, chain_height
from registry.settings import Settings
from registry.stacks.endpoint import Endpoint
from registry.stacks.http_node import HttpNode
from registry.stacks.node import Accepted, NodeUnavailable
from registry.stacks.nodes import Nodes
from registry.stacks.transport import Limits
from registry.stacks.wire import TESTNET
from registry.store.session import unit_of_work
from registry.store.tables import AttemptRow, BlockRow
from tests.integration.between import Between, Said, between
from tests.integration.driver import Driver
from workers.commands.checks.chain import BEHIND_BLOCKS
from workers.commands.checks.chain import node as look_at_node
from workers.commands.checks.check import Verdict, held
from workers.runtime import Runtime

LIMITS = Limits(connect_seconds=2, silence_seconds=0.5, answer_seconds=5)
LAG = 3


@pytest.fixture
def two(driver: Driver) -> Iterator[tuple[Between, Between]]:
    """Two ways to the chain, of which the first is preferred; the driver's own services use both."""
    with ExitStack() as held:
        ways = [held.enter_context(between(driver.chain.url)) for _ in range(2)]
        own = [Endpoint(name=each.url, node=HttpNode(each.url, limits=LIMITS), breaker=Breaker()) for each in ways]
        both = held.enter_context(closing(Nodes(own)))
        driver.chain = replace(driver.chain, node=cast("HttpNode", both))
        yield ways[0], ways[1]


def applied(driver: Driver) -> tuple[int, int]:
    """How many blocks are applied, and how many were."""
    with unit_of_work(driver.database) as session:
        rows = session.execute(select(col(BlockRow.is_canonical))).scalars().all()
    return sum(rows), len(rows)


def owed(driver: Driver) -> UUID:
    """A policy whose payout is decided and not yet sent."""
    policy_id = driver.buy()
    driver.chain.price("40000")
    driver.activate(policy_id)
    return policy_id


def test_the_second_node_takes_over_and_the_policy_comes_to_its_end(
    driver: Driver, two: tuple[Between, Between]
) -> None:
    first, second = two
    policy_id = owed(driver)
    assert not second.asked
    with first.doing("say", Said(status=503, body=b"<html>", headers={"Retry-After": "600"})):
        driver.run(policy_id)
    assert driver.policy(policy_id).status_detailed == PolicyStatus.SETTLED
    assert second.submitted


def test_a_second_node_that_lags_is_no_fork_and_decides_nothing(driver: Driver, two: tuple[Between, Between]) -> None:
    first, second = two
    policy_id = driver.buy()
    driver.chain.burn(LAG)
    driver.follow()
    before = applied(driver)
    second.lag = LAG
    with first.doing("say", Said(status=429, body=b"", headers={"Retry-After": "600"})):
        driver.follow()
        assert applied(driver) == before
        with pytest.raises(NodeUnavailable, match="was seen before"):
            chain_height.read(driver.chain.node, driver.database)
        driver.chain.burn(LAG)
        driver.follow()
        assert applied(driver) == before
        second.lag = 0
        driver.follow()
        assert chain_height.read(driver.chain.node, driver.database) == driver.height.tip
    assert driver.policy(policy_id).status_detailed == PolicyStatus.ACTIVE


def test_a_payout_whose_answer_was_lost_is_offered_to_the_second_node_and_paid_once(
    driver: Driver, two: tuple[Between, Between]
) -> None:
    first, second = two
    policy_id = owed(driver)
    signed = driver.sign(policy_id)
    assert signed is not None
    with first.doing("lose"):
        broadcast.send(driver.database, driver.chain.node, signed, now=driver.now())
    assert second.submitted == first.submitted[-1:]
    driver.chain.mine()
    driver.chain.burn(driver.depths.final)
    driver.follow()
    for each in driver.look(signed):
        driver.sync(each)
    assert driver.policy(policy_id).status_detailed == PolicyStatus.SETTLED
    with unit_of_work(driver.database) as session:
        assert session.execute(select(func.count()).select_from(AttemptRow)).scalar_one() == 1
    backend = Principal(driver.chain.backend.address(TESTNET))
    assert driver.chain.node.account(backend).nonce == 1


@pytest.mark.parametrize("harm", ["silent", "reset"])
def test_bytes_that_were_offered_to_a_node_that_took_none_are_accepted_by_the_second(
    driver: Driver, two: tuple[Between, Between], harm: str
) -> None:
    first, second = two
    policy_id = owed(driver)
    raw = driver.sign(policy_id)
    assert raw is not None
    with first.doing("silent" if harm == "silent" else "reset"):
        broadcast.send(driver.database, driver.chain.node, raw, now=driver.now())
    assert second.submitted == first.submitted[-1:]
    assert isinstance(driver.chain.node.broadcast(second.submitted[0]), Accepted)


def test_the_doctor_looks_at_each_node_and_warns_of_one_that_lags_or_is_away(
    driver: Driver, two: tuple[Between, Between]
) -> None:
    first, second = two
    ours = driver.chain.contracts
    settings = Settings(
        database_url=driver.database.engine.url.render_as_string(hide_password=False),
        broker_url="redis://127.0.0.1:1/0",
        stacks_url=f"{first.url},{second.url}",
        registry_contract=ours.registry,
        pool_contract=ours.pool,
        sbtc_contract=ours.sbtc,
    )
    names = [f"node {each.url.removeprefix('http://')}" for each in two]
    driver.chain.burn(BEHIND_BLOCKS + 1)
    own = Runtime(settings=settings)
    with closing(own.node), closing(own.database):
        assert [verdicts(own)[name] for name in names] == [Verdict.OK, Verdict.OK]
        second.lag = 1
        assert [verdicts(own)[name] for name in names] == [Verdict.OK, Verdict.WARNING]
        second.lag = 0
        with first.doing("say", Said(status=429, body=b"", headers={"Retry-After": "600"})):
            assert [verdicts(own)[name] for name in names] == [Verdict.WARNING, Verdict.OK]


def verdicts(own: Runtime) -> dict[str, Verdict]:
    return {each.name: each.verdict for each in held("node", lambda: look_at_node(own))}
