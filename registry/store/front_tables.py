"""Every table of the front door: what it tells of policies in turn, counts, keeps of its callers, and sends to others.

Rows of `policy_feed` and `stat_changes` are written by triggers, in the commit that they tell of, so whoever moves a
policy need not know of them. A secret is kept as a digest, or not at all: it can be made again from a file.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import DDL, CheckConstraint, Index, LargeBinary, event, text
from sqlmodel import Field, SQLModel

from registry.domain.units import Token
from registry.store.columns import big, json_object, not_negative, now, one_of, positive, timestamp, uint


class PolicyFeedRow(SQLModel, table=True):
    """The place of an event in the one order in which all readers see them.

    Ids of `policy_events` are given before their commits, so a reader that had seen one could miss a smaller one that
    is committed later. `seq` has no gap and is given after the commit, under a lock: what was read is never overtaken.
    """

    __tablename__ = "policy_feed"

    event_id: int = big(primary_key=True, sa_column_kwargs={"autoincrement": False})
    policy_id: UUID = Field(foreign_key="policies.id")
    owner_principal: str
    seq: int | None = big(default=None)

    __table_args__ = (
        Index("policy_feed_in_turn", "seq", unique=True),
        Index("policy_feed_waiting", "event_id", postgresql_where=text("seq IS NULL")),
        Index("policy_feed_by_owner", "owner_principal", "seq"),
        Index("policy_feed_by_policy", "policy_id", "seq"),
        *positive("seq"),
    )


class FeedReaderRow(SQLModel, table=True):
    """How far a reader of the feed that must miss nothing has come."""

    __tablename__ = "feed_readers"

    name: str = Field(primary_key=True)
    seq: int = big(default=0)

    __table_args__ = (*not_negative("seq"),)


class StatChangeRow(SQLModel, table=True):
    """By how much a commit changed what is counted; `token` and `status` are "" where a figure has none."""

    __tablename__ = "stat_changes"

    id: int | None = big(default=None, primary_key=True)
    token: str
    status: str
    policies: int = 0
    active_cover_sats: int = big(default=0)
    premium_base_units: int = big(default=0)
    fee_base_units: int = big(default=0)
    settled_base_units: int = big(default=0)
    locked_base_units: int = big(default=0)
    reserved_base_units: int = big(default=0)


class StatTotalRow(SQLModel, table=True):
    """The sum of all changes that were folded; what is not folded yet is added by whoever reads."""

    __tablename__ = "stat_totals"

    token: str = Field(primary_key=True)
    status: str = Field(primary_key=True)
    policies: int = uint(default=0)
    active_cover_sats: int = uint(default=0)
    premium_base_units: int = uint(default=0)
    fee_base_units: int = uint(default=0)
    settled_base_units: int = uint(default=0)
    locked_base_units: int = uint(default=0)
    reserved_base_units: int = uint(default=0)

    __table_args__ = (one_of("token", ["", *Token]),)


class StatHistoryRow(SQLModel, table=True):
    """The platform's stats as they stood at the end of an hour, `at` being its first moment."""

    __tablename__ = "stat_history"

    at: datetime = timestamp(primary_key=True)
    height: int | None = big(default=None)
    figures: dict[str, Any] = json_object()


class SubmissionRow(SQLModel, table=True):
    """What a caller sent under an idempotency key, and the one answer that it gets, however often it is sent.

    `caller` is a principal; `message` is what the operation's task is called with, `fingerprint` a digest of both;
    `task_id` the call that does it now.
    """

    __tablename__ = "submissions"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    caller: str
    idempotency_key: str
    operation: str
    fingerprint: str
    message: dict[str, Any] = json_object()
    task_id: str | None = None
    asked_at: datetime = timestamp(default_factory=now)
    sent_at: datetime | None = timestamp(default=None)
    status: int | None = None
    media_type: str | None = None
    body: bytes | None = Field(default=None, sa_type=LargeBinary)
    answered_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("submissions_by_key", "caller", "idempotency_key", unique=True),
        Index("submissions_by_age", "asked_at"),
        CheckConstraint("num_nulls(status, media_type, body, answered_at) IN (0, 4)", name="answered_is_whole"),
        CheckConstraint("(task_id IS NULL) = (sent_at IS NULL)", name="sent_is_whole"),
    )


