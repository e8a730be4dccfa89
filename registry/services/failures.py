"""Failures: policies whose own transaction was refused for good, and an operator's order to try again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from registry.domain.errors import Conflict
from registry.domain.policy import RESUMED, PolicyStatus
from registry.domain.request import text
from registry.store import policies
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyEventRow, PolicyRow


class NotFailed(Conflict):
    """Only a settlement or an expiration that failed can be tried again."""

    code = "not_failed"
    sentence = "policy {policy} is {status}, so there is nothing to try again"
    remedy = "run `registry failures list` to see which have failed"


def waiting(database: Database, *, limit: int) -> list[dict[str, Any]]:
    """List what has failed, with what the contract answered; settlements, which are owed, come first."""
    with unit_of_work(database) as session:
        failed = [
            row
            for status in (PolicyStatus.FAILED_SETTLEMENT, PolicyStatus.FAILED_EXPIRATION)
            for row in policies.with_status(session, status, limit=limit)
        ]
        return [_described(row, policies.latest_event(session, row.id)) for row in failed[:limit]]


def _described(row: PolicyRow, failure: PolicyEventRow) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "policy_id_on_chain": row.policy_id_on_chain,
        "owner_principal": row.owner_principal,
        "status_detailed": row.status_detailed,
        "cause": failure.cause,
        "code": failure.detail.get("code"),
        "meaning": failure.detail.get("meaning"),
        "at": failure.at.isoformat(),
    }


def retry(database: Database, policy_id: UUID, *, reason: str, actor: str, now: datetime) -> None:
    """Set a failed policy on its way again (edges h and m); what is paid is what was pinned.

    Raises:
        NotFailed: it has not, or somebody else ordered it already.
    """
    why = text("reason", reason)
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id)
        status = PolicyStatus(row.status_detailed)
        if status not in RESUMED:
            raise NotFailed(policy=str(policy_id), status=status.value)
        policies.move(
            session,
            policy_id,
            RESUMED[status],
            leaves=status,
            cause="tried again by an operator",
            actor=text("actor", actor),
            detail={"reason": why},
            now=now,
        )
