"""Broadcast: sign, store, then send. What was sent once is sent again as the same bytes, never under another nonce."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.policy import PolicyStatus, may_sign
from registry.domain.transaction import Purpose, TransactionStatus
from registry.domain.units import BaseUnits, MicroStx, Nonce, Principal, Token
from registry.stacks.contracts import Call, Contracts, expire_policies, settle_policy
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
    """The backend's key, what it pays for a transaction, and how many may be under way at once."""

    key: PrivateKey
    fee: MicroStx
    window: int

    def principal(self, contracts: Contracts) -> Principal:
        """The account that the key spends from."""
        return Principal(self.key.address(contracts.network))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One policy of a transaction: by our id and the chain's, with the pinned amount when it is paid."""

    policy_id: UUID
    on_chain: int
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

    All policies of one call are Settling (one policy) or all are Expiring. Nothing is sent here.
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
        return _sign(session, contracts, signer, row, policy_ids, height=height)


def _first_nonce(database: Database, node: StacksNode, principal: Principal) -> Nonce:
    """Where a signer starts; only one that has no row yet needs the chain's answer."""
    with unit_of_work(database) as session:
        if session.get(SignerRow, principal) is not None:
            return Nonce(0)
    return node.account(principal).nonce


def _sign(
    session: Session,
    contracts: Contracts,
    signer: Signer,
    row: SignerRow,
    policy_ids: Sequence[UUID],
    *,
    height: ChainHeight,
) -> UUID | None:
    settling, expiring = _entries(session, policy_ids, height=height)
    if settling:
        purpose, chosen, call = Purpose.SETTLE, settling[:1], _settle_call(contracts, settling[0])
    elif expiring:
        purpose, chosen = Purpose.EXPIRE, sorted(expiring, key=lambda entry: entry.on_chain)
        call = expire_policies(contracts, [entry.on_chain for entry in chosen])
    else:
        return None
    unsigned = call.transaction(signer.key.spend(nonce=row.next_nonce, fee=signer.fee), network=contracts.network)
    signed = sign(unsigned, signer.key)
    transaction = TransactionRow(purpose=purpose, signer=row.principal, nonce=row.next_nonce)
    row.next_nonce += 1
    session.add(transaction)
    session.flush()
    session.add(
        AttemptRow(transaction_id=transaction.id, tx_id=signed.txid, raw=signed.encode(), fee_micro_stx=signer.fee)
    )
    for entry in chosen:
        session.add(
            TransactionEntryRow(
                transaction_id=transaction.id,
                policy_id=entry.policy_id,
                policy_id_on_chain=entry.on_chain,
                amount_base_units=entry.amount,
            )
        )
    return transaction.id


def _settle_call(contracts: Contracts, entry: Entry) -> Call:
    if entry.amount is None or entry.token is None:
        raise ValueError(f"{entry.policy_id} has no pinned amount")
    return settle_policy(contracts, entry.on_chain, amount=entry.amount, token=entry.token)


def _entries(session: Session, policy_ids: Sequence[UUID], *, height: ChainHeight) -> tuple[list[Entry], list[Entry]]:
    """What may be signed for now: purchases that are final, of policies that are still on their way."""
    settling: list[Entry] = []
    expiring: list[Entry] = []
    for policy_id in sorted(policy_ids):
        row = policies.lock(session, policy_id)
        own = transactions.facts(session, policy_id)
        purchase = blocks.event_of(session, policy_id, "policy-purchased")
        signable = may_sign(policies.facts(session, row), own, height=height)
        if not signable or purchase is None or purchase[0].policy_id_on_chain is None:
            continue
        on_chain = purchase[0].policy_id_on_chain
        if row.status_detailed == PolicyStatus.EXPIRING:
            expiring.append(Entry(policy_id=policy_id, on_chain=on_chain))
        elif row.status_detailed == PolicyStatus.SETTLING:
            pinned = session.get(SettlementRow, policy_id)
            if pinned is not None:
                settling.append(
                    Entry(
                        policy_id=policy_id,
                        on_chain=on_chain,
                        amount=BaseUnits(pinned.amount_base_units),
                        token=Token(pinned.token),
                    )
                )
    return settling, expiring


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
