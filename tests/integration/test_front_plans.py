"""What the API asks is read from an index: with 20 000 policies no question of it goes through a whole table."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text

from registry.domain.height import Depths
from registry.domain.policy import PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Principal, TxId, Usd8
from registry.queries import as_of, pages, search
from registry.queries import stats as counted
from registry.queries.history import Sight
from registry.queries.search import Direction, Filter, Order, Present, Sort
from registry.services import stats
from registry.store.session import Database, unit_of_work
from tests.integration.conftest import make_database
from tests.integration.crowd import NEWEST, fill, planned
from tests.integration.test_front_as_of import CONTRACTS
from tests.integration.test_plans import _assert_read_from_indexes

NOW = datetime(2026, 1, 5, tzinfo=UTC)
PRESENT = Present(now=NOW, height=BurnHeight(NEWEST))
LIMIT = 20
WHALE = Principal("whale")
ASCENDING = {sort: Order(sort=sort, direction=Direction.ASC) for sort in Sort}
DESCENDING = {sort: Order(sort=sort) for sort in Sort}


@pytest.fixture(scope="module")
def crowd(postgres: str, template: str) -> Iterator[Database]:
    """A database that is filled once for all questions; blocks were applied at their times."""
    with make_database(postgres, template) as url:
        database = Database(url)
        fill(database)
        with unit_of_work(database) as session:
            session.execute(text("UPDATE blocks SET applied_at = time"))
            session.execute(text("UPDATE policies SET expiration_timestamp_estimate = created_at + interval '30 days'"))
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE policies"))
            connection.execute(text("VACUUM ANALYZE blocks"))
        yield database
        database.close()


Question = Callable[[Database], object]


def _searched(wanted: Filter, order: Order) -> Question:
    """Two pages, one behind the other."""

    def both(database: Database) -> None:
        with unit_of_work(database) as session:
            first = search.find(session, wanted, order, present=PRESENT, limit=LIMIT)
            assert len(first.rows) == LIMIT
            search.find(session, wanted, order, present=PRESENT, limit=LIMIT, after=first.end)

    return both


def _paged(wanted: Filter, **more: Any) -> Question:
    return lambda database: pages.page(
        database, CONTRACTS, wanted, Order(), **{"limit": LIMIT, "after": None, "now": NOW, "height": None, **more}
    )


ACTIVE = (PolicyStatus.ACTIVE,)
QUESTIONS: dict[str, tuple[Question, dict[str, str]]] = {
    "an owner's, newest first": (
        _searched(Filter(owner=WHALE), Order()),
        {"policies": "by_owner_principal"},
    ),
    "an owner's of some statuses": (
        _searched(Filter(owner=WHALE, statuses=(PolicyStatus.ACTIVE, PolicyStatus.SETTLED)), Order()),
        {"policies": "by_owner_principal"},
    ),
    "an owner's, soonest first": (
        _searched(Filter(owner=WHALE), ASCENDING[Sort.EXPIRATION_HEIGHT]),
        {"policies": "by_owner_principal"},
    ),
    "everybody's, newest first": (_searched(Filter(), Order()), {"policies": "by_created_at"}),
    "everybody's, soonest first": (
        _searched(Filter(), ASCENDING[Sort.EXPIRATION_HEIGHT]),
        {"policies": "by_expiration_height"},
    ),
    "everybody's, highest strike first": (
        _searched(Filter(), DESCENDING[Sort.PROTECTED_VALUE]),
        {"policies": "by_protected_value"},
    ),
    "of a strike": (
        _searched(Filter(strike_min=Usd8(1), strike_max=Usd8(10**15)), ASCENDING[Sort.PROTECTED_VALUE]),
        {"policies": "by_protected_value"},
    ),
    "Active ones between heights": (
        _searched(
            Filter(statuses=ACTIVE, expiration_min=BurnHeight(NEWEST), expiration_max=BurnHeight(NEWEST + 1_000)),
            ASCENDING[Sort.EXPIRATION_HEIGHT],
        ),
        {"policies": "by_expiration_height"},
    ),
    "Active ones of a tier": (
        _searched(Filter(statuses=ACTIVE, tiers=(RiskTier.BALANCED,)), ASCENDING[Sort.CREATED_AT]),
        {"policies": "by_tier_and_status"},
    ),
    "an owner's as of a height": (
        _paged(Filter(owner=WHALE, statuses=ACTIVE), height=BurnHeight(NEWEST // 2)),
        {
            "policies": "by_owner_principal",
            "policy_events": "policy_events_by_policy",
            "blocks": "blocks_by_burn_height",
        },
    ),
    "by a transaction": (
        partial(pages.of_transaction, tx_id=TxId("a" * 64), owner=None),
        {"policies": "by_tx_id_creation by_tx_id_status_update by_reported_tx_id policies_pkey"},
    ),
    "by a quote": (partial(pages.of_quote, quote_id=b"\1" * 16, owner=None), {"quotes": "quotes_quote_id_key"}),
    "by an idempotency key": (
        partial(pages.of_idempotency_keys, keys=("7", "8"), owner=WHALE),
        {"quotes": "quotes_by_key"},
    ),
    "one policy": (
        partial(pages.one, name="15", owner=None, depths=Depths()),
        {"policies": "by_policy_id_on_chain"},
    ),
    "one policy as of a height": (
        partial(
            pages.one_as_of,
            contracts=CONTRACTS,
            name="15",
            owner=None,
            height=BurnHeight(NEWEST // 2),
            sight=Sight.OUTSIDE,
        ),
        {"policies": "by_policy_id_on_chain", "policy_events": "policy_events_by_policy"},
    ),
    "all that happened to one": (
        partial(pages.timeline, name="15", owner=None, depths=Depths(), sight=Sight.OUTSIDE),
        {"policy_events": "policy_events_by_policy", "chain_events": "chain_events_by_policy"},
    ),
}


@pytest.mark.parametrize("asked", QUESTIONS)
def test_what_the_api_asks_is_read_from_its_index(crowd: Database, asked: str) -> None:
    question, named = QUESTIONS[asked]
    with planned(crowd) as plans:
        question(crowd)
    _assert_read_from_indexes(plans, named)


def test_what_runs_out_within_hours_is_read_from_its_index(crowd: Database) -> None:
    wanted = Filter(statuses=ACTIVE, expiring_within_hours=24)
    with planned(crowd) as plans, unit_of_work(crowd) as session:
        search.find(session, wanted, Order(), present=Present(now=datetime(2026, 2, 3, tzinfo=UTC)), limit=500)
    _assert_read_from_indexes(plans, {"policies": "by_expiration_time"})


def test_stats_read_no_policy_however_many_there_are(crowd: Database) -> None:
    while stats.fold(crowd, limit=10_000):
        pass
    with planned(crowd) as plans:
        counted.get_platform_stats(crowd, {})
    assert {scan.table for plan in plans for scan in plan.scans} == {"stat_totals", "stat_changes"}
    assert len(plans) == 1


def test_a_moment_of_the_past_is_found_without_going_through_blocks(crowd: Database) -> None:
    with planned(crowd) as plans, unit_of_work(crowd) as session:
        found = as_of.moment(session, BurnHeight(NEWEST // 2))
    assert found.before is not None
    _assert_read_from_indexes(plans, {"blocks": "blocks_by_burn_height"})
