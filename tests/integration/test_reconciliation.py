"""Reconciliation run: in pages, from where it stood, through forks, dry or not, by the task and by the command."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel

from registry import fault_points
from registry.domain.units import Token
from registry.services import reconciliation
from registry.settings import Settings
from registry.stacks.node import TipGone
from registry.store.session import Database, unit_of_work
from registry.store.tables import (
    PoolBookRow,
    ReconciliationRow,
)
from tests.integration.commandline import name_chain, name_database, plain_url, run, told
from tests.integration.drifts import begun, change, finish, found, lose, reconciled, rest, rewrite, settled
from tests.integration.driver import Driver
from tests.integration.pump import IN_MEMORY, Killed, pumping
from tests.integration.walks import WEEK, quoted
from workers import repairs
from workers.runtime import Runtime


@pytest.fixture
def operated(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose database and chain the environment names."""
    name_database(monkeypatch, plain_url(driver.database))
    name_chain(monkeypatch, driver.chain)
    return driver


@pytest.fixture
def own(operated: Driver) -> Iterator[Runtime]:
    """What a worker beside it has."""
    assert operated.chain
    held = Runtime(settings=Settings())
    with closing(held.database), closing(held.node):
        yield held


def dump(database: Database) -> dict[str, list[Any]]:
    """Every row of every table but that of reconciliations."""
    with unit_of_work(database) as session:
        return {
            name: sorted(map(repr, session.execute(select(table)).all()))
            for name, table in SQLModel.metadata.tables.items()
            if name != "reconciliations"
        }


def some_of_everything(driver: Driver) -> UUID:
    """Policies that are pending, expired, settled and Active, in two tokens; answers the one that was settled."""
    quoted(driver)
    runs_out = driver.buy(duration_days=7, premium_token=Token.SBTC.value)
    driver.chain.burn(WEEK + 1)
    driver.follow()
    driver.expire(runs_out)
    driver.run(runs_out)
    paid = settled(driver)
    driver.buy()
    rest(driver)
    return paid


def test_what_agrees_has_no_findings_whatever_the_pages(operated: Driver, own: Runtime) -> None:
    some_of_everything(operated)
    for size in (1, 2, 100):
        row = reconciled(own, size=size)
        assert (row.findings, row.compared) == ([], 3)


def test_without_any_policy_both_sides_agree(operated: Driver, own: Runtime) -> None:
    assert reconciliation.begin(own.database, depths=own.settings.depths, is_dry=False, now=own.now()) is None
    operated.chain.burn(operated.depths.confirmed)
    operated.follow()
    assert reconciled(own).findings == []


def test_rows_that_an_event_above_the_block_touched_are_passed_by(operated: Driver, own: Runtime) -> None:
    policy_id = operated.buy()
    run_id = begun(own)
    operated.chain.price("40000")
    operated.activate(policy_id)
    operated.run(policy_id)
    rest(operated)
    finish(own, run_id)
    assert (reconciliation.state(own.database, run_id).findings, operated.edges(policy_id)) == ([], "abcd")


def test_a_dry_run_changes_nothing_but_its_own_row(operated: Driver, own: Runtime) -> None:
    policy_id = settled(operated)
    lose(operated, "policy-settled")
    change(operated, PoolBookRow, locked=5)
    rewrite(operated, policy_id, premium_amount_base_units=1)
    before = dump(own.database)
    row = reconciled(own, is_dry=True)
    assert found(row) == {"evidence": False, "book": False}
    assert dump(own.database) == before


def test_a_run_that_was_cut_goes_on_where_it_stood_for_a_day(operated: Driver, own: Runtime) -> None:
    for _ in range(3):
        operated.buy()
    rest(operated)
    run_id, now = begun(own), own.now()
    assert repairs.next_page(own, reconciliation.state(own.database, run_id), size=2)
    assert reconciliation.unfinished(own.database, now=now) == run_id
    assert reconciliation.unfinished(own.database, now=now + reconciliation.GIVEN_UP_AFTER) is None
    half = reconciliation.state(own.database, run_id)
    assert (half.cursor, half.compared, half.finished_at) == (2, 2, None)
    finish(own, run_id)
    assert reconciliation.state(own.database, run_id).compared == 3
    assert reconciliation.unfinished(own.database, now=now) is None


def test_of_two_workers_on_one_page_one_is_told_so(operated: Driver, own: Runtime) -> None:
    operated.buy()
    operated.buy()
    run = reconciliation.state(own.database, begun(own))
    assert [repairs.next_page(own, run, size=1) for _ in range(2)] == [True, False]
    assert reconciliation.state(own.database, run.id).compared == 1


def test_a_run_whose_block_a_fork_took_begins_again_at_another(operated: Driver, own: Runtime) -> None:
    first, second = operated.buy(), operated.buy()
    rest(operated)
    run = reconciliation.state(own.database, begun(own))
    assert repairs.next_page(own, run, size=1)
    operated.chain.reorganise(3)
    with pytest.raises(TipGone):  # our tables do not know it yet
        repairs.next_page(own, reconciliation.state(own.database, run.id), size=1)
    operated.chain.burn(2)
    operated.follow()
    operated.chain.burn(6)
    operated.follow()
    finish(own, run.id)
    ended = reconciliation.state(own.database, run.id)
    assert ended.block != run.block
    assert (ended.findings, ended.compared) == ([], 2)
    assert {operated.policy(each).status_detailed for each in (first, second)} == {"Active"}


def test_the_command_says_what_differs_and_what_became_of_it(operated: Driver) -> None:
    policy_id = settled(operated)
    assert told("reconcile")["findings"] == []
    lose(operated, "policy-settled")
    status, out, err = run("reconcile", "--dry-run", "--page", "1")
    assert (status, "reconciliation.found" in err) == (1, True)
    assert out.splitlines()[-1].startswith("Postgres and the chain differ: 1 ids compared at height ")
    status, out, _ = run("reconcile", "--json")
    mended = json.loads(out)
    assert (status, mended["ok"]) == (0, True)
    assert [(each["kind"], each["repaired"]) for each in mended["findings"]] == [("evidence", True)]
    assert operated.policy(policy_id).status_detailed == "Settled"
    rewrite(operated, policy_id, protected_amount_sats=5)
    status, out, _ = run("reconcile")
    assert (status, "terms of " in out) == (1, True)


def test_the_task_takes_a_page_a_message_and_one_that_was_ended_goes_on_at_its_page(
    operated: Driver, own: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        operated.buy()
    rest(operated)
    monkeypatch.setattr(reconciliation, "PAGE", 1)

    def end_once(name: str) -> None:
        if name == "policies.reconcile::publish.before#2":
            raise Killed

    with pumping({"REGISTRY_BROKER_URL": IN_MEMORY}) as pump:
        from workers import canvases  # noqa: PLC0415 - it reads the settings

        with fault_points.watched_by(fault_points.numbered(end_once)):
            canvases.reconcile().apply_async()
            pump.drain()
    assert (pump.kills, pump.crashes) == (1, [])
    with unit_of_work(own.database) as session:
        (row,) = session.execute(select(ReconciliationRow)).scalars()
    assert (row.compared, row.findings, row.finished_at is None) == (3, [], False)
