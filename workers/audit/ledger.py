"""What Postgres says, for the audit: read by SQL of its own in one snapshot."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extras import RealDictCursor

from registry.domain.errors import Alarm
from workers.audit.records import (
    Book,
    Hold,
    Intent,
    Ledger,
    Move,
    Pinned,
    PolicyRecord,
    RequestRecord,
    SignerRecord,
    TierRecord,
    WishRecord,
)

TIP = "SELECT index_block_hash, burn_height FROM blocks WHERE is_canonical ORDER BY height DESC LIMIT 1"
POLICIES = """
SELECT id::text, policy_id_on_chain AS on_chain, owner_principal AS owner,
       protected_value_price_feed_units AS strike, protected_amount_sats AS amount, expiration_height AS expiration,
       status_detailed AS status, status_on_chain,
       premium_amount_base_units AS premium, premium_fee_amount_base_units AS fee, premium_token AS token,
       settlement_amount_base_units AS settlement_amount, settlement_token,
       tx_id_creation AS tx_creation, tx_id_status_update AS tx_end
FROM policies ORDER BY created_at, id
"""
MOVES = """
SELECT policy_id::text AS policy, edge, from_status AS leaves, to_status AS enters, cause, at
FROM policy_events ORDER BY id
"""
HOLDS = """
SELECT policy_id::text AS policy, risk_tier AS tier, token, amount_base_units AS amount, state
FROM reservations ORDER BY policy_id
"""
TIERS = """
SELECT risk_tier AS tier, token, reserved_base_units AS reserved, locked_base_units AS locked
FROM tier_capital ORDER BY risk_tier, token
"""
BOOKS = "SELECT token, assets, locked, unearned, since, until FROM pool_books"
SETTLEMENTS = "SELECT policy_id::text AS policy, amount_base_units AS amount, token, capped FROM settlements"
PINNED_PRICES = """
SELECT settlements.policy_id::text AS policy, prices.pair, prices.price AS kept, (pinned ->> 'price')::bigint AS said
FROM settlements
CROSS JOIN LATERAL jsonb_array_elements(snapshot -> 'prices') AS pinned
JOIN prices ON prices.id = (pinned ->> 'price_id')::bigint
"""
INTENTS = """
SELECT policy_id::text AS policy, purpose, transactions.id::text AS transaction,
       status = 'Succeeded' AND refusal IS NULL AS is_done, is_open
FROM transaction_entries JOIN transactions ON transactions.id = transaction_id ORDER BY transactions.nonce
"""
REQUESTS = """
SELECT owner_principal AS owner, idempotency_key AS key, policy_id::text AS policy, encode(quote_id, 'hex') AS quote_id,
       premium_base_units AS premium, fee_base_units AS fee, collateral_base_units AS collateral
FROM quotes WHERE policy_id IS NOT NULL ORDER BY created_at, id
"""
WISHES = """
SELECT policy_id::text AS policy, idempotency_key AS key, state FROM activation_requests ORDER BY requested_at, id
"""
ASKED = "SELECT DISTINCT policy_id::text AS policy FROM activation_requests WHERE state IN ('open', 'accepted')"
FOLLOWED = """
SELECT DISTINCT tx_id FROM chain_events JOIN blocks ON index_block_hash = block WHERE is_canonical
"""
SIGNERS = """
SELECT principal, next_nonce, array_remove(array_agg(nonce ORDER BY nonce), NULL) AS nonces,
       count(*) FILTER (WHERE status IN ('Signed', 'Sent')) AS unmined
FROM signers LEFT JOIN transactions ON signer = principal GROUP BY principal, next_nonce ORDER BY principal
"""


class NothingApplied(Alarm):
    """There is nothing to audit."""

    code = "nothing_applied"
    sentence = "the database has applied no block yet"
    remedy = "let the workers follow the chain first"


def read_ledger(database_url: str) -> Ledger:
    """Read everything in one snapshot."""
    connection = psycopg2.connect(database_url)
    try:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
            return _read(cursor)
    finally:
        connection.close()


def _read(cursor: RealDictCursor) -> Ledger:
    tips = _rows(cursor, TIP)
    if not tips:
        raise NothingApplied
    return Ledger(
        block=tips[0]["index_block_hash"],
        burn_height=tips[0]["burn_height"],
        policies=tuple(PolicyRecord(**row) for row in _rows(cursor, POLICIES)),
        walks=_walks(cursor),
        holds=tuple(Hold(**row) for row in _rows(cursor, HOLDS)),
        tiers=tuple(TierRecord(**row) for row in _rows(cursor, TIERS)),
        books={row.pop("token"): _book(row) for row in _rows(cursor, BOOKS)},
        pinned=_pinned(cursor),
        intents=tuple(Intent(**row) for row in _rows(cursor, INTENTS)),
        requests=tuple(RequestRecord(**row) for row in _rows(cursor, REQUESTS)),
        wishes=tuple(WishRecord(**row) for row in _rows(cursor, WISHES)),
        asked=frozenset(row["policy"] for row in _rows(cursor, ASKED)),
        followed=frozenset(row["tx_id"] for row in _rows(cursor, FOLLOWED)),
        signers=tuple(SignerRecord(**{**row, "nonces": tuple(row["nonces"])}) for row in _rows(cursor, SIGNERS)),
    )


def _book(row: Mapping[str, Any]) -> Book:
    return Book(**{name: int(figure) for name, figure in row.items()})


def _walks(cursor: RealDictCursor) -> dict[str, tuple[Move, ...]]:
    walks: defaultdict[str, list[Move]] = defaultdict(list)
    for row in _rows(cursor, MOVES):
        walks[row.pop("policy")].append(Move(**row))
    return {policy: tuple(moves) for policy, moves in walks.items()}


def _pinned(cursor: RealDictCursor) -> dict[str, Pinned]:
    said: defaultdict[str, dict[str, int]] = defaultdict(dict)
    kept: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for row in _rows(cursor, PINNED_PRICES):
        said[row["policy"]][row["pair"]] = row["said"]
        kept[row["policy"]][row["pair"]] = row["kept"]
    return {
        row["policy"]: Pinned(
            amount=row["amount"],
            token=row["token"],
            capped=row["capped"],
            said=said[row["policy"]],
            kept=kept[row["policy"]],
        )
        for row in _rows(cursor, SETTLEMENTS)
    }


def _rows(cursor: RealDictCursor, query: str) -> Sequence[dict[str, Any]]:
    cursor.execute(query)
    return [dict(row) for row in cursor.fetchall()]
