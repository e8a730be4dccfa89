"""What the front door keeps: the feed of events, stats that are counted, submissions, sessions, keys and webhooks."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# before anything is read: what others commit until the triggers are there would be neither told nor counted
LOCK = "LOCK TABLE policies, reservations, policy_events IN SHARE ROW EXCLUSIVE MODE"
TABLES = """
CREATE TABLE policy_feed (
    event_id BIGINT NOT NULL,
    policy_id UUID NOT NULL,
    owner_principal VARCHAR NOT NULL,
    seq BIGINT,
    PRIMARY KEY (event_id),
    CONSTRAINT seq_positive CHECK (seq > 0),
    FOREIGN KEY(policy_id) REFERENCES policies (id)
);

CREATE INDEX policy_feed_by_owner ON policy_feed (owner_principal, seq);

CREATE INDEX policy_feed_by_policy ON policy_feed (policy_id, seq);

CREATE UNIQUE INDEX policy_feed_in_turn ON policy_feed (seq);

CREATE INDEX policy_feed_waiting ON policy_feed (event_id) WHERE seq IS NULL;

CREATE TABLE feed_readers (
    name VARCHAR NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (name),
    CONSTRAINT seq_not_negative CHECK (seq >= 0)
);

CREATE TABLE stat_changes (
    id BIGSERIAL NOT NULL,
    token VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    policies INTEGER NOT NULL,
    active_cover_sats BIGINT NOT NULL,
    premium_base_units BIGINT NOT NULL,
    fee_base_units BIGINT NOT NULL,
    settled_base_units BIGINT NOT NULL,
    locked_base_units BIGINT NOT NULL,
    reserved_base_units BIGINT NOT NULL,
    PRIMARY KEY (id)
);

CREATE TABLE stat_totals (
    token VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    policies NUMERIC(39, 0) NOT NULL,
    active_cover_sats NUMERIC(39, 0) NOT NULL,
    premium_base_units NUMERIC(39, 0) NOT NULL,
    fee_base_units NUMERIC(39, 0) NOT NULL,
    settled_base_units NUMERIC(39, 0) NOT NULL,
    locked_base_units NUMERIC(39, 0) NOT NULL,
    reserved_base_units NUMERIC(39, 0) NOT NULL,
    PRIMARY KEY (token, status),
    CONSTRAINT token_known CHECK (token IN ('', 'STX', 'sBTC'))
);

CREATE TABLE stat_history (
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    height BIGINT,
    figures JSONB NOT NULL,
    PRIMARY KEY (at)
);

CREATE TABLE submissions (
    id UUID NOT NULL,
    caller VARCHAR NOT NULL,
    idempotency_key VARCHAR NOT NULL,
    operation VARCHAR NOT NULL,
    fingerprint VARCHAR NOT NULL,
    message JSONB NOT NULL,
    task_id VARCHAR,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    status INTEGER,
    media_type VARCHAR,
    body BYTEA,
    answered_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    CONSTRAINT answered_is_whole CHECK (num_nulls(status, media_type, body, answered_at) IN (0, 4)),
    CONSTRAINT sent_is_whole CHECK ((task_id IS NULL) = (sent_at IS NULL))
);

CREATE INDEX submissions_by_age ON submissions (asked_at);

CREATE UNIQUE INDEX submissions_by_key ON submissions (caller, idempotency_key);

CREATE TABLE used_challenges (
    digest VARCHAR NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (digest)
);

CREATE INDEX used_challenges_by_age ON used_challenges (expires_at);

CREATE TABLE sessions (
    id UUID NOT NULL,
    principal VARCHAR NOT NULL,
    generation INTEGER NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    rotated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    CONSTRAINT generation_positive CHECK (generation > 0)
);

CREATE INDEX sessions_by_age ON sessions (expires_at);

CREATE INDEX sessions_by_principal ON sessions (principal) WHERE revoked_at IS NULL;

CREATE TABLE api_keys (
    id UUID NOT NULL,
    prefix VARCHAR NOT NULL,
    digest VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    scopes JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id)
);

CREATE UNIQUE INDEX api_keys_by_prefix ON api_keys (prefix);

