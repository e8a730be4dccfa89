"""Quarantine: purchases that no quote of ours explains, and an operator's decision to stand by one."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from registry.domain.errors import Conflict
from registry.domain.policy import Edge, ExerciseStyle, PolicyStatus
from registry.domain.request import CreationRequest, text
from registry.domain.tier import RiskTier
from registry.domain.units import BIGINT_MAX, BLOCKS_PER_DAY, SECONDS_PER_BLOCK, Principal, Sats, Usd8
from registry.stacks.contracts import Contracts
from registry.stacks.events import PolicyPurchased, decode_event
from registry.store import blocks, parameters, policies, quotes, reservations
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow, CollateralState, PolicyRow, QuoteRow, ReservationRow


class NotQuarantined(Conflict):
    """Only what is in quarantine can be released from it."""

    code = "not_quarantined"
    sentence = "policy {policy} is {status}, not Quarantined"
    remedy = "run `registry quarantine list` to see which are"


class NothingToRelease(Conflict):
    """What the chain shows of this policy does not let us stand by it."""

    code = "nothing_to_release"
    sentence = "policy {policy} cannot be released: {reason}"
    remedy = "leave it in quarantine: nothing is ever paid on it"


def waiting(database: Database, *, limit: int) -> list[dict[str, Any]]:
    """List what is in quarantine, those that run out first before the others, with what its purchase says."""
    with unit_of_work(database) as session:
        return [
            _described(session, row) for row in policies.with_status(session, PolicyStatus.QUARANTINED, limit=limit)
        ]


def _described(session: Session, row: PolicyRow) -> dict[str, Any]:
    entered = policies.latest_event(session, row.id)
    return {
        "id": str(row.id),
        "policy_id_on_chain": row.policy_id_on_chain,
        "owner_principal": row.owner_principal,
        "protected_value_price_feed_units": row.protected_value_price_feed_units,
        "protected_amount_sats": row.protected_amount_sats,
        "expiration_height": row.expiration_height,
        "premium_amount_base_units": row.premium_amount_base_units,
        "premium_token": row.premium_token,
        "creation_height": row.creation_height,
        "tx_id_creation": row.tx_id_creation,
        "cause": entered.cause,
        "quote_id": entered.detail.get("quote_id"),
        "at": entered.at.isoformat(),
    }


def release(
    database: Database,
    contracts: Contracts,
    policy_id: UUID,
    *,
    tier: RiskTier,
    reason: str,
    actor: str,
    now: datetime,
) -> None:
    """Stand by a quarantined purchase (edge o): what the chain sold becomes the quote that was lost.

    From then on it is a policy like any other: it can be activated, expires, and comes back after a fork.

    Raises:
        NotQuarantined: it is not, or not any more.
        NothingToRelease: a fork took its purchase, or another policy of ours has its quote's id.
    """
    why = text("reason", reason)
    with unit_of_work(database) as session:
        row = policies.lock(session, policy_id)
        if row.status_detailed != PolicyStatus.QUARANTINED:
            raise NotQuarantined(policy=str(policy_id), status=row.status_detailed)
        purchase, block = _purchase(session, contracts, row)
        version, _ = parameters.current(session)
        session.add(_lost_quote(row, purchase, block, tier=tier, parameters_id=version, reason=why, now=now))
        reservations.lock_tiers(session, purchase.token)
        reservations.adopt(session, _held(row, purchase, tier))
        left = timedelta(seconds=(row.expiration_height - block.burn_height) * SECONDS_PER_BLOCK)
        policies.move(
            session,
            policy_id,
            Edge.ADOPTED,
            leaves=PolicyStatus.QUARANTINED,
            cause="released by an operator",
            actor=text("actor", actor),
            height=block.burn_height,
            tx_id=row.tx_id_creation,
            detail={"reason": why, "tier": tier.value, "collateral_base_units": purchase.collateral},
            changes={
                "risk_tier": tier,
                "parameters_id": version,
                "expiration_timestamp_estimate": block.time + left,
            },
            now=now,
        )


def _purchase(session: Session, contracts: Contracts, row: PolicyRow) -> tuple[PolicyPurchased, BlockRow]:
    found = blocks.event_of(session, row.id, "policy-purchased")
    if found is None or found[1].index_block_hash != row.creation_block:
        raise NothingToRelease(policy=str(row.id), reason="a fork took its purchase")
    event, block = found
    purchase = decode_event(contracts, Principal(event.contract), event.raw)
    if not isinstance(purchase, PolicyPurchased):
        raise NothingToRelease(policy=str(row.id), reason="its purchase cannot be read")
    if max(purchase.premium, purchase.collateral) > BIGINT_MAX:
        raise NothingToRelease(policy=str(row.id), reason="its figures are beyond what is kept")
    if quotes.by_quote_id(session, purchase.quote_id) is not None:
        raise NothingToRelease(policy=str(row.id), reason="another policy of ours has its quote's id")
    return purchase, block


def _lost_quote(
    row: PolicyRow,
    purchase: PolicyPurchased,
    block: BlockRow,
    *,
    tier: RiskTier,
    parameters_id: int,
    reason: str,
    now: datetime,
) -> QuoteRow:
    """Write the quote as its purchase tells it; how long it was valid is not told, so no longer than it took."""
    request = CreationRequest(
        strike=Usd8(row.protected_value_price_feed_units),
        amount=Sats(row.protected_amount_sats),
        days=max(1, -(-(row.expiration_height - block.burn_height) // BLOCKS_PER_DAY)),
        token=purchase.token,
        style=ExerciseStyle(row.exercise_style),
    )
    return QuoteRow(
        owner_principal=row.owner_principal,
        idempotency_key=f"quarantine {row.id}",
        request=request.to_json(),
        created_at=now,
        premium_base_units=purchase.premium,
        fee_base_units=purchase.fee,
        collateral_base_units=purchase.collateral,
        risk_tier=tier,
        pricing={"released": reason},
        parameters_id=parameters_id,
        policy_id=row.id,
        quote_id=purchase.quote_id,
        expiration_height=row.expiration_height,
        valid_until_height=block.burn_height,
    )


def _held(row: PolicyRow, purchase: PolicyPurchased, tier: RiskTier) -> ReservationRow:
    return ReservationRow(
        policy_id=row.id,
        owner_principal=row.owner_principal,
        risk_tier=tier,
        token=purchase.token,
        amount_base_units=purchase.collateral,
        state=CollateralState.LOCKED,
    )
