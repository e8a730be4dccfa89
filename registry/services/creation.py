"""Creation: a request becomes a quote, the quote a policy that waits for its purchase."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from registry.domain.capacity import OpenQuoteLimits, PoolUse, TierUse, check_open_quotes, check_room
from registry.domain.errors import BadRequest, IdempotencyKeyReused, PolicyNotFound, QuoteOver
from registry.domain.lease import Lease
from registry.domain.parameters import Parameters
from registry.domain.policy import Edge, PolicyStatus
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.request import CreationRequest, object_of, text
from registry.domain.terms import check_sold, expiration_height, valid_until_height
from registry.domain.tier import RiskTier
from registry.domain.units import BaseUnits, BurnHeight, Principal
from registry.queries.policies import describe, describe_quote
from registry.services import pricing
from registry.services.owners import check_owner
from registry.services.terms import quote_terms
from registry.stacks.contracts import Contracts
from registry.stacks.quote import sign_quote
from registry.stacks.signing import PrivateKey
from registry.stacks.wallet import wallet_payload
from registry.store import parameters as parameter_rows
from registry.store import policies, prices, quotes, reservations
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyEventRow, PolicyRow, PriceRow, QuoteRow, ReservationRow

QUOTE_ID_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that stands in `quotes`; `policy_id` once it has been recorded, `was_priced` maybe long before."""

    quote: UUID
    pairs: tuple[Pair, ...]
    policy_id: UUID | None
    was_priced: bool = False


def ask(database: Database, contracts: Contracts, *, owner: object, key: object, body: object) -> Asked:
    """Take a request under its idempotency key; the same key with another body is a conflict."""
    principal = check_owner(owner, network=contracts.network)
    request = CreationRequest.from_json(body)
    named = text("idempotency_key", key)
    with unit_of_work(database) as session:
        row = quotes.ask(session, owner=principal, key=named, request=request.to_json())
        if row.request != request.to_json():
            raise IdempotencyKeyReused(key=named)
        if row.policy_id is None:
            _, parameters = parameter_rows.current(session)
            check_sold(amount=request.amount, days=request.days, parameters=parameters)
        return Asked(quote=row.id, pairs=request.pairs, policy_id=row.policy_id, was_priced=row.pricing is not None)


def is_priced(database: Database, quote: UUID, *, now: datetime) -> bool:
    """Whether the prices that a request was priced by are fresh still: a repeat of it need not fetch any."""
    with unit_of_work(database) as session:
        row = quotes.lock(session, quote)
        if row.pricing is None:
            return False
        _, parameters = parameter_rows.current(session)
        try:
            pricing.require_all_fresh(_prices_of(session, row), parameters, now=now)
        except PriceUnavailable:
            return False
        return True


def price(database: Database, quote: UUID, *, price_ids: Sequence[int], now: datetime) -> None:
    """Compute premium and collateral from prices fetched just before; a recorded quote stays as it is."""
    with unit_of_work(database) as session:
        row = quotes.lock(session, quote)
        if row.policy_id is not None:
            return
        fetched = [prices.get(session, price_id) for price_id in price_ids]
        _price_row(session, row, fetched, now=now)


def _price_row(session: Session, row: QuoteRow, fetched: Sequence[PriceRow], *, now: datetime) -> None:
    parameters_id, parameters = parameter_rows.current(session)
    request = CreationRequest.from_json(row.request)
    priced = pricing.price(session, request, fetched, parameters=parameters, now=now)
    row.premium_base_units = priced.cost.amount
    row.fee_base_units = priced.cost.fee
    row.collateral_base_units = priced.collateral
    row.risk_tier = priced.tier
    row.parameters_id = parameters_id
    row.pricing = priced.pricing


def check_capacity(database: Database, quote: UUID, *, limits: OpenQuoteLimits) -> None:
    """Refuse early what the pool cannot cover; `record` asks again, with the tier held."""
    with unit_of_work(database) as session:
        row = quotes.lock(session, quote)
        if row.policy_id is None:
            _require_room(session, row, limits=limits)


def _require_room(session: Session, row: QuoteRow, *, limits: OpenQuoteLimits) -> None:
    request = CreationRequest.from_json(row.request)
    tier, needed, parameters = _priced(session, row)
    owner = Principal(row.owner_principal)
    reservations.hold_owner(session, owner)
    tiers = reservations.lock_tiers(session, request.token)
    book = reservations.book(session, request.token)
    pool = PoolUse(
        token=request.token,
        assets=BaseUnits(book.assets),
        locked=BaseUnits(book.locked),
        reserved=BaseUnits(sum(each.reserved_base_units for each in tiers.values())),
    )
    use = TierUse(
        tier=tier,
        locked=BaseUnits(tiers[tier].locked_base_units),
        reserved=BaseUnits(tiers[tier].reserved_base_units),
        unsigned=BaseUnits(reservations.unsigned_of_tier(session, tier, request.token)),
    )
    check_open_quotes(owner, unsigned=reservations.unsigned_of_owner(session, owner), limits=limits)
    check_room(needed, pool=pool, use=use, parameters=parameters, limits=limits)


def _priced(session: Session, row: QuoteRow) -> tuple[RiskTier, BaseUnits, Parameters]:
    if row.risk_tier is None or row.collateral_base_units is None or row.parameters_id is None:
        raise BadRequest(field="quote", reason=f"{row.id} has not been priced")
    parameters = parameter_rows.version(session, row.parameters_id)
    return RiskTier(row.risk_tier), BaseUnits(row.collateral_base_units), parameters