CREATE TABLE webhook_endpoints (
    id UUID NOT NULL,
    api_key_id UUID NOT NULL,
    url VARCHAR NOT NULL,
    kinds JSONB NOT NULL,
    description VARCHAR NOT NULL,
    since BIGINT NOT NULL,
    secret_version INTEGER NOT NULL,
    secret_overlap_until TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    disabled_because VARCHAR,
    deleted_at TIMESTAMP WITH TIME ZONE,
    PRIMARY KEY (id),
    CONSTRAINT disabled_for_a_reason CHECK ((disabled_at IS NULL) = (disabled_because IS NULL)),
    CONSTRAINT secret_version_positive CHECK (secret_version > 0),
    CONSTRAINT since_not_negative CHECK (since >= 0),
    FOREIGN KEY(api_key_id) REFERENCES api_keys (id)
);

CREATE INDEX webhook_endpoints_by_key ON webhook_endpoints (api_key_id, created_at, id);

CREATE TABLE webhook_messages (
    id UUID NOT NULL,
    kind VARCHAR NOT NULL,
    once VARCHAR NOT NULL,
    policy_id UUID,
    payload JSONB NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(policy_id) REFERENCES policies (id)
);

CREATE INDEX webhook_messages_by_age ON webhook_messages (at, id);

CREATE UNIQUE INDEX webhook_messages_once ON webhook_messages (once);

CREATE TABLE webhook_deliveries (
    id UUID NOT NULL,
    endpoint_id UUID NOT NULL,
    message_id UUID NOT NULL,
    state VARCHAR NOT NULL,
    attempts INTEGER NOT NULL,
    first_at TIMESTAMP WITH TIME ZONE NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE,
    last_at TIMESTAMP WITH TIME ZONE,
    last_status INTEGER,
    last_error VARCHAR,
    PRIMARY KEY (id),
    CONSTRAINT state_known CHECK (state IN ('waiting', 'delivered', 'dead')),
    CONSTRAINT waiting_has_a_time CHECK ((state = 'waiting') = (next_at IS NOT NULL)),
    CONSTRAINT attempts_not_negative CHECK (attempts >= 0),
    FOREIGN KEY(endpoint_id) REFERENCES webhook_endpoints (id),
    FOREIGN KEY(message_id) REFERENCES webhook_messages (id)
);

CREATE INDEX webhook_deliveries_by_state ON webhook_deliveries (endpoint_id, state, first_at, id);

CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_at, first_at, id) WHERE next_at IS NOT NULL;

CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (message_id, endpoint_id);

CREATE INDEX webhook_deliveries_under_way ON webhook_deliveries (endpoint_id) WHERE state = 'waiting' AND last_at IS NOT NULL AND last_error IS NULL;

ALTER TABLE blocks ADD COLUMN applied_at TIMESTAMP WITH TIME ZONE;

CREATE INDEX by_expiration_time ON policies (expiration_timestamp_estimate, id) WHERE expiration_timestamp_estimate IS NOT NULL;

CREATE INDEX by_protected_value ON policies (protected_value_price_feed_units, id);

CREATE INDEX by_reported_tx_id ON policies (reported_tx_id) WHERE reported_tx_id IS NOT NULL;

CREATE INDEX by_tx_id_creation ON policies (tx_id_creation) WHERE tx_id_creation IS NOT NULL;

CREATE INDEX by_tx_id_status_update ON policies (tx_id_status_update) WHERE tx_id_status_update IS NOT NULL;
"""

TRIGGERS = (
    """
CREATE FUNCTION feed_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO policy_feed (event_id, policy_id, owner_principal)
  SELECT NEW.id, NEW.policy_id, owner_principal FROM policies WHERE id = NEW.policy_id;
  PERFORM pg_notify('policy_feed', '');
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER policy_events_feed AFTER INSERT ON policy_events
FOR EACH ROW EXECUTE FUNCTION feed_event()
""",
    """
