"""Nonces: each is used by one of our transactions, and none stays open so that those behind it wait for ever."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight
from registry.domain.nonce import Move, Patience, Waiting, next_move
from registry.domain.transaction import AttemptKind, Dead, Purpose, TransactionStatus, Verdict
from registry.domain.units import BurnHeight, MicroStx, Nonce, Principal, TxId
from registry.fault_points import now_for
from registry.services import offering
from registry.stacks.contracts import Contracts
from registry.stacks.node import Account, NodeUnavailable, SeenTransaction, StacksNode
from registry.stacks.signer import Signer
from registry.stacks.wire import Transaction
from registry.store import blocks, signers, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, SignerRow, TransactionRow

_LOG = structlog.get_logger()

MOST_AT_ONCE = 50
MOST_FAILURES = 3
"""After so many useless answers in one round the node is left alone."""

MOST_PAGES = 10
"""Of the signer's mined transactions, 50 to a page, that are read to find who used a nonce."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One look at all that a signer has under way: where, with which key, how patiently, at which height and time."""

    database: Database
    node: StacksNode
    contracts: Contracts
    signer: Signer
    patience: Patience
    height: ChainHeight
    now: datetime

    @property
    def principal(self) -> Principal:
        """The account whose nonces these are."""
        return self.signer.principal(self.contracts)


def heal(this: Round) -> list[UUID]:
    """Do what each nonce needs, the lowest first; answer the policies that something was decided for.

    Raises:
        NodeUnavailable: the node gave no usable answer again and again. What was done stays done.
    """
    account = this.node.account(this.principal)
    with unit_of_work(this.database) as session:
        row = signers.lock(session, this.principal)
        if row is None or not _may_go_on(session, row, account, now=this.now):
            return []
        _fill_gaps(session, this, row, account)
        open_ones = [each.id for each in transactions.unmined(session, this.principal, limit=MOST_AT_ONCE)]
    decided: list[UUID] = []
    failures = 0
    for transaction_id in open_ones:
        try:
            decided += _heal_one(this, transaction_id, next_nonce=account.nonce)
        except NodeUnavailable as error:
            # one that the node chokes on must not hold up those behind it
            failures += 1
            _LOG.warning("nonce.not_healed", transaction_id=str(transaction_id), reason=str(error))
            if failures == MOST_FAILURES:
                raise
    return decided


def _may_go_on(session: Session, row: SignerRow, account: Account, *, now: datetime) -> bool:
    """Whether the signer is at work; one that waited for money only goes on once it is there."""
    if row.next_nonce < account.nonce:
        _LOG.error("signer.behind", signer=row.principal, next_nonce=row.next_nonce, used_up_to=account.nonce)
        row.next_nonce = account.nonce
    if row.paused_at is None:
        return True
    if row.funds_needed is None or account.balance < row.funds_needed:
        return False
    signers.resume(session, row.principal, reason="it has the money again", now=now)
    _LOG.info("signer.resumed", signer=row.principal, balance=account.balance)
    return True


def _fill_gaps(session: Session, this: Round, row: SignerRow, account: Account) -> None:
    """Give a transaction for nothing to each nonce that none of ours has and that holds up others.

    Only a database that was restored has such: another run used the nonce, and a fork gave it back.
    """
    waiting = transactions.unmined(session, this.principal, limit=1)
    if not waiting:
        return
    end = Nonce(waiting[0].nonce)
    for nonce in signers.nonces_missing(session, row.principal, start=account.nonce, end=end, limit=MOST_AT_ONCE):
        gap = TransactionRow(purpose=Purpose.FILL, signer=row.principal, nonce=nonce, created_at=this.now)
        session.add(gap)
        session.flush()
        signed = this.signer.filler(this.contracts.network, nonce=nonce, fee=this.signer.fees.floor)
        session.add(_attempt(this, gap.id, signed, AttemptKind.FILLER))
        _LOG.error("nonce.gap", signer=row.principal, nonce=nonce)


def _attempt(this: Round, transaction_id: UUID, signed: Transaction, kind: AttemptKind) -> AttemptRow:
    return AttemptRow(
        transaction_id=transaction_id,
        tx_id=signed.txid,
        raw=signed.encode(),
        fee_micro_stx=signed.origin.fee,
        kind=kind,
        height=this.height.tip,
        created_at=this.now,
    )


def _heal_one(this: Round, transaction_id: UUID, *, next_nonce: Nonce) -> list[UUID]:
    with unit_of_work(this.database) as session:
        row = transactions.get(session, transaction_id)
        attempts = transactions.attempts(session, transaction_id)
        if row.status not in transactions.UNMINED:
            return []
        waiting = _waiting(session, row, attempts[-1])
    now_for(row.purpose)
    move = next_move(
        waiting,
        next_nonce=next_nonce,
        tip=this.height.tip,
        fees=this.signer.fees,
        patience=this.patience,
        now=this.now,
    )
    match move:
        case Move.FIND_OUT:
            return _find_out(this, row, attempts)
        case Move.FILL | Move.RAISE_FEE:
            _sign_again(this, row, attempts[-1], move)
        case Move.OFFER:
            offering.offer(this.database, this.node, row.id, now=this.now, among=transactions.UNMINED)
        case Move.HELD:
            _LOG.error(
                "nonce.stuck", nonce=row.nonce, tx_id=attempts[-1].tx_id, fee=waiting.fee, reason="at the ceiling"
            )
        case None:
            pass
    return []


