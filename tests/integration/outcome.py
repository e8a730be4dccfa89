"""How a life ended: what rows and chain say of one policy, and what must hold of all of them together."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from registry.domain.units import Principal
from registry.stacks.wire import TESTNET
from registry.store.session import unit_of_work
from registry.store.tables import (
    ActivationRequestRow,
    BlockRow,
    ChainEventRow,
    FailureRow,
    PolicyEventRow,
    PolicyRow,
    QuoteRow,
    ReservationRow,
    SettlementRow,
    SignerRow,
    TierCapitalRow,
    TransactionEntryRow,
    TransactionRow,
)
from tests.integration.aggregate import assert_counted_is_summed
from tests.integration.books import assert_books_equal_the_chain
from tests.integration.driver import Driver


def outcome(driver: Driver, policy_id: UUID) -> dict[str, Any]:
    """What became of one policy, without ids, hashes, heights and times."""
    with unit_of_work(driver.database) as session:
        policy = session.get_one(PolicyRow, policy_id)
        quote = session.execute(select(QuoteRow).where(col(QuoteRow.policy_id) == policy_id)).scalar_one()
        settlement = session.get(SettlementRow, policy_id)
        wishes = session.execute(
            select(col(ActivationRequestRow.state)).where(col(ActivationRequestRow.policy_id) == policy_id)
        )
        walked = session.execute(
            select(col(PolicyEventRow.edge), col(PolicyEventRow.cause))
            .where(col(PolicyEventRow.policy_id) == policy_id)
            .order_by(col(PolicyEventRow.id))
        )
        sent = session.execute(
            select(
                col(TransactionRow.purpose),
                col(TransactionRow.status),
                col(TransactionEntryRow.is_open),
                col(TransactionEntryRow.refusal),
            )
            .join(TransactionEntryRow, col(TransactionEntryRow.transaction_id) == col(TransactionRow.id))
            .where(col(TransactionEntryRow.policy_id) == policy_id)
            .order_by(col(TransactionRow.nonce))
        )
        told = session.execute(
            select(col(ChainEventRow.name))
            .join(BlockRow, col(BlockRow.index_block_hash) == col(ChainEventRow.block))
            .where(col(BlockRow.is_canonical), col(ChainEventRow.policy_id) == policy_id)
            .order_by(col(ChainEventRow.name))
        )
        return {
            "status": (policy.status_detailed, policy.status_on_chain, policy.settlement_amount_base_units),
            "edges": [tuple(row) for row in walked],
            "has a payload": quote.wallet_payload is not None,
            "holds": session.get_one(ReservationRow, policy_id).state,
            "requests": list(wishes.scalars()),
            "owed": settlement and settlement.amount_base_units,
            "transactions": [tuple(row) for row in sent],
            "on chain": list(told.scalars()),
        }


def assert_sound(driver: Driver) -> None:
    """Nothing of anybody's is lost or doubled: nonces, what tiers hold, the pool's book, stats, an owner's requests."""
    backend = Principal(driver.chain.backend.address(TESTNET))
    with unit_of_work(driver.database) as session:
        nonces = session.execute(
            select(col(TransactionRow.nonce)).where(col(TransactionRow.signer) == backend).order_by("nonce")
        )
        used = list(nonces.scalars())
        signer = session.get(SignerRow, backend)
        held = session.execute(
            select(col(ReservationRow.risk_tier), col(ReservationRow.state), func.sum(ReservationRow.amount_base_units))
            .where(col(ReservationRow.state) != "released")
            .group_by(col(ReservationRow.risk_tier), col(ReservationRow.state))
        )
        sums = {(tier, state): int(amount) for tier, state, amount in held}
        tiers = session.execute(select(TierCapitalRow).where(col(TierCapitalRow.token) == "STX")).scalars().all()
        failures = session.execute(
            select(func.count()).select_from(FailureRow).where(col(FailureRow.closed_at).is_(None))
        ).scalar_one()
    assert used == list(range(0 if signer is None else signer.next_nonce))
    assert driver.chain.node.account(backend).nonce == len(used)
    assert failures == 0
    for tier in tiers:
        kept = (tier.reserved_base_units, tier.locked_base_units)
        assert kept == (sums.get((tier.risk_tier, "reserved"), 0), sums.get((tier.risk_tier, "locked"), 0))
    assert_books_equal_the_chain(driver)
    assert_counted_is_summed(driver.database)