CREATE FUNCTION count_policy(policy policies, held text, times int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stat_changes (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
    settled_base_units, locked_base_units, reserved_base_units)
  VALUES (coalesce(held, policy.premium_token, ''), policy.status_detailed, times,
    CASE WHEN policy.status_detailed = 'Active' THEN times * policy.protected_amount_sats ELSE 0 END,
    times * coalesce(policy.premium_amount_base_units, 0), times * coalesce(policy.premium_fee_amount_base_units, 0),
    times * coalesce(policy.settlement_amount_base_units, 0), 0, 0)
$$
""",
    """
CREATE FUNCTION count_reservation(reservation reservations, times int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stat_changes (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
    settled_base_units, locked_base_units, reserved_base_units)
  SELECT reservation.token, '', 0, 0, 0, 0, 0,
    CASE WHEN reservation.state = 'locked' THEN times * reservation.amount_base_units ELSE 0 END,
    CASE WHEN reservation.state = 'reserved' THEN times * reservation.amount_base_units ELSE 0 END
  WHERE reservation.state <> 'released'
$$
""",
    """
CREATE FUNCTION policy_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  held text;
BEGIN
  SELECT token INTO held FROM reservations WHERE policy_id = NEW.id;
  IF TG_OP = 'UPDATE' THEN
    PERFORM count_policy(OLD, held, -1);
  END IF;
  PERFORM count_policy(NEW, held, 1);
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER policies_inserted_counted AFTER INSERT ON policies
FOR EACH ROW EXECUTE FUNCTION policy_counted()
""",
    """
CREATE TRIGGER policies_updated_counted AFTER UPDATE ON policies
FOR EACH ROW WHEN (
  (OLD.status_detailed, OLD.protected_amount_sats, OLD.premium_token, OLD.premium_amount_base_units,
   OLD.premium_fee_amount_base_units, OLD.settlement_amount_base_units)
  IS DISTINCT FROM
  (NEW.status_detailed, NEW.protected_amount_sats, NEW.premium_token, NEW.premium_amount_base_units,
   NEW.premium_fee_amount_base_units, NEW.settlement_amount_base_units)
) EXECUTE FUNCTION policy_counted()
""",
    """
CREATE FUNCTION reservation_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  policy policies;
  before text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    before := OLD.token;
    PERFORM count_reservation(OLD, -1);
  END IF;
  IF NEW.token IS DISTINCT FROM before THEN
    SELECT * INTO policy FROM policies WHERE id = NEW.policy_id;
    PERFORM count_policy(policy, before, -1);
    PERFORM count_policy(policy, NEW.token, 1);
  END IF;
  PERFORM count_reservation(NEW, 1);
  RETURN NULL;
END $$
""",
    """
CREATE TRIGGER reservations_counted AFTER INSERT OR UPDATE ON reservations
FOR EACH ROW EXECUTE FUNCTION reservation_counted()
""",
)

HAPPENED_BEFORE = """
INSERT INTO policy_feed (event_id, policy_id, owner_principal, seq)
SELECT event.id, event.policy_id, policies.owner_principal, row_number() OVER (ORDER BY event.id)
FROM policy_events AS event JOIN policies ON policies.id = event.policy_id
"""
COUNTED_BEFORE = """
INSERT INTO stat_totals (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
  settled_base_units, locked_base_units, reserved_base_units)
SELECT coalesce(reservation.token, policy.premium_token, ''), policy.status_detailed, count(*),
  coalesce(sum(policy.protected_amount_sats) FILTER (WHERE policy.status_detailed = 'Active'), 0),
  coalesce(sum(policy.premium_amount_base_units), 0), coalesce(sum(policy.premium_fee_amount_base_units), 0),
  coalesce(sum(policy.settlement_amount_base_units), 0), 0, 0
FROM policies AS policy LEFT JOIN reservations AS reservation ON reservation.policy_id = policy.id
GROUP BY 1, 2
UNION ALL
SELECT token, '', 0, 0, 0, 0, 0,
  coalesce(sum(amount_base_units) FILTER (WHERE state = 'locked'), 0),
  coalesce(sum(amount_base_units) FILTER (WHERE state = 'reserved'), 0)
FROM reservations GROUP BY token
"""


def upgrade() -> None:
    """Bring the schema forward; what happened before has its place in the feed and in the stats."""
    op.execute(LOCK)
    op.execute(TABLES)
    op.execute(HAPPENED_BEFORE)
    op.execute(COUNTED_BEFORE)
    for statement in TRIGGERS:
        op.execute(statement)
