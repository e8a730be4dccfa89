"""Broadcast: sign, store, then send. What was sent once is sent again as the same bytes, never under another nonce."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.errors import Unavailable
from registry.domain.height import ChainHeight
from registry.domain.lease import LeaseLost
from registry.domain.policy import OnChainStatus
from registry.domain.steps import may_sign, purposes_of
from registry.domain.transaction import ExpirationPath, Purpose, TransactionStatus, Verdict
from registry.domain.units import BaseUnits, MicroStx, Nonce, Principal, Token
from registry.fault_points import now_for
from registry.services import offering
from registry.stacks.contracts import (
    Call,
    Contracts,
    expire_policies,
    release_collateral,
    settle_policy,
    update_policy_status,
)
from registry.stacks.node import StacksNode
from registry.stacks.signer import Signer
from registry.stacks.wire import Transaction
from registry.store import blocks, policies, signers, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, SettlementRow, SignerRow, TransactionEntryRow, TransactionRow

_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One policy of a transaction: by our id and the chain's, with the pinned amount when it is paid."""

    policy_id: UUID
    on_chain: int
    purpose: Purpose
    amount: BaseUnits | None = None
    token: Token | None = None


def sign_for(
    database: Database,
    node: StacksNode,
    contracts: Contracts,
    signer: Signer,
    policy_ids: Sequence[UUID],
    *,
    height: ChainHeight,
    now: datetime,
    leases: Mapping[UUID, int] | None = None,
) -> UUID | None:
    """Find or sign the one transaction that these policies need now.

    None if they need none, the window is full, or the signer is paused. What could not go into the same transaction is
    left for another call, and so is a policy whose lease has gone to somebody else. Nothing is sent here.
    """
    principal = signer.principal(contracts)
    wanted = {policy_id: (leases or {}).get(policy_id) for policy_id in sorted(policy_ids)}
    with unit_of_work(database) as session:
        found = _needed(session, signer, principal, wanted, height=height)
    if found is None or isinstance(found, UUID):
        return found
    now_for(found[0].purpose)
    first_nonce = node.account(principal).nonce
    fee = _fee(node, contracts, signer, found)
    with unit_of_work(database) as session:
        row = _signer_row(session, principal, first_nonce)
        # asked again, for only under the signer's lock does the answer stand
        found = _needed(session, signer, principal, wanted, height=height)
        if found is None or isinstance(found, UUID):
            return found
        origin = signer.key.spend(nonce=row.next_nonce, fee=fee)
        signed = signer.sign(_call(contracts, found).transaction(origin, network=contracts.network))
        return _store(session, row, found, signed, height=height, now=now)


def _needed(
    session: Session, signer: Signer, principal: Principal, wanted: Mapping[UUID, int | None], *, height: ChainHeight
) -> UUID | Sequence[Entry] | None:
    """The transaction that is under way, or else what one should be signed for; None if there is nothing to do."""
    for policy_id in wanted:
        under_way = transactions.open_of_policy(session, policy_id)
        if under_way is not None:
            return under_way.id
    if signers.is_paused(session, principal) or transactions.open_count(session, principal) >= signer.window:
        return None
    return _batch(_entries(session, wanted, path=signer.expiration_path, height=height)) or None


def _signer_row(session: Session, principal: Principal, nonce: Nonce) -> SignerRow:
    """Hold the signer; a nonce that the chain has used is never taken, whatever a restored database remembers."""
    row = transactions.lock_signer(session, principal, first_nonce=nonce)
    if row.next_nonce < nonce:
        _LOG.error("signer.behind", signer=principal, next_nonce=row.next_nonce, used_up_to=nonce)
        row.next_nonce = nonce
    return row


def _fee(node: StacksNode, contracts: Contracts, signer: Signer, batch: Sequence[Entry]) -> MicroStx:
    """What to pay first. An estimate that fails or that there is none of holds nothing up."""
    unsigned = _call(contracts, batch).transaction(signer.key.spend(nonce=0, fee=0), network=contracts.network)
    size = len(unsigned.encode())
    try:
        estimates = node.fee_estimate(unsigned.payload.encode(), estimated_len=size)
    except Unavailable as error:
        _LOG.warning("fee.not_estimated", reason=str(error))
        estimates = None
    return signer.fees.first(estimate=None if estimates is None else estimates[1], size=size)


