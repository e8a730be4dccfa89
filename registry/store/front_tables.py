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
from registry.store.triggers import TRIGGERS


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


for _statement in TRIGGERS:
    event.listen(SQLModel.metadata, "after_create", DDL(_statement.replace("%", "%%")))  # type: ignore[no-untyped-call]