class UsedChallengeRow(SQLModel, table=True):
    """A challenge that was answered, until it would have run out anyway: none is taken twice."""

    __tablename__ = "used_challenges"

    digest: str = Field(primary_key=True)
    expires_at: datetime = timestamp()

    __table_args__ = (Index("used_challenges_by_age", "expires_at"),)


class SessionRow(SQLModel, table=True):
    """A principal that is signed in; a token bears the session's generation, which each rotation raises."""

    __tablename__ = "sessions"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    principal: str
    generation: int = 1
    created_at: datetime = timestamp(default_factory=now)
    rotated_at: datetime = timestamp(default_factory=now)
    expires_at: datetime = timestamp()
    revoked_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("sessions_by_principal", "principal", postgresql_where=text("revoked_at IS NULL")),
        Index("sessions_by_age", "expires_at"),
        *positive("generation"),
    )


class ApiKeyRow(SQLModel, table=True):
    """A service's key: what it may do, and a digest of its secret; `prefix` is what people tell keys apart by."""

    __tablename__ = "api_keys"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    prefix: str
    digest: str
    name: str
    scopes: list[str] = json_object()
    created_at: datetime = timestamp(default_factory=now)
    expires_at: datetime | None = timestamp(default=None)
    last_used_at: datetime | None = timestamp(default=None)
    revoked_at: datetime | None = timestamp(default=None)

    __table_args__ = (Index("api_keys_by_prefix", "prefix", unique=True),)


class WebhookEndpointRow(SQLModel, table=True):
    """Where a service wants to be told, of what, from which place of the feed on: of what is behind `since`.

    Its secret is made of a file's and of `secret_version`; the one before is used beside it until
    `secret_overlap_until`.
    """

    __tablename__ = "webhook_endpoints"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    api_key_id: UUID = Field(foreign_key="api_keys.id")
    url: str
    kinds: list[str] = json_object()
    description: str = ""
    since: int = big(default=0)
    secret_version: int = 1
    secret_overlap_until: datetime | None = timestamp(default=None)
    created_at: datetime = timestamp(default_factory=now)
    disabled_at: datetime | None = timestamp(default=None)
    disabled_because: str | None = None
    deleted_at: datetime | None = timestamp(default=None)

    __table_args__ = (
        Index("webhook_endpoints_by_key", "api_key_id", "created_at", "id"),
        CheckConstraint("(disabled_at IS NULL) = (disabled_because IS NULL)", name="disabled_for_a_reason"),
        *positive("secret_version"),
        *not_negative("since"),
    )


class WebhookMessageRow(SQLModel, table=True):
    """Something to tell whoever wants to know of its kind, once: `once` names what must not be told twice."""

    __tablename__ = "webhook_messages"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    kind: str
    once: str
    policy_id: UUID | None = Field(default=None, foreign_key="policies.id")
    payload: dict[str, Any] = json_object()
    at: datetime = timestamp(default_factory=now)

    __table_args__ = (
        Index("webhook_messages_once", "once", unique=True),
        Index("webhook_messages_by_age", "at", "id"),
    )


