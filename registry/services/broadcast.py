"""Broadcast: sign, store, then send. What was sent once is sent again as the same bytes, never under another nonce."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.policy import OnChainStatus
from registry.domain.steps import may_sign, purposes_of
from registry.domain.transaction import ExpirationPath, Purpose, TransactionStatus
from registry.domain.units import BaseUnits, MicroStx, Nonce, Principal, Token
from registry.stacks.contracts import (
    Call,
    Contracts,
    expire_policies,
    release_collateral,
    settle_policy,
    update_policy_status,
)
from registry.stacks.node import Accepted, BroadcastReason, Rejected, StacksNode
from registry.stacks.signing import PrivateKey, sign
from registry.store import blocks, policies, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, SettlementRow, SignerRow, TransactionEntryRow, TransactionRow

_LOG = structlog.get_logger()

_MAYBE_SENT = {BroadcastReason.BAD_NONCE, BroadcastReason.CONFLICTING_NONCE}
"""The nonce is taken, perhaps by these very bytes: the look-up by txid says."""

FIRST_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The backend's key, what it pays for a transaction, how many may be under way at once, and how it expires."""

    key: PrivateKey
    fee: MicroStx
    window: int
    expiration_path: ExpirationPath = ExpirationPath.ONE_STEP

    def principal(self, contracts: Contracts) -> Principal:
        """The account that the key spends from."""
        return Principal(self.key.address(contracts.network))


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
) -> UUID | None:
    """Find or sign the one transaction that these policies need now; None if they need none, or the window is full.

    What could not go into the same transaction is left for another call. Nothing is sent here.
    """
    principal = signer.principal(contracts)
    first_nonce = _first_nonce(database, node, principal)
    with unit_of_work(database) as session:
        row = transactions.lock_signer(session, principal, first_nonce=first_nonce)
        for policy_id in sorted(policy_ids):
            under_way = transactions.open_of_policy(session, policy_id)
            if under_way is not None:
                return under_way.id
        if transactions.open_count(session, principal) >= signer.window:
            return None
        batch = _batch(_entries(session, policy_ids, path=signer.expiration_path, height=height))
        return _sign(session, contracts, signer, row, batch) if batch else None


def _first_nonce(database: Database, node: StacksNode, principal: Principal) -> Nonce:
    """Where a signer starts; only one that has no row yet needs the chain's answer."""
    with unit_of_work(database) as session:
        if session.get(SignerRow, principal) is not None:
            return Nonce(0)
    return node.account(principal).nonce


def _sign(session: Session, contracts: Contracts, signer: Signer, row: SignerRow, batch: Sequence[Entry]) -> UUID:
    origin = signer.key.spend(nonce=row.next_nonce, fee=signer.fee)
    signed = sign(_call(contracts, batch).transaction(origin, network=contracts.network), signer.key)
    transaction = TransactionRow(purpose=batch[0].purpose, signer=row.principal, nonce=row.next_nonce)
    row.next_nonce += 1
    session.add(transaction)
    session.flush()
    session.add(
        AttemptRow(transaction_id=transaction.id, tx_id=signed.txid, raw=signed.encode(), fee_micro_stx=signer.fee)
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


def _entries(session: Session, policy_ids: Sequence[UUID], *, path: ExpirationPath, height: ChainHeight) -> list[Entry]:
    """What may be signed for now: purchases that are final, of policies that are still on their way."""
    found: list[Entry] = []
    for policy_id in sorted(policy_ids):
        facts = policies.facts(session, policies.lock(session, policy_id))
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


def send(database: Database, node: StacksNode, transaction_id: UUID, *, now: datetime) -> None:
    """Send a stored transaction's newest bytes unless the node has taken them already, or a fork moved what they name.

    A node that gives no usable answer raises: the bytes stay Signed and are sent again. A refusal is kept with
    the attempt; whether the nonce was used after all, the look-up by txid says.
    """
    with unit_of_work(database) as session:
        row = transactions.get(session, transaction_id)
        attempt = transactions.attempts(session, transaction_id)[-1]
        stands = transactions.names_stand(session, transaction_id)
    if row.status != TransactionStatus.SIGNED:
        return
    if not stands:
        _LOG.error("broadcast.withheld", tx_id=attempt.tx_id, reason="it names an id that a fork took back")
        return
    answer = node.broadcast(attempt.raw)
    with unit_of_work(database) as session:
        _keep_answer(session, row, attempt.tx_id, answer, now=now)


def _keep_answer(
    session: Session, row: TransactionRow, tx_id: str, answer: Accepted | Rejected, *, now: datetime
) -> None:
    if isinstance(answer, Accepted):
        transactions.accepted(session, tx_id, now=now)
        transactions.move(
            session,
            row.id,
            leaves=TransactionStatus.SIGNED,
            enters=TransactionStatus.SENT,
            changes={"look_at": now + FIRST_LOOK},
        )
        _LOG.info("broadcast.accepted", tx_id=tx_id, nonce=row.nonce, purpose=row.purpose)
        return
    if answer.reason in _MAYBE_SENT:
        transactions.move(
            session,
            row.id,
            leaves=TransactionStatus.SIGNED,
            enters=TransactionStatus.SENT,
            changes={"look_at": now + FIRST_LOOK},
        )
    _LOG.error("broadcast.refused", tx_id=tx_id, reason=answer.reason.value, message=answer.message)
    transactions.refused(session, tx_id, reason=f"{answer.reason}: {answer.message}")
    transactions.look_again(session, row.id, at=now + FIRST_LOOK)
