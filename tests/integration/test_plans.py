"""What is asked all the time is read from an index: with 20 000 policies no question goes through a whole table."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.domain.capacity import OpenQuoteLimits
from registry.domain.lease import Lease
from registry.domain.policy import ExerciseStyle, PolicyStatus
from registry.domain.tier import RiskTier
from registry.domain.units import BurnHeight, Nonce, Principal, StacksHeight, Token
from registry.queries import listing, pool, stats, timeline
from registry.queries import policies as questions
from registry.store import activations, blocks, policies, quotes, reconciliations, reservations, signers, transactions
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.conftest import make_database
from tests.integration.crowd import NEWEST, POLICIES, Plan, fill, planned

HEIGHT = BurnHeight(NEWEST)
NOW = datetime(2026, 3, 1, tzinfo=UTC)
LIMIT = 100
LEASE = Lease(owner="test", length=timedelta(days=1))
ORPHANED = ["a" * 64, "b" * 64]
LARGE = {
    "policies",
    "quotes",
    "reservations",
    "chain_events",
    "transactions",
    "transaction_entries",
    "policy_events",
    "blocks",
    "activation_requests",
}
MOST_SORTED = 1_000
PAGE = range(1_000, 1_020)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """A full database, and one policy of it that is Active."""

    database: Database
    policy: UUID


@pytest.fixture(scope="module")
def crowd(postgres: str, template: str) -> Iterator[Crowd]:
    """Fill a database once for all questions."""
    with make_database(postgres, template) as url:
        database = Database(url)
        fill(database)
        with unit_of_work(database) as session:
            chosen = text("SELECT id FROM policies WHERE policy_id_on_chain = 16016 AND status_detailed = 'Active'")
            policy: UUID = session.execute(chosen).scalar_one()
        yield Crowd(database=database, policy=policy)
        database.close()


Question = Callable[[Crowd], object]


def _query(ask: Callable[..., Any], **message: object) -> Question:
    return lambda crowd: ask(crowd.database, message)


def _second_page(ask: Callable[..., Any], **message: object) -> Question:
    """Ask for the page after the first; the first one's plan is looked at with it."""

    def both(crowd: Crowd) -> None:
        first = ask(crowd.database, {**message, "limit": LIMIT})
        assert len(first["items"]) == LIMIT
        ask(crowd.database, {**message, "limit": LIMIT, "after": first["next"]})

    return both


def _store(ask: Callable[[Session], object]) -> Question:
    def once(crowd: Crowd) -> None:
        with unit_of_work(crowd.database) as session:
            ask(session)
            session.rollback()

    return once


