"""Failures: what will not go on by itself, and how it goes on after all: by itself later, or as an operator decides."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from registry.domain.errors import Alarm, BadRequest, Conflict
from registry.domain.policy import RESUMED, PolicyStatus
from registry.domain.request import text
from registry.domain.retry import AUTOMATIC
from registry.domain.steps import retry_due_at
from registry.store import failures, policies, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import FailureRow, PolicyRow, Resolution

BY_ITSELF = "registry"


class NotFailed(Conflict):
    """Only a settlement or an expiration that failed can be tried again."""

    code = "not_failed"
    sentence = "policy {policy} is {status}, so there is nothing to try again"
    remedy = "run `registry failures list` to see which have failed"


class FailureClosed(Conflict):
    """Somebody else has decided."""

    code = "failure_closed"
    sentence = "failure {failure} was {resolution} already"
    remedy = "run `registry failures list --all` to see by whom and why"


class FailureMissing(BadRequest):
    """There is no such failure."""

    code = "failure_missing"
    sentence = "there is no failure {failure}"
    remedy = "run `registry failures list` to see which there are"


class MessageGivenUp(Alarm):
    """A message ended its workers again and again."""

    code = "message_given_up"
    sentence = "{task} was delivered again {deliveries} times, for it ended its workers; it is not run any more"
    remedy = "find out what ends it, then `registry failures retry` or `abandon`"


def waiting(database: Database, *, limit: int, closed: bool = False) -> list[dict[str, Any]]:
    """List what has failed, the oldest first, with what was answered; `closed`: also what was decided."""
    with unit_of_work(database) as session:
        return [_described(failure, row) for failure, row in failures.listed(session, limit=limit, closed=closed)]


def _described(failure: FailureRow, row: PolicyRow | None) -> dict[str, Any]:
    return {
        "failure": str(failure.id),
        "id": None if row is None else str(row.id),
        "policy_id_on_chain": None if row is None else row.policy_id_on_chain,
        "owner_principal": None if row is None else row.owner_principal,
        "status_detailed": None if row is None else row.status_detailed,
        "task": failure.task,
        "arguments": failure.arguments,
        "cause": failure.cause,
        "code": failure.detail.get("code"),
        "name": failure.detail.get("name"),
        "meaning": failure.detail.get("meaning"),
        "deliveries": failure.detail.get("deliveries"),
        "at": failure.at.isoformat(),
        "closed_at": None if failure.closed_at is None else failure.closed_at.isoformat(),
        "resolution": failure.resolution,
        "closed_by": failure.closed_by,
        "reason": failure.reason,
    }


def is_failure(database: Database, name: str) -> bool:
    """Whether a failure of ours, open or closed, goes by this name."""
    try:
        failure_id = UUID(name)
    except ValueError:
        return False
    with unit_of_work(database) as session:
        return failures.get(session, failure_id) is not None


def failure_of(database: Database, policy_id: UUID) -> UUID:
    """Find what is open about a policy's own transactions.

    Raises:
        NotFailed: nothing is.
    """
    with unit_of_work(database) as session:
        failure = failures.of_policy(session, policy_id)
        if failure is None or failure.closed_at is not None:
            row = policies.get(session, policy_id)
            raise NotFailed(policy=str(policy_id), status=row.status_detailed)
        return failure.id


def message_of(database: Database, failure_id: UUID) -> tuple[str, dict[str, Any]] | None:
    """The task and the arguments of a message that was given up; None if the failure is a policy's.

    Raises:
        FailureMissing, FailureClosed: there is nothing to decide.
    """
    with unit_of_work(database) as session:
        failure = _open(session, failure_id)
        return None if failure.task is None else (failure.task, failure.arguments or {})


def policy_of(database: Database, failure_id: UUID) -> UUID | None:
    """Which policy a failure is about."""
    with unit_of_work(database) as session:
        return _open(session, failure_id).policy_id


def retry(database: Database, policy_id: UUID, *, reason: str, actor: str, now: datetime) -> None:
    """Set a failed policy on its way again (edges h and m); what is paid is what was pinned.

    Raises:
        NotFailed: it has not, or somebody else ordered it already.
    """
    why = text("reason", reason)
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id)
        _resume(session, row, cause="tried again by an operator", by=text("actor", actor), reason=why, now=now)


def retry_by_itself(database: Database, policy_id: UUID, *, now: datetime, lease: int | None = None) -> bool:
    """Set a failed policy on its way again, if its time has come and nobody has decided otherwise."""
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id, lease=lease)
        due = retry_due_at(policies.facts(session, row), transactions.facts(session, policy_id))
        if PolicyStatus(row.status_detailed) not in RESUMED or due is None or due > now:
            return False
        _resume(session, row, cause=AUTOMATIC, by=BY_ITSELF, reason="its pause is over", now=now)
        return True


def _resume(session: Session, row: PolicyRow, *, cause: str, by: str, reason: str, now: datetime) -> None:
    status = PolicyStatus(row.status_detailed)
    if status not in RESUMED:
        raise NotFailed(policy=str(row.id), status=status.value)
    policies.move(
        session,
        row.id,
        RESUMED[status],
        leaves=status,
        cause=cause,
        actor=by,
        detail={"reason": reason},
        now=now,
    )
    failures.close_of_policy(session, row.id, resolution=Resolution.RETRIED, by=by, reason=reason, now=now)


def close_message(
    database: Database, failure_id: UUID, *, resolution: Resolution, reason: str, actor: str, now: datetime
) -> None:
    """Note what was decided about a message; its policy is looked at again.

    Raises:
        FailureMissing, FailureClosed: there was nothing to decide.
    """
    with unit_of_work(database) as session:
        failure = _open(session, failure_id)
        _close(session, failure, resolution=resolution, reason=reason, actor=actor, now=now)
        if failure.policy_id is not None:
            policies.look_again(session, failure.policy_id, at=now, height=None)


def abandon(database: Database, failure_id: UUID, *, reason: str, actor: str, now: datetime) -> None:
    """Leave a failure as it is: nothing is tried by itself any more. What the chain does is followed all the same.

    A message that is abandoned is never run again; its policy is looked at anew, as if it had been lost.

    Raises:
        FailureMissing, FailureClosed: there was nothing to decide.
    """
    with unit_of_work(database) as session:
        failure = _open(session, failure_id)
        _close(session, failure, resolution=Resolution.ABANDONED, reason=reason, actor=actor, now=now)
        if failure.task is not None and failure.policy_id is not None:
            policies.look_again(session, failure.policy_id, at=now, height=None)


def _close(
    session: Session, failure: FailureRow, *, resolution: Resolution, reason: str, actor: str, now: datetime
) -> None:
    why, who = text("reason", reason), text("actor", actor)
    failures.close(session, failure.id, resolution=resolution, by=who, reason=why, now=now)


def _open(session: Session, failure_id: UUID) -> FailureRow:
    failure = failures.get(session, failure_id)
    if failure is None:
        raise FailureMissing(failure=str(failure_id))
    if failure.closed_at is not None:
        raise FailureClosed(failure=str(failure_id), resolution=failure.resolution)
    return failure


def count_delivery(
    database: Database,
    task_id: str,
    *,
    task: str,
    arguments: dict[str, Any],
    policy_id: UUID | None,
    most: int,
    now: datetime,
) -> None:
    """Count a message that came again; one that came `most` times in all is run no more, and put on the list.

    Raises:
        MessageGivenUp: it is not to be run any more.
    """
    with unit_of_work(database) as session:
        deliveries = failures.count_delivery(session, task_id, task=task, now=now)
        is_given_up = deliveries >= most  # the first delivery is not counted
        if is_given_up:
            failures.give_up_message(
                session,
                task_id,
                task=task,
                arguments=arguments,
                policy_id=policy_id,
                deliveries=deliveries,
                now=now,
            )
    if is_given_up:
        raise MessageGivenUp(task=task, deliveries=deliveries)