class WebhookState(StrEnum):
    """Where a message to one endpoint stands; dead: a day of tries is over, or it was refused for good."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"


class WebhookDeliveryRow(SQLModel, table=True):
    """One message to one endpoint. Whoever sends it takes it until `next_at`; one that comes back finds it done."""

    __tablename__ = "webhook_deliveries"

    id: UUID = Field(default_factory=uuid4, primary_key=True)
    endpoint_id: UUID = Field(foreign_key="webhook_endpoints.id")
    message_id: UUID = Field(foreign_key="webhook_messages.id")
    state: str = WebhookState.WAITING
    attempts: int = 0
    first_at: datetime = timestamp(default_factory=now)
    next_at: datetime | None = timestamp(default_factory=now)
    last_at: datetime | None = timestamp(default=None)
    last_status: int | None = None
    last_error: str | None = None

    __table_args__ = (
        Index("webhook_deliveries_once", "message_id", "endpoint_id", unique=True),
        Index(
            "webhook_deliveries_due",
            "endpoint_id",
            "next_at",
            "first_at",
            "id",
            postgresql_where=text("next_at IS NOT NULL"),
        ),
        Index(
            "webhook_deliveries_under_way",
            "endpoint_id",
            postgresql_where=text("state = 'waiting' AND last_at IS NOT NULL AND last_error IS NULL"),
        ),
        Index("webhook_deliveries_by_state", "endpoint_id", "state", "first_at", "id"),
        one_of("state", WebhookState),
        CheckConstraint("(state = 'waiting') = (next_at IS NOT NULL)", name="waiting_has_a_time"),
        *not_negative("attempts"),
    )


FEED = """
CREATE FUNCTION feed_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO policy_feed (event_id, policy_id, owner_principal)
  SELECT NEW.id, NEW.policy_id, owner_principal FROM policies WHERE id = NEW.policy_id;
  PERFORM pg_notify('policy_feed', '');
  RETURN NULL;
END $$
"""
FEED_TRIGGER = """
CREATE TRIGGER policy_events_feed AFTER INSERT ON policy_events
FOR EACH ROW EXECUTE FUNCTION feed_event()
"""
COUNT_POLICY = """
CREATE FUNCTION count_policy(policy policies, held text, times int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stat_changes (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
    settled_base_units, locked_base_units, reserved_base_units)
  VALUES (coalesce(held, policy.premium_token, ''), policy.status_detailed, times,
    CASE WHEN policy.status_detailed = 'Active' THEN times * policy.protected_amount_sats ELSE 0 END,
    times * coalesce(policy.premium_amount_base_units, 0), times * coalesce(policy.premium_fee_amount_base_units, 0),
    times * coalesce(policy.settlement_amount_base_units, 0), 0, 0)
$$
"""
COUNT_RESERVATION = """
CREATE FUNCTION count_reservation(reservation reservations, times int) RETURNS void LANGUAGE sql AS $$
  INSERT INTO stat_changes (token, status, policies, active_cover_sats, premium_base_units, fee_base_units,
    settled_base_units, locked_base_units, reserved_base_units)
  SELECT reservation.token, '', 0, 0, 0, 0, 0,
    CASE WHEN reservation.state = 'locked' THEN times * reservation.amount_base_units ELSE 0 END,
    CASE WHEN reservation.state = 'reserved' THEN times * reservation.amount_base_units ELSE 0 END
  WHERE reservation.state <> 'released'
$$
"""
POLICY_COUNTED = """
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
"""
POLICY_INSERTED_TRIGGER = """
CREATE TRIGGER policies_inserted_counted AFTER INSERT ON policies
FOR EACH ROW EXECUTE FUNCTION policy_counted()
"""
POLICY_UPDATED_TRIGGER = """
CREATE TRIGGER policies_updated_counted AFTER UPDATE ON policies
FOR EACH ROW WHEN (
  (OLD.status_detailed, OLD.protected_amount_sats, OLD.premium_token, OLD.premium_amount_base_units,
   OLD.premium_fee_amount_base_units, OLD.settlement_amount_base_units)
  IS DISTINCT FROM
  (NEW.status_detailed, NEW.protected_amount_sats, NEW.premium_token, NEW.premium_amount_base_units,
   NEW.premium_fee_amount_base_units, NEW.settlement_amount_base_units)
) EXECUTE FUNCTION policy_counted()
"""
RESERVATION_COUNTED = """
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
"""
RESERVATION_TRIGGER = """
CREATE TRIGGER reservations_counted AFTER INSERT OR UPDATE ON reservations
FOR EACH ROW EXECUTE FUNCTION reservation_counted()
"""

for _statement in (
    FEED,
    FEED_TRIGGER,
    COUNT_POLICY,
    COUNT_RESERVATION,
    POLICY_COUNTED,
    POLICY_INSERTED_TRIGGER,
    POLICY_UPDATED_TRIGGER,
    RESERVATION_COUNTED,
    RESERVATION_TRIGGER,
):
    event.listen(SQLModel.metadata, "after_create", DDL(_statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