def _store(
    session: Session, row: SignerRow, batch: Sequence[Entry], signed: Transaction, *, height: ChainHeight, now: datetime
) -> UUID:
    """Reserve the nonce with the bytes that use it, in the commit that names the policies."""
    transaction = TransactionRow(purpose=batch[0].purpose, signer=row.principal, nonce=row.next_nonce, created_at=now)
    row.next_nonce += 1
    session.add(transaction)
    session.flush()
    session.add(
        AttemptRow(
            transaction_id=transaction.id,
            tx_id=signed.txid,
            raw=signed.encode(),
            fee_micro_stx=signed.origin.fee,
            height=height.tip,
            created_at=now,
        )
    )
    for entry in batch:
        session.add(
            TransactionEntryRow(
                transaction_id=transaction.id,
                policy_id=entry.policy_id,
                policy_id_on_chain=entry.on_chain,
                amount_base_units=entry.amount,
            )
        )
    return transaction.id


def _batch(entries: Sequence[Entry]) -> Sequence[Entry]:
    """Choose what one transaction is for, what is owed first; only `expire` takes more than one policy."""
    for purpose in (Purpose.SETTLE, Purpose.RELEASE, Purpose.MARK_EXPIRED):
        alone = [entry for entry in entries if entry.purpose is purpose]
        if alone:
            return alone[:1]
    return sorted(entries, key=lambda entry: entry.on_chain)


def _call(contracts: Contracts, batch: Sequence[Entry]) -> Call:
    first = batch[0]
    match first.purpose:
        case Purpose.SETTLE:
            if first.amount is None or first.token is None:
                raise ValueError(f"{first.policy_id} has no pinned amount")
            return settle_policy(contracts, first.on_chain, amount=first.amount, token=first.token)
        case Purpose.RELEASE:
            return release_collateral(contracts, first.on_chain)
        case Purpose.MARK_EXPIRED:
            return update_policy_status(contracts, first.on_chain, OnChainStatus.EXPIRED)
        case Purpose.EXPIRE:
            return expire_policies(contracts, [entry.on_chain for entry in batch])
        case Purpose.FILL:
            raise ValueError(f"{first.policy_id} is named by what is for no policy")


def _entries(
    session: Session, wanted: Mapping[UUID, int | None], *, path: ExpirationPath, height: ChainHeight
) -> list[Entry]:
    """What may be signed for now: purchases that are final, of policies that are still on their way and still ours."""
    found: list[Entry] = []
    for policy_id, lease in wanted.items():
        try:
            row = policies.lock(session, policy_id, lease=lease)
        except LeaseLost as lost:
            _LOG.info("broadcast.left_out", reason=str(lost))
            continue
        facts = policies.facts(session, row)
        purchase = blocks.event_of(session, policy_id, "policy-purchased")
        if not may_sign(facts, transactions.facts(session, policy_id), height=height) or purchase is None:
            continue
        if purchase[0].policy_id_on_chain is None:
            continue
        purposes = purposes_of(facts, height=height)
        pinned = session.get(SettlementRow, policy_id) if Purpose.SETTLE in purposes else None
        found.append(
            Entry(
                policy_id=policy_id,
                on_chain=purchase[0].policy_id_on_chain,
                purpose=_purpose(purposes, path),
                amount=None if pinned is None else BaseUnits(pinned.amount_base_units),
                token=None if pinned is None else Token(pinned.token),
            )
        )
    return found


def _purpose(purposes: frozenset[Purpose], path: ExpirationPath) -> Purpose:
    """The one purpose, or of both ways to expire the one that the settings name."""
    if Purpose.EXPIRE in purposes:
        return Purpose.EXPIRE if path is ExpirationPath.ONE_STEP else Purpose.MARK_EXPIRED
    return next(iter(purposes))


def send(database: Database, node: StacksNode, transaction_id: UUID, *, now: datetime) -> Verdict | None:
    """Send a stored transaction's newest bytes unless the node has taken them already, or a fork moved what they name.

    No lease is asked for: whoever sends stored bytes again does no harm. A node that gives no usable answer raises:
    the bytes are sent again, or first looked for where they may have arrived. A refusal is kept with the attempt.
    """
    return offering.offer(database, node, transaction_id, now=now, among={TransactionStatus.SIGNED})
