"""What Postgres says, for the audit: read by SQL of its own in one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ
from psycopg2.extras import RealDictCursor

from registry.domain.errors import Alarm


class NothingApplied(Alarm):
    """There is nothing to audit."""

    code = "nothing_applied"
    sentence = "the database has applied no block yet"
    remedy = "let the workers follow the chain first"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRecord:
    """A row of `policies`."""

    id: str
    on_chain: int | None
    owner: str
    status: str
    status_on_chain: int | None
    settlement_amount: int | None
    settlement_token: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A row of `policy_events`."""

    edge: str
    leaves: str | None
    enters: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A row of `reservations`."""

    policy: str
    tier: str
    token: str
    amount: int
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierRecord:
    """A row of `tier_capital`."""

    tier: str
    token: str
    reserved: int
    locked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A row of `pool_books`."""

    assets: int
    locked: int
    unearned: int
    since: int
    until: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A row of `settlements`."""

    amount: int
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerRecord:
    """A row of `signers` with the nonces of its `transactions`; `unmined` of them are in no block yet."""

    principal: str
    next_nonce: int
    nonces: tuple[int, ...]
    unmined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All of it, as of `block`, the newest canonical block that was applied."""

    block: str
    burn_height: int
    policies: tuple[PolicyRecord, ...]
    walks: Mapping[str, tuple[Move, ...]]
    holds: tuple[Hold, ...]
    tiers: tuple[TierRecord, ...]
    books: Mapping[str, Book]
    pinned: Mapping[str, Pinned]
    signers: tuple[SignerRecord, ...]


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
    tips = _rows(
        cursor,
        "SELECT index_block_hash, burn_height FROM blocks WHERE is_canonical ORDER BY height DESC LIMIT 1",
    )
    if not tips:
        raise NothingApplied
    return Ledger(
        block=tips[0]["index_block_hash"],
        burn_height=tips[0]["burn_height"],
        policies=_policies(cursor),
        walks=_walks(cursor),
        holds=tuple(
            Hold(**row)
            for row in _rows(
                cursor,
                "SELECT policy_id::text AS policy, risk_tier AS tier, token, amount_base_units AS amount, state"
                " FROM reservations ORDER BY policy_id",
            )
        ),
        tiers=tuple(
            TierRecord(**row)
            for row in _rows(
                cursor,
                "SELECT risk_tier AS tier, token, reserved_base_units AS reserved, locked_base_units AS locked"
                " FROM tier_capital ORDER BY risk_tier, token",
            )
        ),
        books={
            row.pop("token"): Book(**row)
            for row in _rows(cursor, "SELECT token, assets, locked, unearned, since, until FROM pool_books")
        },
        pinned={
            row.pop("policy"): Pinned(**row)
            for row in _rows(
                cursor, "SELECT policy_id::text AS policy, amount_base_units AS amount, token FROM settlements"
            )
        },
        signers=_signers(cursor),
    )


def _policies(cursor: RealDictCursor) -> tuple[PolicyRecord, ...]:
    rows = _rows(
        cursor,
        "SELECT id::text, policy_id_on_chain AS on_chain, owner_principal AS owner, status_detailed AS status,"
        " status_on_chain, settlement_amount_base_units AS settlement_amount, settlement_token"
        " FROM policies ORDER BY created_at, id",
    )
    return tuple(PolicyRecord(**row) for row in rows)


def _walks(cursor: RealDictCursor) -> dict[str, tuple[Move, ...]]:
    walks: dict[str, tuple[Move, ...]] = {}
    rows = _rows(
        cursor,
        "SELECT policy_id::text AS policy, edge, from_status AS leaves, to_status AS enters"
        " FROM policy_events ORDER BY id",
    )
    for row in rows:
        policy = row.pop("policy")
        walks[policy] = (*walks.get(policy, ()), Move(**row))
    return walks


def _signers(cursor: RealDictCursor) -> tuple[SignerRecord, ...]:
    rows = _rows(
        cursor,
        "SELECT principal, next_nonce, array_remove(array_agg(nonce ORDER BY nonce), NULL) AS nonces,"
        " count(*) FILTER (WHERE status IN ('Signed', 'Sent')) AS unmined"
        " FROM signers LEFT JOIN transactions ON signer = principal GROUP BY principal, next_nonce ORDER BY principal",
    )
    return tuple(SignerRecord(**{**row, "nonces": tuple(row["nonces"])}) for row in rows)


def _rows(cursor: RealDictCursor, query: str) -> Sequence[dict[str, Any]]:
    cursor.execute(query)
    return [dict(row) for row in cursor.fetchall()]
