"""Events: the bytes of our contracts' prints become rows, proved against quotes, and the pool's book."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.policy import Edge, OnChainStatus, PolicyStatus
from registry.domain.pool import PoolBook
from registry.domain.units import BIGINT_MAX, BaseUnits, BurnHeight, Principal
from registry.services.terms import explains, quote_terms
from registry.stacks.contracts import Contracts
from registry.stacks.events import (
    CollateralReleased,
    Event,
    FundsDeposited,
    FundsWithdrawn,
    MalformedEvent,
    PolicyCreated,
    PolicyPurchased,
    PolicySettled,
    PolicyStatusUpdated,
    decode_event,
)
from registry.stacks.node import ContractLog
from registry.store import blocks, policies, quotes, reservations
from registry.store.tables import BlockRow, ChainEventRow, PolicyEventRow, PolicyRow

_LOG = structlog.get_logger()

_NAMES: Mapping[type, str] = {
    PolicyCreated: "policy-created",
    PolicyStatusUpdated: "policy-status-updated",
    PolicyPurchased: "policy-purchased",
    PolicySettled: "policy-settled",
    CollateralReleased: "collateral-released",
    FundsDeposited: "funds-deposited",
    FundsWithdrawn: "funds-withdrawn",
}


def apply_events(session: Session, contracts: Contracts, block: BlockRow, logs: Sequence[ContractLog]) -> bool:
    """Keep a block's events, each with the policy that it provably concerns; answer whether the pool's book changed.

    The registry's events come first, so that a purchase finds its entry.
    """
    created: dict[tuple[str, int], PolicyCreated] = {}
    changed = False
    for log in logs:
        event = _decode(contracts, log)
        if isinstance(event, PolicyCreated):
            created[log.txid, event.policy_id] = event
        policy_id = _policy_of(session, contracts, event, created, tx_id=log.txid)
        session.add(_row(block, log, event, policy_id))
        session.flush()
        if isinstance(event, PolicyPurchased) and policy_id is not None:
            _link_entry(session, block, log.txid, event.policy_id, policy_id)
        changed |= _book(session, event, created, block, tx_id=log.txid)
    return changed


def _decode(contracts: Contracts, log: ContractLog) -> Event | None:
    try:
        return decode_event(contracts, log.contract_id, log.raw)
    except MalformedEvent as error:
        _LOG.error("event.malformed", tx_id=log.txid, event_index=log.event_index, reason=str(error))
        return None


def _on_chain_id(event: Event | None) -> int | None:
    named = (PolicyCreated, PolicyStatusUpdated, PolicyPurchased, PolicySettled, CollateralReleased)
    if not isinstance(event, named) or event.policy_id > BIGINT_MAX:
        return None
    return event.policy_id


def _row(block: BlockRow, log: ContractLog, event: Event | None, policy_id: UUID | None) -> ChainEventRow:
    return ChainEventRow(
        block=block.index_block_hash,
        tx_id=log.txid,
        event_index=log.event_index,
        contract=log.contract_id,
        name=_NAMES.get(type(event)),
        raw=log.raw,
        policy_id_on_chain=_on_chain_id(event),
        policy_id=policy_id,
    )


def _policy_of(
    session: Session,
    contracts: Contracts,
    event: Event | None,
    created: Mapping[tuple[str, int], PolicyCreated],
    *,
    tx_id: str,
) -> UUID | None:
    if isinstance(event, PolicyPurchased):
        quote = quotes.by_quote_id(session, event.quote_id)
        entry = created.get((tx_id, event.policy_id))
        if quote is None or entry is None or not explains(quote_terms(quote), contracts, event, entry):
            _LOG.error("purchase.unexplained", tx_id=tx_id, policy_id_on_chain=str(event.policy_id))
            return None
        return quote.policy_id
    if isinstance(event, PolicyStatusUpdated) and event.counterparty != contracts.pool:
        return None
    if isinstance(event, PolicyStatusUpdated | PolicySettled | CollateralReleased):
        on_chain = _on_chain_id(event)
        return None if on_chain is None else blocks.policy_of_on_chain_id(session, on_chain)
    return None


def _link_entry(session: Session, block: BlockRow, tx_id: str, on_chain: int, policy_id: UUID) -> None:
    blocks.link(session, block.index_block_hash, tx_id=tx_id, policy_id_on_chain=on_chain, policy_id=policy_id)


def _book(
    session: Session,
    event: Event | None,
    created: Mapping[tuple[str, int], PolicyCreated],
    block: BlockRow,
    *,
    tx_id: str,
) -> bool:
    if not isinstance(event, FundsDeposited | FundsWithdrawn | PolicyPurchased | PolicySettled | CollateralReleased):
        return False
    entry = created.get((tx_id, event.policy_id)) if isinstance(event, PolicyPurchased) else None
    book = reservations.book(session, event.token)
    reservations.keep_book(session, booked(book, event, entry, height=BurnHeight(block.burn_height)))
    return True


def booked(
    book: PoolBook,
    event: FundsDeposited | FundsWithdrawn | PolicyPurchased | PolicySettled | CollateralReleased,
    entry: PolicyCreated | None,
    *,
    height: BurnHeight,
) -> PoolBook:
    """What one event makes of the pool's book; `entry` tells until when a purchase's premium is earned."""
    match event:
        case FundsDeposited():
            return book.deposited(event.amount, height=height)
        case FundsWithdrawn():
            return book.withdrawn(event.amount, height=height)
        case PolicyPurchased():
            expiration = entry.expiration_height if entry else height
            return book.sold(
                premium=BaseUnits(event.premium - event.fee),
                collateral=event.collateral,
                expiration=expiration,
                height=height,
            )
        case PolicySettled():
            return book.ended(payout=event.amount, collateral=event.collateral)
        case CollateralReleased():
            return book.ended(payout=0, collateral=event.collateral)


def quarantine_unexplained(session: Session, contracts: Contracts, *, confirmed: BurnHeight, now: datetime) -> None:
    """Give every confirmed purchase that no quote of ours explains a row of its own (edge n): nothing is paid on it."""
    for event, block in blocks.unexplained_purchases(session, confirmed=confirmed):
        entry = blocks.entry_beside(session, event)
        purchase = decode_event(contracts, Principal(event.contract), event.raw)
        created = None if entry is None else decode_event(contracts, Principal(entry.contract), entry.raw)
        if not isinstance(purchase, PolicyPurchased) or not isinstance(created, PolicyCreated):
            continue
        if max(created.protected_value, created.protected_amount, created.expiration_height) > BIGINT_MAX:
            _LOG.error("purchase.beyond_columns", tx_id=event.tx_id)
            event.applied_at = now
            continue
        if policies.with_on_chain_id(session, purchase.policy_id) is not None:
            continue  # a fork took this id from another policy, which gives it up first
        row = _quarantined(event, block, purchase, created, now=now)
        session.add(row)
        session.flush()
        _link_entry(session, block, event.tx_id, purchase.policy_id, row.id)
        policies.record(
            session,
            PolicyEventRow(
                policy_id=row.id,
                edge=Edge.UNEXPLAINED,
                to_status=PolicyStatus.QUARANTINED,
                cause="no quote of ours explains it",
                actor="chain",
                height=block.burn_height,
                tx_id=event.tx_id,
                detail={"quote_id": purchase.quote_id.hex()},
                at=now,
            ),
        )


def _quarantined(
    event: ChainEventRow, block: BlockRow, purchase: PolicyPurchased, created: PolicyCreated, *, now: datetime
) -> PolicyRow:
    return PolicyRow(
        policy_id_on_chain=purchase.policy_id,
        owner_principal=purchase.buyer,
        counterparty_principal=created.counterparty,
        protected_value_price_feed_units=created.protected_value,
        protected_amount_sats=created.protected_amount,
        expiration_height=created.expiration_height,
        status_on_chain=OnChainStatus.ACTIVE,
        status_detailed=PolicyStatus.QUARANTINED,
        creation_height=block.burn_height,
        creation_timestamp=block.time,
        creation_block=block.index_block_hash,
        premium_amount_base_units=_fitting(purchase.premium),
        premium_token=purchase.token,
        premium_fee_amount_base_units=_fitting(purchase.fee),
        tx_id_creation=event.tx_id,
        next_look_at=None,
        created_at=now,
    )


def _fitting(amount: int) -> int | None:
    """What a column can hold; the rest stands in the event's bytes."""
    return amount if amount <= BIGINT_MAX else None