QUESTIONS: dict[str, tuple[Question, dict[str, str]]] = {
    # queries
    "get by on-chain id": (_query(questions.get_by_id, policy_id=15), {"policies": "by_policy_id_on_chain"}),
    "list by owner": (
        _second_page(questions.list_by_owner, owner_principal="whale"),
        {"policies": "by_owner_principal"},
    ),
    "list by owner and status": (
        _second_page(questions.list_by_owner, owner_principal="whale", status="Active"),
        {"policies": "by_owner_principal"},
    ),
    "list expiring between": (
        _second_page(questions.list_expiring_between, min_height=NEWEST, max_height=NEWEST + 5_000),
        {"policies": "by_status_detailed"},
    ),
    "list active by tier": (
        _second_page(questions.list_active_by_tier, risk_tier="Balanced"),
        {"policies": "by_tier_and_status"},
    ),
    "list all, newest first": (
        _store(lambda session: listing.newest(session, limit=LIMIT)),
        {"policies": "by_created_at"},
    ),
    "list a tier's, newest first": (
        _store(lambda s: listing.newest(s, status=PolicyStatus.ACTIVE, tier=RiskTier.BALANCED, limit=LIMIT)),
        {"policies": "by_tier_and_status"},
    ),
    "pool state": (
        lambda crowd: pool.get_state(crowd.database, {}, limits=OpenQuoteLimits()),
        {"reservations": "reservations_reserved", "blocks": "blocks_canonical"},
    ),
    # sweeps and claims
    "claim what stands still": (
        _store(
            lambda session: policies.claim_standing_still(session, height=HEIGHT, now=NOW, lease=LEASE, limit=LIMIT)
        ),
        {"policies": "by_next_look_at by_next_look_height policies_pkey"},
    ),
    "claim what is due": (
        _store(
            lambda session: policies.claim_due(
                session, style=ExerciseStyle.AMERICAN, confirmed=HEIGHT, limit=LIMIT, now=NOW
            )
        ),
        {"policies": "by_status_detailed", "activation_requests": "activation_requests_open"},
    ),
    "list of one status": (
        _store(lambda session: policies.with_status(session, PolicyStatus.QUARANTINED, limit=LIMIT)),
        {"policies": "by_status_detailed"},
    ),
    "outlived quotes": (
        _store(lambda session: quotes.outlived(session, confirmed=HEIGHT, limit=LIMIT)),
        {"policies": "by_status_detailed", "quotes": "quotes_policy_id_key"},
    ),
    "unexplained purchases": (
        _store(lambda session: blocks.unexplained_purchases(session, confirmed=HEIGHT)),
        {"chain_events": "chain_events_unapplied"},
    ),
    "confirmed events to hand over": (
        _store(lambda session: blocks.hand_over(session, confirmed=HEIGHT, now=NOW)),
        {"chain_events": "chain_events_unapplied", "blocks": "blocks_pkey"},
    ),
    "open transactions to look at": (
        _store(lambda session: transactions.due_for_a_look(session, now=NOW, limit=LIMIT)),
        {"transactions": "transactions_open"},
    ),
    "open transactions of a signer": (
        _store(lambda session: transactions.open_count(session, Principal("backend"))),
        {"transactions": "transactions_open"},
    ),
    "transactions of a signer that are not mined": (
        _store(lambda session: transactions.unmined(session, Principal("backend"), limit=LIMIT)),
        {"transactions": "transactions_open"},
    ),
    "nonces that nothing of ours has": (
        _store(
            lambda session: signers.nonces_missing(
                session, "backend", start=Nonce(7_000), end=Nonce(7_010), limit=LIMIT
            )
        ),
        {"transactions": "transactions_by_nonce"},
    ),
    "reservations held of an owner": (
        _store(lambda session: reservations.unsigned_of_owner(session, "whale")),
        {"reservations": "reservations_held", "chain_events": "chain_events_by_policy"},
    ),
    "reservations held of a tier": (
        _store(lambda session: reservations.unsigned_of_tier(session, RiskTier.BALANCED, Token.STX)),
        {"reservations": "reservations_reserved", "chain_events": "chain_events_by_policy"},
    ),
    # what each block and each event asks
    "the newest block": (_store(blocks.tip), {"blocks": "blocks_canonical"}),
    "an event that is known": (
        _store(lambda session: blocks.has_event(session, tx_id="ab" * 32, index=1)),
        {"chain_events": "chain_events_by_transaction"},
    ),
    "whose on-chain id it is": (
        _store(lambda session: blocks.policy_of_on_chain_id(session, 15)),
        {"chain_events": "chain_events_by_on_chain_id"},
    ),
    "policies in orphaned blocks": (
        _store(lambda session: blocks.policies_in(session, ORPHANED)),
        {"chain_events": "chain_events_once"},
    ),
    "transactions in orphaned blocks": (
        _store(lambda session: transactions.unmine(session, ORPHANED, now=NOW)),
        {"transactions": "transactions_by_block"},
    ),
    "the newest books": (_store(blocks.newest_books), {"blocks": "blocks_with_books"}),
    # reconciliation
    "the newest confirmed block": (
        _store(lambda session: reconciliations.newest_confirmed(session, confirmed=BurnHeight(NEWEST - 2))),
        {"blocks": "blocks_canonical"},
    ),
    "a page of policies by their on-chain ids": (
        _store(lambda session: reconciliations.with_on_chain_ids(session, PAGE)),
        {"policies": "by_policy_id_on_chain"},
    ),
    "a page's events": (
        _store(lambda session: reconciliations.events_up_to(session, PAGE, height=StacksHeight(NEWEST))),
        {"chain_events": "chain_events_by_on_chain_id"},
    ),
    "which of a page an event has touched": (
        _store(lambda session: reconciliations.touched_above(session, PAGE, height=StacksHeight(NEWEST // 8))),
        {"chain_events": "chain_events_by_on_chain_id"},
    ),
    "blocks above an ancestor": (
        _store(lambda session: blocks.orphan_above(session, StacksHeight(NEWEST // 4 - 5))),
        {"blocks": "blocks_canonical"},
    ),
}

OF_ONE_POLICY: dict[str, tuple[Callable[[Session, UUID], object], dict[str, str]]] = {
    "its facts": (
        lambda session, policy: policies.facts(session, policies.get(session, policy)),
        {
            "quotes": "quotes_policy_id_key",
            "chain_events": "chain_events_by_policy",
            "policy_events": "policy_events_by_policy",
        },
    ),
    "its transactions": (transactions.facts, {"transaction_entries": "transaction_entries_by_policy"}),
    "its open transaction": (transactions.open_of_policy, {"transaction_entries": "transaction_entries_open"}),
    "all that is kept of it": (
        lambda session, policy: timeline.whole(session, policies.get(session, policy)),
        {
            "reservations": "reservations_pkey",
            "transaction_entries": "transaction_entries_by_policy",
            "policy_events": "policy_events_by_policy",
        },
    ),
    "its newest wish": (activations.newest, {"activation_requests": "activation_requests_by_key"}),
}


def _assert_read_from_indexes(plans: list[Plan], named: dict[str, str]) -> None:
    used: dict[str, set[str]] = {}
    for plan in plans:
        assert plan.sorted <= MOST_SORTED, plan
        for scan in plan.scans:
            assert scan.index is not None or scan.table not in LARGE, plan
            used.setdefault(scan.table, set()).update(str(scan.index).split("+"))
    for table, indexes in named.items():
        assert set(indexes.split()) <= used[table], used


@pytest.mark.parametrize("asked", QUESTIONS)
def test_a_question_is_read_from_its_index(crowd: Crowd, asked: str) -> None:
    question, named = QUESTIONS[asked]
    with planned(crowd.database) as plans:
        question(crowd)
    _assert_read_from_indexes(plans, named)


@pytest.mark.parametrize("asked", OF_ONE_POLICY)
def test_what_concerns_one_policy_is_read_from_an_index(crowd: Crowd, asked: str) -> None:
    question, named = OF_ONE_POLICY[asked]
    with planned(crowd.database) as plans, unit_of_work(crowd.database) as session:
        question(session, crowd.policy)
    _assert_read_from_indexes(plans, named)


@pytest.mark.parametrize(
    ("question", "index"),
    [
        ("* FROM policies WHERE policy_id_on_chain = 7", "by_policy_id_on_chain"),
        ("* FROM policies WHERE owner_principal = 'owner-7'", "by_owner_principal"),
        ("* FROM policies WHERE status_detailed = 'Quarantined'", "by_status_detailed"),
        ("* FROM policies WHERE expiration_height BETWEEN 50000 AND 50144", "by_expiration_height"),
        ("count(*) FROM policies WHERE status_on_chain = 0", "by_status_on_chain"),
        ("* FROM policies WHERE risk_tier = 'Balanced' AND status_detailed = 'Quarantined'", "by_tier_and_status"),
    ],
)
def test_an_ordered_index_serves_what_it_was_ordered_for(crowd: Crowd, question: str, index: str) -> None:
    with planned(crowd.database) as plans, unit_of_work(crowd.database) as session:
        session.execute(text(f"SELECT {question}"))
    _assert_read_from_indexes(plans, {"policies": index})


def test_stats_of_everything_are_one_aggregate(crowd: Crowd) -> None:
    with planned(crowd.database) as plans:
        found = stats.get_platform_stats(crowd.database, {})
    assert len(plans) == 1
    assert found["policies"] == POLICIES
    assert found["by_token"]["STX"]["policies"] + found["by_token"]["sBTC"]["policies"] == POLICIES


def test_heights_that_came_are_not_crowded_out_by_times_that_came(database: Database) -> None:
    early = NOW - timedelta(days=1)
    with unit_of_work(database) as session:
        session.add_all(rows.policy(next_look_at=early) for _ in range(5))
        session.add(waited := rows.policy(next_look_at=None, next_look_height=HEIGHT))
    for _ in range(2):
        with unit_of_work(database) as session:
            taken = policies.claim_standing_still(session, height=HEIGHT, now=NOW, lease=LEASE, limit=2)
        assert len(taken) == 2
        if waited.id in {held.policy_id for held in taken}:
            return
    raise AssertionError("it was passed by")
