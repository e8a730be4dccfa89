"""Activation requests: found by key, open at most once a policy, refused with their reason."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain import settlement
from registry.domain.errors import RegistryError
from registry.domain.settlement import PayoutRefused
from registry.store.tables import ActivationRequestRow, PolicyRow, RequestState, SettlementRow


def by_key(session: Session, policy_id: UUID, key: str) -> ActivationRequestRow | None:
    """The request that was made under this key."""
    return session.execute(
        select(ActivationRequestRow).where(
            col(ActivationRequestRow.policy_id) == policy_id, col(ActivationRequestRow.idempotency_key) == key
        )
    ).scalar_one_or_none()


def open_of(session: Session, policy_id: UUID) -> ActivationRequestRow | None:
    """The policy's open request."""
    return session.execute(
        select(ActivationRequestRow).where(
            col(ActivationRequestRow.policy_id) == policy_id, col(ActivationRequestRow.state) == RequestState.OPEN
        )
    ).scalar_one_or_none()


def newest(session: Session, policy_id: UUID) -> ActivationRequestRow | None:
    """The policy's latest request, however it ended."""
    return session.execute(
        select(ActivationRequestRow)
        .where(col(ActivationRequestRow.policy_id) == policy_id)
        .order_by(col(ActivationRequestRow.requested_at).desc())
        .limit(1)
    ).scalar_one_or_none()


def refuse(session: Session, wish: ActivationRequestRow, refusal: PayoutRefused, *, now: datetime) -> None:
    """Close a request with the reason that its owner is told."""
    wish.state = RequestState.REFUSED
    wish.refusal = {"kind": type(refusal).__name__, "figures": refusal.figures}
    wish.decided_at = now
    session.flush()


def close(session: Session, policy_id: UUID, *, enters: RequestState, now: datetime) -> None:
    """End an open request that the chain has answered."""
    session.execute(
        update(ActivationRequestRow)
        .where(col(ActivationRequestRow.policy_id) == policy_id, col(ActivationRequestRow.state) == RequestState.OPEN)
        .values(state=enters, decided_at=now)
        .execution_options(synchronize_session="fetch")
    )


def refusal_of(wish: ActivationRequestRow | None) -> RegistryError | None:
    """The refusal of a request, as it was told; None if it was not refused."""
    if wish is None or wish.refusal is None:
        return None
    kind: type[PayoutRefused] = getattr(settlement, str(wish.refusal["kind"]))
    return kind(wish.refusal["figures"])


def void(session: Session, policy: PolicyRow, *, now: datetime) -> dict[str, object]:
    """End what was asked for and what was pinned, for the purchase is gone for good; answer what that was."""
    session.execute(
        update(ActivationRequestRow)
        .where(
            col(ActivationRequestRow.policy_id) == policy.id,
            col(ActivationRequestRow.state).in_([RequestState.OPEN, RequestState.ACCEPTED]),
        )
        .values(state=RequestState.VOID, decided_at=now)
        .execution_options(synchronize_session="fetch")
    )
    pinned = session.get(SettlementRow, policy.id)
    if pinned is None:
        return {}
    session.delete(pinned)
    policy.oracle_data_snapshot_settlement = None
    session.flush()
    return {"void": {"amount_base_units": pinned.amount_base_units, "token": pinned.token, **pinned.snapshot}}