def _waiting(session: Session, row: TransactionRow, newest: AttemptRow) -> Waiting:
    kind = AttemptKind(newest.kind)
    if kind is AttemptKind.CALL and row.dead_because is None and not transactions.names_stand(session, row.id):
        transactions.kill(session, row.id, Dead.MOVED)
        _LOG.error("nonce.moved", nonce=row.nonce, reason="it names an id that a fork took back")
    return Waiting(
        nonce=Nonce(row.nonce),
        status=TransactionStatus(row.status),
        is_dead=row.dead_because is not None,
        kind=kind,
        verdict=None if newest.verdict is None else Verdict(newest.verdict),
        fee=MicroStx(newest.fee_micro_stx),
        since=newest.accepted_at or newest.created_at,
        height=None if newest.height is None else BurnHeight(newest.height),
        offered_at=newest.offered_at,
    )


def _sign_again(this: Round, row: TransactionRow, newest: AttemptRow, move: Move) -> None:
    """Sign the same nonce once more for more: the same bytes but for the fee, or in a dead call's place nothing."""
    fees, paid = this.signer.fees, MicroStx(newest.fee_micro_stx)
    if move is Move.FILL:
        kind = AttemptKind.FILLER
        signed = this.signer.filler(this.contracts.network, nonce=Nonce(row.nonce), fee=fees.above(paid))
    else:
        kind = AttemptKind(newest.kind)
        signed = this.signer.sign_for_more(newest.raw, fee=fees.raised(paid) or paid)
    with unit_of_work(this.database) as session:
        added = transactions.add_attempt(session, _attempt(this, row.id, signed, kind), after=newest.id)
    if added:
        _LOG.warning("nonce.signed_again", nonce=row.nonce, kind=kind.value, tx_id=signed.txid, fee=signed.origin.fee)
        offering.offer(this.database, this.node, row.id, now=this.now, among=transactions.UNMINED)


def _find_out(this: Round, row: TransactionRow, attempts: Sequence[AttemptRow]) -> list[UUID]:
    """The chain has used this nonce: by one of ours, which a look follows, or by bytes that we do not have."""
    ours = {attempt.tx_id for attempt in attempts}
    user = _mined_of(this.node, ours) or _who_used(this, Nonce(row.nonce))
    if user is None or user.block is None:
        _LOG.warning("nonce.unexplained", nonce=row.nonce, reason="the API does not show who used it yet")
        return []
    if user.txid in ours:
        with unit_of_work(this.database) as session:
            transactions.look_again(session, row.id, at=this.now)
        return []
    _LOG.error("nonce.used_by_another", nonce=row.nonce, tx_id=user.txid, height=user.block.burn_height)
    if user.block.burn_height > this.height.final:
        return []
    with unit_of_work(this.database) as session:
        return _void(session, row, user) if blocks.is_canonical(session, user.block.index_block_hash) else []


def _mined_of(node: StacksNode, tx_ids: set[str]) -> SeenTransaction | None:
    seen = (node.transaction(TxId(tx_id)) for tx_id in sorted(tx_ids))
    return next((each for each in seen if each is not None and each.block is not None), None)


def _who_used(this: Round, nonce: Nonce) -> SeenTransaction | None:
    """Read the signer's mined transactions, newest first, back to this nonce."""
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = this.node.principal_transactions(this.principal, limit=50, cursor=cursor)
        own = [each for each in page.transactions if each.sender == this.principal]
        for each in own:
            if each.nonce == nonce:
                return each
        cursor = page.older
        if cursor is None or any(each.nonce < nonce for each in own):
            return None
    return None


def _void(session: Session, row: TransactionRow, user: SeenTransaction) -> list[UUID]:
    """End a transaction whose nonce is used for good; the block that did it stands with it, should a fork undo that."""
    if user.block is None:
        return []
    transactions.kill(session, row.id, Dead.USED)
    where = {"block": user.block.index_block_hash, "height": user.block.burn_height}
    ended = {"chain_status": user.status.value, "look_at": None}
    mined, voided = TransactionStatus.MINED, TransactionStatus.VOIDED
    for leaves, enters, changes in ((TransactionStatus(row.status), mined, where), (mined, voided, ended)):
        if not transactions.move(session, row.id, leaves=leaves, enters=enters, changes=changes):
            return []
    dead = transactions.get(session, row.id).dead_because
    return transactions.close_voided(session, row.id, dead=None if dead is None else Dead(dead))
