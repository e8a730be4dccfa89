"""Whether a chain and a database belong together, on a real chain with real forks."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from sqlalchemy import update
from sqlmodel import col

from registry.domain.units import Principal, StacksHeight
from registry.stacks.node import Block
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow
from tests.integration.chain import Chain
from tests.integration.commandline import plain_url
from tests.integration.conftest import NewDatabase
from tests.integration.driver import Driver
from workers.demo import belonging, lasting
from workers.demo.belonging import FORK_BLOCKS, NotTogether, known_height, require_both, require_together
from workers.demo.lasting import FollowerStuck
from workers.demo.stack import Stack
from workers.embedded.supervisor import Supervisor

HERE = Path("/srv/registry")


def other(height: int) -> str:
    """A hash that no block has."""
    return f"0x{height:064x}"


def compare(database: Database, chain: Chain) -> None:
    require_together(database, chain.node, registry=chain.contracts.registry, directory=HERE)


def row(block: Block) -> BlockRow:
    return BlockRow(
        index_block_hash=block.index_block_hash,
        parent_index_block_hash=block.parent_index_block_hash,
        height=block.height,
        burn_height=block.burn_height,
        time=datetime.now(UTC),
    )


def know(database: Database, chain: Chain, *, last: StacksHeight, count: int) -> None:
    """Have the database know a chain's blocks, up to this one."""
    found = [chain.node.block(StacksHeight(height)) for height in range(last - count + 1, last + 1)]
    with unit_of_work(database) as session:
        session.add_all(row(block) for block in found if block is not None)


def rename(database: Database, height: int) -> None:
    """Have the database know another block at one height."""
    with unit_of_work(database) as session:
        session.execute(update(BlockRow).where(col(BlockRow.height) == height).values(index_block_hash=other(height)))


def test_a_database_that_follows_belongs_to_its_chain_also_behind_a_fork(driver: Driver) -> None:
    compare(driver.database, driver.chain)
    known = known_height(driver.database)
    assert known == driver.chain.node.tip().height
    driver.chain.mine(3)
    driver.follow()
    driver.chain.reorganise(2)
    assert driver.chain.node.tip().height < known_height(driver.database)
    compare(driver.database, driver.chain)


def test_an_empty_database_follows_any_chain(database: Database, chain: Chain) -> None:
    assert known_height(database) == 0
    compare(database, chain)


def test_blocks_that_a_fork_may_have_taken_are_not_held_against_a_chain(
    database: Database, chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = 12
    monkeypatch.setattr(belonging, "FORK_BLOCKS", few)
    chain.mine(few)
    tip = chain.node.tip().height
    know(database, chain, last=tip, count=few + 2)
    rename(database, tip - few + 1)
    compare(database, chain)
    deep = tip - few
    rename(database, deep)
    with pytest.raises(NotTogether, match=f"at height {deep} the database knows block {other(deep)}, the chain has"):
        compare(database, chain)


def test_a_chain_that_is_far_too_short_is_not_the_databases(database: Database, chain: Chain) -> None:
    tip = chain.node.tip()
    for height in (tip.height + 1, tip.height + FORK_BLOCKS + 1):
        with unit_of_work(database) as session:
            session.add(BlockRow(**{**row(tip).model_dump(), "height": height, "index_block_hash": other(height)}))
    with pytest.raises(NotTogether, match="the chain has no block there; put back") as refusal:
        compare(database, chain)
    assert str(refusal.value).endswith(
        "`registry reset --directory /srv/registry` removes both, and `registry up` makes new ones"
    )


def test_a_chain_without_our_contract_is_not_the_databases(database: Database, chain: Chain) -> None:
    nobodys = Principal(f"{chain.contracts.registry}-of-nobody")
    with pytest.raises(NotTogether, match=f"there is no contract {nobodys} on the chain"):
        require_together(database, chain.node, registry=nobodys, directory=HERE)


def test_a_database_whose_tables_are_gone_belongs_to_no_chain(new_database: NewDatabase, chain: Chain) -> None:
    with pytest.raises(NotTogether, match="the database holds no tables"):
        compare(new_database(), chain)


@pytest.mark.parametrize(("has_journal", "has_cluster"), [(False, True), (True, False)])
def test_one_alone_is_not_enough(tmp_path: Path, *, has_journal: bool, has_cluster: bool) -> None:
    journal = tmp_path / "journal"
    if has_journal:
        journal.touch()
    missing = tmp_path / ("cluster" if has_journal else "journal")
    with pytest.raises(NotTogether, match=f"{missing} is missing"):
        require_both(journal=journal, cluster=tmp_path / "cluster", has_cluster=has_cluster, directory=HERE)


def test_a_database_that_does_not_follow_is_told_of_with_the_log_to_look_at(
    driver: Driver, supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.chain.mine()  # and nobody applies it
    tip = driver.chain.node.tip().height
    postgres = SimpleNamespace(url=lambda: plain_url(driver.database))
    stack = SimpleNamespace(devnet_url=driver.chain.url, foundations=SimpleNamespace(postgres=postgres))
    monkeypatch.setattr(lasting, "FOLLOW_SECONDS", 0.2)
    told: list[str] = []
    with pytest.raises(FollowerStuck, match=f"up to block {tip - 1} of {tip} and comes no further") as stuck:
        lasting._await_follower(supervisor, cast("Stack", stack), tell=told.append)
    assert str(stuck.value.figures["log"]).endswith("/logs/worker-chain.log")
    assert told == ["the database follows the chain"]
    driver.follow()
    lasting._await_follower(supervisor, cast("Stack", stack), tell=told.append)
