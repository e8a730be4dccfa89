"""Activation: an owner's wish is a row; the first price fetched after it decides, and what is owed is pinned."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from registry.domain.errors import (
    ActivationOpen,
    EuropeanStyle,
    IdempotencyKeyReused,
    PolicyNotActive,
    PolicyRanOut,
    RegistryError,
)
from registry.domain.height import ChainHeight
from registry.domain.lease import Lease
from registry.domain.policy import Edge, ExerciseStyle, PolicyStatus
from registry.domain.prices import Pair, Prices
from registry.domain.request import integer, object_of, pairs_of, text
from registry.domain.settlement import FORMULA_VERSION, Payout, PayoutRefused, payout
from registry.domain.steps import is_due
from registry.domain.units import BaseUnits, BurnHeight, Sats, Token, Usd8
from registry.queries.policies import describe
from registry.services.owners import check_owner
from registry.stacks.contracts import Contracts
from registry.store import activations, parameters, policies, prices, reservations
from registry.store.session import Database, unit_of_work
from registry.store.tables import ActivationRequestRow, PolicyRow, PriceRow, RequestState, SettlementRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A request as it stands; `pairs` are the prices that decide it, none once it was decided."""

    policy_id: UUID
    pairs: tuple[Pair, ...]


def request(
    database: Database, contracts: Contracts, message: object, *, height: BurnHeight, lease: Lease, now: datetime
) -> Wish:
    """Take an owner's request for one of his Active policies, and the policy with it.

    The same key again finds the same request: what was decided stands, a refusal is raised once more.
    """
    body = object_of(
        "message",
        message,
        required={"owner_principal", "policy_id", "idempotency_key"},
        optional={"min_payout_base_units"},
    )
    owner = check_owner(body["owner_principal"], network=contracts.network)
    key = text("idempotency_key", body["idempotency_key"])
    least = body.get("min_payout_base_units")
    min_payout = None if least is None else integer("min_payout_base_units", least)
    with unit_of_work(database) as session:
        policy = policies.lock(session, policies.resolve(session, body["policy_id"], owner=owner))
        known = activations.by_key(session, policy.id, key)
        if known is not None:
            if known.min_payout_base_units != min_payout:
                raise IdempotencyKeyReused(key=key)
            if (refusal := activations.refusal_of(known)) is not None:
                raise refusal
            return Wish(policy_id=policy.id, pairs=_pairs(session, policy) if known.state == RequestState.OPEN else ())
        _require_open_to_requests(session, policy, height=height)
        session.add(
            ActivationRequestRow(
                policy_id=policy.id,
                idempotency_key=key,
                min_payout_base_units=min_payout,
                requested_height=height,
                requested_at=now,
            )
        )
        policies.take(session, policy, lease, now=now)
        return Wish(policy_id=policy.id, pairs=_pairs(session, policy))


def _require_open_to_requests(session: Session, policy: PolicyRow, *, height: BurnHeight) -> None:
    named = str(policy.id)
    if policy.status_detailed != PolicyStatus.ACTIVE:
        raise PolicyNotActive(policy=named, status=policy.status_detailed)
    if policy.exercise_style == ExerciseStyle.EUROPEAN:
        raise EuropeanStyle(policy=named, expiration_height=policy.expiration_height)
    if height > policy.expiration_height:
        raise PolicyRanOut(policy=named, expiration_height=policy.expiration_height, height=height)
    pinned = session.get(SettlementRow, policy.id) is not None
    if pinned or activations.open_of(session, policy.id) is not None:
        raise ActivationOpen(policy=named)


def _pairs(session: Session, policy: PolicyRow) -> tuple[Pair, ...]:
    return pairs_of(reservations.token_of(session, policy.id))


def pairs_for(database: Database, policy_id: UUID) -> tuple[Pair, ...]:
    """The prices that decide this policy; none once its payout is pinned."""
    with unit_of_work(database) as session:
        if session.get(SettlementRow, policy_id) is not None:
            return ()
        return _pairs(session, policies.get(session, policy_id))


def decide(
    database: Database,
    policy_id: UUID,
    *,
    price_ids: Sequence[int],
    height: ChainHeight,
    now: datetime,
    lease: int | None = None,
) -> dict[str, Any]:
    """Decide one policy once prices were fetched for it; deciding it again changes nothing.

    A request is decided by the first aggregates fetched after it, whoever fetched them and however often that was
    tried since; a European policy by those given here. In the money: the amount is pinned and the policy is Settling
    (edge c). Else an open request is refused, and raised as its refusal once that is kept; a European policy that is
    due begins to expire (edge j).
    """
    with unit_of_work(database) as session:
        policy = policies.lock(session, policy_id, lease=lease)
        if policy.status_detailed == PolicyStatus.ACTIVE:
            refusal = _decide(session, policy, price_ids, height=height, now=now)
        else:
            refusal = activations.refusal_of(activations.newest(session, policy_id))
        session.refresh(policy)
        answer = _answer(session, policy)
    if refusal is not None:
        raise refusal
    return answer