def record(
    database: Database,
    contracts: Contracts,
    quote: UUID,
    *,
    height: BurnHeight,
    limits: OpenQuoteLimits,
    lease: Lease,
    now: datetime,
) -> UUID:
    """Record the attempt with its reservation (edge a), once, while its prices are fresh; who records it drives it.

    `height` is the canonical tip's, read just before.
    """
    with unit_of_work(database) as session:
        row = quotes.lock(session, quote)
        if row.policy_id is not None:
            return row.policy_id
        request = CreationRequest.from_json(row.request)
        tier, collateral, parameters = _priced(session, row)
        pricing.require_all_fresh(_prices_of(session, row), parameters, now=now)
        _require_room(session, row, limits=limits)
        policy = _policy_of(row, request, contracts, height=height, now=now)
        session.add(policy)
        session.flush()
        policies.take(session, policy, lease, now=now)
        row.policy_id = policy.id
        row.quote_id = secrets.token_bytes(QUOTE_ID_BYTES)
        row.expiration_height = policy.expiration_height
        row.valid_until_height = valid_until_height(height, parameters=parameters)
        reservations.reserve(
            session,
            ReservationRow(
                policy_id=policy.id,
                owner_principal=row.owner_principal,
                risk_tier=tier,
                token=request.token,
                amount_base_units=collateral,
            ),
        )
        policies.record(session, _recorded(policy, row, height=height, now=now))
        return policy.id


def _prices_of(session: Session, row: QuoteRow) -> list[PriceRow]:
    snapshots = row.pricing["prices"] if row.pricing else []
    return [prices.get(session, snapshot["price_id"]) for snapshot in snapshots]


def _policy_of(
    row: QuoteRow, request: CreationRequest, contracts: Contracts, *, height: BurnHeight, now: datetime
) -> PolicyRow:
    return PolicyRow(
        owner_principal=row.owner_principal,
        counterparty_principal=contracts.pool,
        protected_value_price_feed_units=request.strike,
        protected_amount_sats=request.amount,
        expiration_height=expiration_height(height, days=request.days),
        status_detailed=PolicyStatus.PENDING_CREATION,
        risk_tier=row.risk_tier,
        oracle_data_snapshot_creation=row.pricing,
        exercise_style=request.style,
        parameters_id=row.parameters_id,
        created_at=now,
    )


def _recorded(policy: PolicyRow, row: QuoteRow, *, height: BurnHeight, now: datetime) -> PolicyEventRow:
    return PolicyEventRow(
        policy_id=policy.id,
        edge=Edge.RECORDED,
        to_status=PolicyStatus.PENDING_CREATION,
        cause="quoted",
        actor="owner",
        height=height,
        detail={"quote_id": row.quote_id.hex() if row.quote_id else None, "valid_until": row.valid_until_height},
        at=now,
    )


def prepare(
    database: Database, contracts: Contracts, key: PrivateKey, policy_id: UUID, *, lease: int | None = None
) -> dict[str, Any]:
    """Sign the quote and make the wallet's payload, once; answer policy, quote and payload as they stand."""
    with unit_of_work(database) as session:
        policy = policies.lock(session, policy_id, lease=lease)
        row = quotes.of_policy(session, policy_id)
        if row is None:
            raise PolicyNotFound(owner=policy.owner_principal, policy=str(policy_id))
        if row.wallet_payload is None:
            terms = quote_terms(row)
            row.wallet_payload = wallet_payload(contracts, terms, sign_quote(contracts, terms, key=key))
        return {
            "policy": describe(policy),
            "quote": describe_quote(row),
            "wallet_payload": row.wallet_payload,
        }


def report(database: Database, contracts: Contracts, message: object, *, now: datetime) -> dict[str, Any]:
    """Note what the wallet said: a txid, which is a hint and no proof, or that its owner declined."""
    body = object_of("message", message, required={"owner_principal", "policy_id"}, optional={"tx_id", "declined"})
    owner = check_owner(body["owner_principal"], network=contracts.network)
    with unit_of_work(database) as session:
        policy = policies.lock(session, policies.resolve(session, body["policy_id"], owner=owner))
        row = quotes.of_policy(session, policy.id)
        if body.get("declined") is True and row is not None:
            _decline(policy, row, now=now)
        elif "tx_id" in body:
            policy.reported_tx_id = _txid(body["tx_id"])
        else:
            raise BadRequest(field="tx_id", reason="neither a txid nor `declined: true` was sent")
        return {"policy": describe(policy), "purchasable_until_height": _purchasable_until(policy, row)}


def _decline(policy: PolicyRow, row: QuoteRow, *, now: datetime) -> None:
    """Note it once; collateral stays reserved, for whoever holds what we signed can still buy with it."""
    if row.declined_at is not None:
        return
    if policy.status_detailed != PolicyStatus.PENDING_CREATION:
        raise QuoteOver(policy=str(policy.id), status=policy.status_detailed)
    row.declined_at = now


def _purchasable_until(policy: PolicyRow, row: QuoteRow | None) -> int | None:
    """The last height at which a block may hold the purchase; None where that is decided."""
    waits = policy.status_detailed == PolicyStatus.PENDING_CREATION
    return row.valid_until_height if waits and row is not None else None


def _txid(value: object) -> str:
    digits = text("tx_id", value).removeprefix("0x").lower()
    try:
        if len(bytes.fromhex(digits)) == 32:  # noqa: PLR2004 - a SHA-512/256
            return digits
    except ValueError:
        pass
    raise BadRequest(field="tx_id", reason="it is not 64 hex digits")
