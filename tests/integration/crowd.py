"""A registry of some years: 20 000 policies with all that belongs to them, made by Postgres itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event, text

from registry.store.session import Database, unit_of_work

POLICIES = 20_000
NEWEST = 100_000
"""The burn height of the newest block. Policy number n was bought at height 4n; every 40th is the whale's."""

# of 20 policies in a row: 15 are over long since, the others are Active or on their way
_STATUSES = """
CASE WHEN n % 20 < 12 THEN 'Expired' WHEN n % 20 < 15 THEN 'Settled' WHEN n % 20 < 19 THEN 'Active'
     WHEN n % 400 = 19 THEN 'PendingCreation' WHEN n % 400 = 39 THEN 'Quarantined' ELSE 'FailedCreation' END
"""
_MAKE = (
    """
    CREATE TEMPORARY TABLE crowd AS
    SELECT n, gen_random_uuid() AS id, status, status NOT IN ('PendingCreation', 'FailedCreation') AS bought,
        CASE status WHEN 'Settled' THEN 1 WHEN 'Expired' THEN 2
            WHEN 'PendingCreation' THEN NULL WHEN 'FailedCreation' THEN NULL ELSE 0 END AS on_chain,
        CASE WHEN status IN ('Active', 'PendingCreation') THEN :newest + n - :half ELSE 4 * n + 4320 END AS ends,
        CASE n % 2 WHEN 0 THEN 'STX' ELSE 'sBTC' END AS token,
        (ARRAY['Conservative', 'Balanced', 'Aggressive'])[1 + n % 3] AS tier,
        CASE n % 40 WHEN 16 THEN 'whale' ELSE 'owner-' || n % 2000 END AS owner,
        timestamptz '2026-01-01' + n * interval '1 minute' AS at
    FROM (SELECT n, {statuses} AS status FROM generate_series(1, :policies) AS n)
    """.replace("{statuses}", _STATUSES),
    """
    INSERT INTO policies (id, policy_id_on_chain, owner_principal, counterparty_principal,
        protected_value_price_feed_units, protected_amount_sats, expiration_height, policy_type, status_on_chain,
        status_detailed, premium_amount_base_units, premium_token, premium_fee_amount_base_units, risk_tier,
        exercise_style, next_look_at, next_look_height, created_at, lease_token, lease_attempts)
    SELECT id, CASE WHEN bought THEN n END, owner, 'pool', 4500000000000, 1000000, ends, 'PUT', on_chain, status,
        CASE WHEN bought THEN 1000 END, CASE WHEN bought THEN token END, CASE WHEN bought THEN 10 END, tier, 'american',
        CASE WHEN status = 'Active' AND n % 10 = 6 THEN at END,
        CASE WHEN status = 'PendingCreation' OR status = 'Active' AND n % 10 = 7 THEN ends END, at, 0, 0
    FROM crowd
    """,
    """
    INSERT INTO quotes (id, owner_principal, idempotency_key, request, premium_base_units, fee_base_units,
        collateral_base_units, risk_tier, pricing, parameters_id, policy_id, quote_id, expiration_height,
        valid_until_height, created_at)
    SELECT gen_random_uuid(), owner, n::text, jsonb_build_object('premium_token', token), 1000, 10, 5000, tier, '{}', 1,
        id, decode(md5(n::text), 'hex'), ends,
        CASE status WHEN 'PendingCreation' THEN :newest - n % 7 ELSE 4 * n END, at
    FROM crowd WHERE status <> 'Quarantined'
    """,
    """
    INSERT INTO reservations (policy_id, owner_principal, risk_tier, token, amount_base_units, state)
    SELECT id, owner, tier, token, 5000,
        CASE status WHEN 'Active' THEN 'locked' WHEN 'PendingCreation' THEN 'reserved' ELSE 'released' END
    FROM crowd WHERE status <> 'Quarantined'
    """,
    """
    INSERT INTO blocks (index_block_hash, parent_index_block_hash, height, burn_height, time, is_canonical, books)
    SELECT md5(h::text) || md5(h::text), md5((h - 1)::text) || md5((h - 1)::text), h, 4 * h,
        timestamptz '2026-01-01' + h * interval '1 minute', true, CASE WHEN h % 50 = 0 THEN '[]'::jsonb END
    FROM generate_series(1, :newest / 4) AS h
    """,
    """
    INSERT INTO chain_events (block, tx_id, event_index, contract, name, raw, policy_id_on_chain, policy_id, applied_at)
    SELECT md5(n::text) || md5(n::text), md5('t' || n) || md5('t' || n), i, 'pool', name, '\\x00', n,
        CASE WHEN status <> 'Quarantined' THEN id END, CASE WHEN n < :policies - 40 THEN at END
    FROM crowd, (VALUES (0, 'policy-created'), (1, 'policy-purchased')) AS printed (i, name)
    WHERE bought
    """,
    "INSERT INTO signers (principal, next_nonce) VALUES ('backend', :policies)",
    """
    INSERT INTO transactions (id, purpose, signer, nonce, block, status, look_at, created_at)
    SELECT id, CASE status WHEN 'Settled' THEN 'settle' ELSE 'expire' END, 'backend', n,
        CASE WHEN n < :policies - 60 THEN md5(n::text) || md5(n::text) END,
        CASE WHEN n < :policies - 60 THEN 'Succeeded' ELSE 'Sent' END, at, at
    FROM crowd WHERE status IN ('Settled', 'Expired')
    """,
    """
    INSERT INTO transaction_entries (transaction_id, policy_id, policy_id_on_chain, is_open)
    SELECT id, id, n, n >= :policies - 60 FROM crowd WHERE status IN ('Settled', 'Expired')
    """,
    """
    INSERT INTO policy_events (policy_id, edge, to_status, cause, actor, detail, at)
    SELECT id, edge, to_status, 'quoted', 'owner', '{}', at
    FROM crowd, (VALUES ('a', 'PendingCreation'), ('b', 'Active')) AS walked (edge, to_status)
    """,
    """
    INSERT INTO activation_requests (id, policy_id, idempotency_key, requested_at, requested_height, state)
    SELECT gen_random_uuid(), id, 'k', at, 4 * n, CASE WHEN status = 'Settled' THEN 'accepted' ELSE 'open' END
    FROM crowd WHERE status = 'Settled' OR status = 'Active' AND n % 200 = 16
    """,
    "DROP TABLE crowd",
    "ANALYZE",
)