def _decide(
    session: Session, policy: PolicyRow, price_ids: Sequence[int], *, height: ChainHeight, now: datetime
) -> RegistryError | None:
    wish = activations.open_of(session, policy.id)
    facts = policies.facts(session, policy)
    if facts.settlement_pinned:
        _settle(session, policy, wish, cause="pinned earlier", height=height, now=now)
        return None
    due = facts.style is ExerciseStyle.EUROPEAN and is_due(facts, height=height)
    if wish is None and not due:
        return activations.refusal_of(activations.newest(session, policy.id))
    _, in_force = parameters.current(session)
    fetched = _deciding(session, policy, wish, price_ids)
    if not fetched or not in_force.activation_enabled:
        return None
    try:
        owed = _payout(session, policy, wish, prices.as_prices(fetched))
    except PayoutRefused as refusal:
        if wish is not None:
            activations.refuse(session, wish, refusal, now=now)
            return refusal
        _let_expire(session, policy, height=height, now=now)
        return None
    policy.oracle_data_snapshot_settlement = {"prices": [prices.snapshot(each) for each in fetched]}
    session.add(_pinned(policy, owed, now=now))
    _settle(session, policy, wish, cause="activated" if wish else "due in the money", height=height, now=now)
    return None


def _deciding(
    session: Session, policy: PolicyRow, wish: ActivationRequestRow | None, price_ids: Sequence[int]
) -> list[PriceRow]:
    """The aggregates that decide; none while one of them is still to be fetched."""
    if wish is None:
        return [prices.get(session, price_id) for price_id in price_ids]
    pairs = _pairs(session, policy)
    found = [prices.first_since(session, pair, at=wish.requested_at) for pair in pairs]
    fetched = [row for row in found if row is not None]
    return fetched if len(fetched) == len(pairs) else []


def _payout(session: Session, policy: PolicyRow, wish: ActivationRequestRow | None, market: Prices) -> Payout:
    held = reservations.of_policy(session, policy.id)
    least = wish.min_payout_base_units if wish else None
    return payout(
        strike=Usd8(policy.protected_value_price_feed_units),
        amount=Sats(policy.protected_amount_sats),
        token=Token(held.token),
        collateral=BaseUnits(held.amount_base_units),
        prices=market,
        min_payout=None if least is None else BaseUnits(least),
    )


def _pinned(policy: PolicyRow, owed: Payout, *, now: datetime) -> SettlementRow:
    return SettlementRow(
        policy_id=policy.id,
        amount_base_units=owed.amount,
        token=owed.token,
        capped=owed.capped,
        formula_version=FORMULA_VERSION,
        snapshot={"uncapped_base_units": owed.uncapped, **(policy.oracle_data_snapshot_settlement or {})},
        pinned_at=now,
    )


def _settle(
    session: Session,
    policy: PolicyRow,
    wish: ActivationRequestRow | None,
    *,
    cause: str,
    height: ChainHeight,
    now: datetime,
) -> None:
    session.flush()
    settlement = session.get_one(SettlementRow, policy.id)
    if wish is not None:
        wish.state = RequestState.ACCEPTED
        wish.decided_at = now
    policies.move(
        session,
        policy.id,
        Edge.ACTIVATED,
        leaves=PolicyStatus.ACTIVE,
        cause=cause,
        actor="owner" if wish else "sweep",
        height=height.tip,
        detail={
            "amount_base_units": settlement.amount_base_units,
            "token": settlement.token,
            "capped": settlement.capped,
        },
        now=now,
    )


def _let_expire(session: Session, policy: PolicyRow, *, height: ChainHeight, now: datetime) -> None:
    policies.move(
        session,
        policy.id,
        Edge.DUE,
        leaves=PolicyStatus.ACTIVE,
        cause="due out of the money",
        actor="sweep",
        height=height.tip,
        now=now,
    )


def _answer(session: Session, policy: PolicyRow) -> dict[str, Any]:
    settlement = session.get(SettlementRow, policy.id)
    wish = activations.newest(session, policy.id)
    return {
        "policy": describe(policy),
        "activation": {
            "state": wish.state if wish else None,
            "settlement_amount_base_units": settlement.amount_base_units if settlement else None,
            "settlement_token": settlement.token if settlement else None,
        },
    }
