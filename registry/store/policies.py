"""Policies as rows: found, moved along one edge, claimed for a look, and read as facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CursorResult, DateTime, Double, Interval, func, literal, or_, select, union_all, update
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.domain.errors import Alarm, BadRequest, PolicyNotFound
from registry.domain.lease import MOST_DOUBLINGS, Held, Lease, LeaseLost
from registry.domain.policy import RESUMED, SET_OUT, TRANSITIONS, Edge, ExerciseStyle, PolicyFacts, PolicyStatus
from registry.domain.request import integer
from registry.domain.retry import AUTOMATIC
from registry.domain.units import BlockHash, BurnHeight, Principal
from registry.store import failures
from registry.store.blocks import final_status_of, marked_expired, purchase_of
from registry.store.tables import (
    ActivationRequestRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    RequestState,
    SettlementRow,
)


class PolicyMissingError(Alarm):
    """An internal message named a policy that is not there."""

    code = "policy_missing"
    sentence = "there is no policy {policy_id}"
    remedy = "find out who enqueued it"


def get(session: Session, policy_id: UUID) -> PolicyRow:
    """Load one policy; a message that names none is an alarm."""
    row = session.get(PolicyRow, policy_id)
    if row is None:
        raise PolicyMissingError(policy_id=str(policy_id))
    return row


def lock(session: Session, policy_id: UUID, *, lease: int | None = None) -> PolicyRow:
    """Load one policy and hold it until the unit of work ends.

    `lease` is the token under which the caller drives it; None asks for none.

    Raises:
        LeaseLost: it was taken by somebody else since.
    """
    row = session.get(PolicyRow, policy_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise PolicyMissingError(policy_id=str(policy_id))
    if lease is not None and row.lease_token != lease:
        raise LeaseLost(policy_id=str(policy_id), token=lease, newest=row.lease_token)
    return row


def take(session: Session, row: PolicyRow, lease: Lease, *, now: datetime) -> Held:
    """Drive a policy from now on, whoever did until now."""
    row.lease_token += 1
    row.lease_owner = lease.owner
    row.next_look_at = now + lease.length
    row.next_look_height = None
    session.flush()
    return Held(policy_id=row.id, token=row.lease_token)


def resolve(session: Session, value: object, *, owner: Principal) -> UUID:
    """Find an owner's policy by our UUID or its on-chain id; a missing one and another's look the same."""
    named = col(PolicyRow.id) if isinstance(value, str) and not value.isdigit() else col(PolicyRow.policy_id_on_chain)
    try:
        key = UUID(value) if isinstance(value, str) and not value.isdigit() else integer("policy_id", value)
    except ValueError:
        raise BadRequest(field="policy_id", reason="it is neither a UUID nor an on-chain id") from None
    found = session.execute(
        select(col(PolicyRow.id)).where(named == key, col(PolicyRow.owner_principal) == owner)
    ).scalar_one_or_none()
    if found is None:
        raise PolicyNotFound(owner=owner, policy=str(value))
    return found


def with_on_chain_id(session: Session, policy_id_on_chain: int) -> UUID | None:
    """Which row has this on-chain id now; after a fork that is not yet the one whose purchase got it."""
    return session.execute(
        select(col(PolicyRow.id)).where(col(PolicyRow.policy_id_on_chain) == policy_id_on_chain)
    ).scalar_one_or_none()


def with_status(session: Session, status: PolicyStatus, *, limit: int) -> Sequence[PolicyRow]:
    """Policies of one status, those that run out first before the others."""
    rows = session.execute(
        select(PolicyRow)
        .where(col(PolicyRow.status_detailed) == status)
        .order_by(col(PolicyRow.expiration_height), col(PolicyRow.id))
        .limit(limit)
    )
    return rows.scalars().all()


def latest_event(session: Session, policy_id: UUID) -> PolicyEventRow:
    """The transition that brought a policy to where it is."""
    return session.execute(
        select(PolicyEventRow)
        .where(col(PolicyEventRow.policy_id) == policy_id)
        .order_by(col(PolicyEventRow.id).desc())
        .limit(1)
    ).scalar_one()


def record(session: Session, event: PolicyEventRow) -> None:
    """Append a transition that made its row (edges a and n); every other one goes through `move`."""
    session.add(event)


def move(
    session: Session,
    policy_id: UUID,
    edge: Edge,
    *,
    leaves: PolicyStatus,
    cause: str,
    actor: str,
    height: int | None = None,
    tx_id: str | None = None,
    detail: dict[str, Any] | None = None,
    changes: dict[str, Any] | None = None,
    now: datetime,
) -> bool:
    """Move one policy along an edge and append the event, or answer False when it has left `leaves` already."""
    may_leave, enters = TRANSITIONS[edge]
    if leaves not in may_leave:
        raise ValueError(f"edge {edge} does not leave {leaves}")
    moved = session.execute(
        update(PolicyRow)
        .where(col(PolicyRow.id) == policy_id, col(PolicyRow.status_detailed) == leaves)
        .values(status_detailed=enters, next_look_at=now, next_look_height=None, lease_attempts=0, **(changes or {}))
        .execution_options(synchronize_session="fetch")
    )
    if not isinstance(moved, CursorResult) or moved.rowcount != 1:
        return False
    session.add(
        PolicyEventRow(
            policy_id=policy_id,
            edge=edge,
            from_status=leaves,
            to_status=enters,
            cause=cause,
            actor=actor,
            height=height,
            tx_id=tx_id,
            detail=detail or {},
            at=now,
        )
    )
    return True


def claim_standing_still(
    session: Session, *, height: BurnHeight, now: datetime, lease: Lease, limit: int
) -> Sequence[Held]:
    """Take policies whose time or height to look again has come, passing by those that another worker holds.

    What is taken here is not offered again for the length of the lease, which doubles while a policy does not move.
    """
    by_height = (
        select(col(PolicyRow.id))
        .where(col(PolicyRow.next_look_height) <= height)
        .order_by(col(PolicyRow.next_look_height), col(PolicyRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("by_height")  # run once: a plain subquery may be run again for each row, past its limit
    )
    by_time = (
        select(col(PolicyRow.id))
        .where(col(PolicyRow.next_look_at) <= now)
        .order_by(col(PolicyRow.next_look_at), col(PolicyRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("by_time")
    )
    # a height is waited for once, a time again and again: so the heights cannot be crowded out
    due = union_all(select(by_height.c.id, literal(0).label("turn")), select(by_time.c.id, literal(1))).subquery()
    chosen = select(due.c.id).order_by(due.c.turn).limit(limit)
    doubled = func.power(2, func.least(col(PolicyRow.lease_attempts), MOST_DOUBLINGS), type_=Double)
    seconds = lease.length.total_seconds() * doubled
    taken = session.execute(
        update(PolicyRow)
        .where(col(PolicyRow.id).in_(chosen))
        .values(
            lease_token=col(PolicyRow.lease_token) + 1,
            lease_owner=lease.owner,
            lease_attempts=col(PolicyRow.lease_attempts) + 1,
            next_look_at=literal(now, DateTime(timezone=True))
            + func.make_interval(0, 0, 0, 0, 0, 0, seconds, type_=Interval),
            next_look_height=None,
        )
        .returning(col(PolicyRow.id), col(PolicyRow.lease_token))
        .execution_options(synchronize_session=False)
    )
    return [Held(policy_id=policy_id, token=token) for policy_id, token in taken]


def look_again(session: Session, policy_id: UUID, *, at: datetime | None, height: BurnHeight | None) -> None:
    """Set when this policy should next be looked at; neither: only the chain or its owner can move it.

    Nobody drives it meanwhile.
    """
    session.execute(
        update(PolicyRow)
        .where(col(PolicyRow.id) == policy_id)
        .values(next_look_at=at, next_look_height=height, lease_owner=None, lease_attempts=0)
    )


def claim_due(
    session: Session, *, style: ExerciseStyle, confirmed: BurnHeight, limit: int, now: datetime
) -> Sequence[PolicyRow]:
    """Lock Active policies that ran out, that nobody drives and nobody asks anything of, oldest expiration first."""
    open_request = (
        select(col(ActivationRequestRow.id))
        .where(
            col(ActivationRequestRow.policy_id) == col(PolicyRow.id),
            col(ActivationRequestRow.state) == RequestState.OPEN,
        )
        .exists()
    )
    rows = session.execute(
        select(PolicyRow)
        .where(
            col(PolicyRow.status_detailed) == PolicyStatus.ACTIVE,
            col(PolicyRow.exercise_style) == style,
            col(PolicyRow.expiration_height) < confirmed,
            ~open_request,
            or_(col(PolicyRow.lease_owner).is_(None), col(PolicyRow.next_look_at) <= now),
        )
        .order_by(col(PolicyRow.expiration_height), col(PolicyRow.id))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return rows.scalars().all()


def facts(session: Session, row: PolicyRow) -> PolicyFacts:
    """Gather what `next_step` and `chain_edge` decide from."""
    quote = session.execute(select(QuoteRow).where(col(QuoteRow.policy_id) == row.id)).scalar_one_or_none()
    request = session.execute(
        select(col(ActivationRequestRow.id)).where(
            col(ActivationRequestRow.policy_id) == row.id, col(ActivationRequestRow.state) == RequestState.OPEN
        )
    ).scalar_one_or_none()
    set_out = session.execute(
        select(func.max(PolicyEventRow.at)).where(
            col(PolicyEventRow.policy_id) == row.id, col(PolicyEventRow.edge).in_(sorted(SET_OUT))
        )
    ).scalar_one()
    retries, failed_at = _retries(session, row) if row.status_detailed in RESUMED else (0, None)
    valid_until = quote.valid_until_height if quote else None
    marked = marked_expired(session, row.id)
    return PolicyFacts(
        id=row.id,
        status=PolicyStatus(row.status_detailed),
        style=ExerciseStyle(row.exercise_style),
        expiration_height=BurnHeight(row.expiration_height),
        valid_until_height=None if valid_until is None else BurnHeight(valid_until),
        prepared=quote is not None and quote.wallet_payload is not None,
        request_open=request is not None,
        settlement_pinned=session.get(SettlementRow, row.id) is not None,
        recorded_block=None if row.creation_block is None else BlockHash(row.creation_block),
        recorded_end=None if row.end_block is None else BlockHash(row.end_block),
        set_out_at=set_out,
        purchase=purchase_of(session, row.id),
        final=final_status_of(session, row.id),
        marked_expired=None if marked is None else BurnHeight(marked[1].burn_height),
        retries_made=retries,
        retry_from=failed_at,
    )


def _retries(session: Session, row: PolicyRow) -> tuple[int, datetime | None]:
    """How often a failed policy was tried again by itself, and when it failed last; None where a person has decided."""
    failure = failures.of_policy(session, row.id)
    if failure is None or failure.closed_at is not None:
        return 0, None
    made = session.execute(
        select(func.count()).where(
            col(PolicyEventRow.policy_id) == row.id,
            col(PolicyEventRow.edge) == RESUMED[PolicyStatus(row.status_detailed)],
            col(PolicyEventRow.cause) == AUTOMATIC,
        )
    )
    return made.scalar_one(), failure.at
