"""The feed of policies: every edge that one walked, in the one order in which all readers see them."""

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session
from sqlmodel import col

from registry.queries.policies import describe
from registry.store.front_tables import PolicyFeedRow
from registry.store.tables import PolicyEventRow, PolicyRow
from registry_client.answers import Policy, PolicyEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class FedEvent:
    """One event in its place; `told` is what a reader gets of it."""

    seq: int
    policy_id: UUID
    owner_principal: str
    told: PolicyEvent


def after(
    session: Session,
    seq: int,
    *,
    owner: str | None = None,
    policy: UUID | None = None,
    until: int | None = None,
    limit: int,
) -> list[FedEvent]:
    """The events behind a place, up to `until` with it, in turn: an owner's, one policy's, or all.

    Events that have no place yet are not told: `registry.store.feed.give_places` comes first.
    """
    place = col(PolicyFeedRow.seq)
    chosen: Select[*tuple[Any, ...]] = select(place.label("seq"), col(PolicyFeedRow.event_id).label("event_id")).where(
        place > seq
    )
    if owner is not None:
        chosen = chosen.where(col(PolicyFeedRow.owner_principal) == owner)
    if policy is not None:
        chosen = chosen.where(col(PolicyFeedRow.policy_id) == policy)
    if until is not None:
        chosen = chosen.where(place <= until)
    page = chosen.order_by(place).limit(limit).subquery()
    found = session.execute(
        select(page.c.seq, PolicyEventRow, PolicyRow)
        .join_from(page, PolicyEventRow, col(PolicyEventRow.id) == page.c.event_id)
        .join(PolicyRow, col(PolicyRow.id) == col(PolicyEventRow.policy_id))
        .order_by(page.c.seq)
    )
    return [_fed(place, event, row) for place, event, row in found.all()]


def _fed(seq: int, event: PolicyEventRow, row: PolicyRow) -> FedEvent:
    # who acted, and why, is for operators
    told: PolicyEvent = {
        "seq": seq,
        "policy_id": str(row.id),
        "edge": event.edge,
        "from": event.from_status,
        "to": event.to_status,
        "cause": event.cause,
        "height": event.height,
        "tx_id": event.tx_id,
        "at": event.at.isoformat(),
        "policy": cast("Policy", describe(row)),
    }
    return FedEvent(seq=seq, policy_id=row.id, owner_principal=row.owner_principal, told=told)
