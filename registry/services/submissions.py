"""Submissions: what a caller asks under a key is a row before anybody is told; its answer is given as it was kept."""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from registry.domain.errors import IdempotencyKeyReused
from registry.store import submissions
from registry.store.front_tables import SubmissionRow
from registry.store.session import Database, unit_of_work


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A final answer, as the bytes that its caller gets however often he asks."""

    status: int
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """How a submission stands; `task_id` is the call that may still end, `is_ours` whether it is ours to make."""

    id: UUID
    operation: str
    message: Mapping[str, Any]
    asked_at: datetime
    task_id: str | None = None
    is_ours: bool = False
    reply: Reply | None = None
    answered_at: datetime | None = None


def inner_key(operation: str, key: str) -> str:
    """The key under which the task keeps what it does: the same for the same one, another for another operation."""
    return f"http:{operation}:{hashlib.sha256(key.encode()).hexdigest()}"


def submit(
    database: Database,
    *,
    caller: str,
    key: str,
    operation: str,
    message: Mapping[str, Any],
    patience: timedelta,
    now: datetime,
) -> Submitted:
    """Keep what is asked under the caller's key, once, and take the call for it if none may still end.

    A call may still end for as long as `patience`.

    Raises:
        IdempotencyKeyReused: the key was used for another operation, or with another body.
    """
    row = SubmissionRow(
        caller=caller,
        idempotency_key=key,
        operation=operation,
        fingerprint=_fingerprint(operation, message),
        message=dict(message),
        asked_at=now,
    )
    with unit_of_work(database) as session:
        kept = submissions.ask(session, row)
        if kept.fingerprint != row.fingerprint:
            raise IdempotencyKeyReused(key=key)
        return _taken(session, kept, patience=patience, now=now)


def look(database: Database, submission_id: UUID, *, caller: str) -> Submitted | None:
    """A caller's own submission as it stands; None if he has no such one."""
    with unit_of_work(database) as session:
        row = submissions.of_caller(session, submission_id, caller=caller)
        return None if row is None else _submitted(row)


def resume(
    database: Database, submission_id: UUID, *, caller: str, patience: timedelta, now: datetime
) -> Submitted | None:
    """As `look`, and take the call for it if none may still end."""
    with unit_of_work(database) as session:
        row = submissions.of_caller(session, submission_id, caller=caller)
        return None if row is None else _taken(session, row, patience=patience, now=now)


def give_back(database: Database, submission_id: UUID, *, task_id: str) -> None:
    """End a call that came to nothing: nothing of it is kept, and a repeat begins another."""
    with unit_of_work(database) as session:
        submissions.give_back(session, submission_id, task_id=task_id)


def keep(database: Database, submission_id: UUID, reply: Reply, *, now: datetime) -> Reply:
    """Keep a final answer unless there is one; answer the one that is kept."""
    with unit_of_work(database) as session:
        row = submissions.answer(
            session, submission_id, status=reply.status, media_type=reply.media_type, body=reply.body, now=now
        )
        return (None if row is None else _reply(row)) or reply


def reply(database: Database, submission_id: UUID) -> Reply | None:
    """The answer that is kept, whoever kept it; None while there is none."""
    with unit_of_work(database) as session:
        row = session.get(SubmissionRow, submission_id)
        return None if row is None else _reply(row)


def answered(database: Database, submission_ids: Collection[UUID]) -> frozenset[UUID]:
    """Which of these have an answer by now, whoever gave it."""
    with unit_of_work(database) as session:
        return submissions.answered(session, submission_ids)


def forget(database: Database, *, age: timedelta, limit: int, now: datetime) -> int:
    """Delete some that are older than this; answer how many."""
    with unit_of_work(database) as session:
        return submissions.forget(session, before=now - age, limit=limit)


def _taken(session: Session, row: SubmissionRow, *, patience: timedelta, now: datetime) -> Submitted:
    mine = str(uuid4())
    if row.answered_at is None and submissions.take(session, row.id, task_id=mine, before=now - patience, now=now):
        return _submitted(row, task_id=mine)
    session.refresh(row)
    return _submitted(row)


def _submitted(row: SubmissionRow, *, task_id: str | None = None) -> Submitted:
    return Submitted(
        id=row.id,
        operation=row.operation,
        message=row.message,
        asked_at=row.asked_at,
        task_id=task_id or row.task_id,
        is_ours=task_id is not None,
        reply=_reply(row),
        answered_at=row.answered_at,
    )


def _reply(row: SubmissionRow) -> Reply | None:
    if row.status is None or row.media_type is None or row.body is None:
        return None
    return Reply(status=row.status, media_type=row.media_type, body=row.body)


def _fingerprint(operation: str, message: Mapping[str, Any]) -> str:
    told = json.dumps([operation, message], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(told.encode()).hexdigest()