def fill(database: Database) -> None:
    """Insert the crowd and let the planner know it."""
    figures = {"policies": POLICIES, "half": POLICIES // 2, "newest": NEWEST}
    with unit_of_work(database) as session:
        for statement in _MAKE:
            session.execute(
                text(statement), {name: value for name, value in figures.items() if f":{name}" in statement}
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One table read by a plan, and by which index."""

    table: str
    index: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What Postgres would do for one statement; `sorted` is the most rows that it expects to put in order itself."""

    statement: str
    scans: tuple[Scan, ...]
    sorted: int


@contextmanager
def planned(database: Database) -> Iterator[list[Plan]]:
    """Explain every statement that is sent meanwhile, just before it runs, as it stands and with its own values."""
    plans: list[Plan] = []

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.lstrip().partition(" ")[0] in {"SELECT", "UPDATE", "WITH", "DELETE"}:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
            plans.append(_plan(statement, cursor.fetchone()[0][0]["Plan"]))

    event.listen(database.engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", explain)


def _plan(statement: str, root: dict[str, Any]) -> Plan:
    nodes = list(_nodes(root))
    return Plan(
        statement=statement,
        scans=tuple(
            Scan(table=node["Relation Name"], index=_index(node))
            for node in nodes
            if "Scan" in node["Node Type"] and "Relation Name" in node
        ),
        sorted=max((node["Plans"][0]["Plan Rows"] for node in nodes if node["Node Type"] == "Sort"), default=0),
    )


def _index(node: dict[str, Any]) -> str | None:
    """The index of a scan; of a bitmap, that of what is under it."""
    if node["Node Type"] == "Seq Scan":
        return None
    named = [each["Index Name"] for each in _nodes(node) if "Index Name" in each]
    return "+".join(named) or None


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
