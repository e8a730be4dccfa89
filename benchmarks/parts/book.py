"""A database of a million policies: what the registry would hold after years, written by SQL within a minute or two."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.stacks.c32 import encode_address
from registry.stacks.hashes import hash160
from registry.store.session import Database, unit_of_work

TESTNET_VERSION = 26
PER_OWNER = 50

_OWNERS = "CREATE TEMP TABLE owners (number int PRIMARY KEY, address text NOT NULL) ON COMMIT DROP"
_POLICIES = """
INSERT INTO policies (
  id, policy_id_on_chain, owner_principal, counterparty_principal, protected_value_price_feed_units,
  protected_amount_sats, expiration_height, policy_type, status_on_chain, status_detailed, creation_height,
  creation_timestamp, expiration_timestamp_estimate, premium_amount_base_units, premium_token,
  premium_fee_amount_base_units, settlement_amount_base_units, settlement_token, tx_id_creation, risk_tier,
  exercise_style, oracle_data_snapshot_creation, next_look_at, created_at, lease_token, lease_attempts)
SELECT
  md5('policy ' || n)::uuid, n, owners.address, :pool, (30000 + n % 40000) * 100000000::bigint,
  1000000 + n % 100000000, 900000 + n % 50000, 'PUT', state.on_chain, state.status, 850000 + n / 20,
  timestamptz '2024-01-01' + n * interval '1 minute', timestamptz '2024-02-01' + n * interval '1 minute',
  5000000 + n, CASE n % 3 WHEN 0 THEN 'sBTC' ELSE 'STX' END, 100000 + n % 1000,
  CASE state.status WHEN 'Settled' THEN 7000000 + n END,
  CASE state.status WHEN 'Settled' THEN CASE n % 3 WHEN 0 THEN 'sBTC' ELSE 'STX' END END,
  md5('one ' || n) || md5('two ' || n), (ARRAY['Conservative', 'Balanced', 'Aggressive'])[1 + n % 3],
  'american', '{"volatility": "0.5", "formula_version": 1, "premium_per_btc": 100, "prices": []}'::jsonb, NULL,
  timestamptz '2024-01-01' + n * interval '1 minute', 1, 0
FROM generate_series(1, :count) AS n
JOIN owners ON owners.number = n % :owners
CROSS JOIN LATERAL (
  SELECT CASE WHEN n % 10 < 6 THEN 'Expired' WHEN n % 10 < 8 THEN 'Settled' ELSE 'Active' END AS status,
    CASE WHEN n % 10 < 6 THEN 2 WHEN n % 10 < 8 THEN 1 ELSE 0 END AS on_chain
) AS state
"""
_RESERVATIONS = """
INSERT INTO reservations (policy_id, owner_principal, risk_tier, token, amount_base_units, state)
SELECT id, owner_principal, risk_tier, premium_token, 100 * premium_amount_base_units,
  CASE status_detailed WHEN 'Active' THEN 'locked' ELSE 'released' END
FROM policies
"""
_EVENTS = """
INSERT INTO policy_events (policy_id, edge, from_status, to_status, cause, actor, height, detail, at)
SELECT id, 'b', 'PendingCreation', 'Active', 'purchase confirmed', 'chain', creation_height, '{}', created_at
FROM policies ORDER BY created_at
"""
_FEED = """
INSERT INTO policy_feed (event_id, policy_id, owner_principal, seq)
SELECT event.id, event.policy_id, policies.owner_principal, row_number() OVER (ORDER BY event.id)
FROM policy_events AS event JOIN policies ON policies.id = event.policy_id
"""
_STATS = """
INSERT INTO stat_totals (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
  settled_base_units, locked_base_units, reserved_base_units)
SELECT policies.premium_token, status_detailed, count(*),
  coalesce(sum(protected_amount_sats) FILTER (WHERE status_detailed = 'Active'), 0), sum(premium_amount_base_units),
  sum(premium_fee_amount_base_units), coalesce(sum(settlement_amount_base_units), 0),
  coalesce(sum(amount_base_units) FILTER (WHERE state = 'locked'), 0), 0
FROM policies JOIN reservations ON reservations.policy_id = policies.id GROUP BY 1, 2
"""


def owners(count: int) -> list[str]:
    """The addresses of so many policies' owners."""
    number = max(1, count // PER_OWNER)
    return [encode_address(TESTNET_VERSION, hash160(b"owner %d" % each)) for each in range(number)]


def fill(database: Database, *, count: int, pool: str) -> Sequence[str]:
    """Write so many policies, with what belongs to them; answer who owns them."""
    addresses = owners(count)
    with unit_of_work(database) as session:
        # the triggers would count a million rows one by one; what they would write is written beside it
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(_OWNERS))
        session.execute(
            text("INSERT INTO owners VALUES (:number, :address)"),
            [{"number": number, "address": address} for number, address in enumerate(addresses)],
        )
        session.execute(text(_POLICIES), {"count": count, "owners": len(addresses), "pool": pool})
        for statement in (_RESERVATIONS, _EVENTS, _FEED, _STATS):
            session.execute(text(statement))
    _analyze(database)
    return addresses


def _analyze(database: Database) -> None:
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def policy_ids(session: Session, *, limit: int) -> list[str]:
    """Some policies, spread over all."""
    found = session.execute(text("SELECT id FROM policies ORDER BY id LIMIT :limit"), {"limit": limit})
    return [str(each) for each in found.scalars()]
