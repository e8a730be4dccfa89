"""The sender as tests see it: its rows, its rounds, and its key in somebody else's hands."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlmodel import col

from registry.domain.fees import Fees
from registry.domain.nonce import Patience
from registry.domain.units import MicroStx, Nonce, Principal, TxId
from registry.services import broadcast, confirmation, nonces
from registry.stacks.clarity import parse_principal
from registry.stacks.contracts import Contracts
from registry.stacks.node import Accepted, SeenTransaction, StacksNode
from registry.stacks.signer import Signer
from registry.stacks.signing import sign
from registry.stacks.wire import TESTNET, TokenTransfer, Transaction
from registry.store.session import unit_of_work
from registry.store.tables import AttemptRow, SignerRow, TransactionEntryRow, TransactionRow
from tests.integration.chain import CEILING, FEE, new_key
from tests.integration.contention import all_at_once
from tests.integration.driver import PAUSE, Driver

LATER = timedelta(minutes=31)
"""Longer than what is sent may wait before more is paid for it."""


@dataclass
class Sender:
    """The driver's own signer: what it stored, and its rounds of healing."""

    driver: Driver
    fees: Fees = field(default_factory=lambda: Fees(floor=MicroStx(FEE), ceiling=MicroStx(CEILING)))

    @property
    def contracts(self) -> Contracts:
        return self.driver.chain.contracts

    @property
    def signer(self) -> Signer:
        return Signer(key=self.driver.chain.backend, fees=self.fees, window=20)

    @property
    def principal(self) -> Principal:
        return self.signer.principal(self.contracts)

    @property
    def nonce(self) -> Nonce:
        """What the chain takes next."""
        return self.driver.chain.node.account(self.principal).nonce

    def heal(self, *, after: timedelta = timedelta(0), contracts: Contracts | None = None) -> list[UUID]:
        """One round, so much later; the policies it decided something for are synced."""
        decided = nonces.heal(
            nonces.Round(
                database=self.driver.database,
                node=self.driver.chain.node,
                contracts=contracts or self.contracts,
                signer=self.signer,
                patience=Patience(),
                height=self.driver.height,
                now=self.driver.now() + after,
            )
        )
        for policy_id in decided:
            self.driver.sync(policy_id)
        return decided

    def look(self, transaction_id: UUID, *, after: timedelta = timedelta(0)) -> list[UUID]:
        """One look, so much later."""
        own = self.driver
        return confirmation.look(
            own.database, own.chain.node, transaction_id, height=own.height, pause=PAUSE, now=own.now() + after
        )

    def at_once(self, rounds: int) -> None:
        """So many rounds that all have seen the same before the first of them writes."""
        (first, *_) = self.rows()
        all_at_once(
            self.driver.database,
            lambda session: session.get(TransactionRow, first.id, with_for_update=True),
            lambda _: self.heal(),
            range(rounds),
        )

    def discard(self) -> None:
        """Forget what was signed: the signer alone is left."""
        with unit_of_work(self.driver.database) as session:
            for table in (TransactionEntryRow, AttemptRow, TransactionRow):
                session.execute(delete(table))

    def sign(
        self,
        policy_id: UUID,
        *,
        contracts: Contracts | None = None,
        node: StacksNode | None = None,
        lease: int | None = None,
    ) -> UUID | None:
        """Sign with these fees, for contracts that may stand elsewhere, asking a node that may be another."""
        own = self.driver
        return broadcast.sign_for(
            own.database,
            node or own.chain.node,
            contracts or self.contracts,
            self.signer,
            [policy_id],
            height=own.height,
            now=own.now(),
            leases=None if lease is None else {policy_id: lease},
        )

    def sent(self, policy_id: UUID) -> UUID:
        """Sign and send."""
        signed = self.sign(policy_id)
        assert signed is not None
        self.driver.send(signed)
        return signed

    def rows(self) -> list[TransactionRow]:
        with unit_of_work(self.driver.database) as session:
            return list(session.execute(select(TransactionRow).order_by(col(TransactionRow.nonce))).scalars())

    def row(self, transaction_id: UUID) -> TransactionRow:
        return next(each for each in self.rows() if each.id == transaction_id)

    def attempts(self, transaction_id: UUID | None = None) -> list[AttemptRow]:
        with unit_of_work(self.driver.database) as session:
            every = session.execute(select(AttemptRow).order_by(col(AttemptRow.id))).scalars().all()
        return [each for each in every if transaction_id in {None, each.transaction_id}]

    def entries(self, policy_id: UUID) -> list[tuple[int | None, bool]]:
        """Refusal and whether it is open, of each transaction that names a policy, oldest first."""
        with unit_of_work(self.driver.database) as session:
            found = session.execute(
                select(TransactionEntryRow)
                .join(TransactionRow, col(TransactionRow.id) == col(TransactionEntryRow.transaction_id))
                .where(col(TransactionEntryRow.policy_id) == policy_id)
                .order_by(col(TransactionRow.nonce))
            )
            return [(entry.refusal, entry.is_open) for entry in found.scalars()]

    def signer_row(self) -> SignerRow:
        with unit_of_work(self.driver.database) as session:
            return session.get_one(SignerRow, self.principal)

    def change(self, table: type[Any], **values: object) -> None:
        """Change every row of a table, behind everybody's back."""
        with unit_of_work(self.driver.database) as session:
            session.execute(update(table).values(**values))

    def seen(self, attempt: AttemptRow) -> SeenTransaction | None:
        return self.driver.chain.node.transaction(TxId(attempt.tx_id))

    def statuses(self) -> list[str | None]:
        """What the API says of each attempt."""
        return [None if (seen := self.seen(each)) is None else seen.status.value for each in self.attempts()]

    def drop(self, attempt: AttemptRow, status: str = "dropped_stale_garbage_collect") -> None:
        self.driver.chain.order("drop", txid=f"0x{attempt.tx_id}", status=status)

    def spend_elsewhere(self, nonce: int, *, fee: int = FEE) -> TxId:
        """Use the key behind our back: a transfer that no row of ours knows."""
        unsigned = Transaction(
            network=TESTNET,
            origin=self.signer.key.spend(nonce=nonce, fee=fee),
            payload=TokenTransfer(recipient=parse_principal(new_key().address(TESTNET)), amount=1),
        )
        answer = self.driver.chain.node.broadcast(sign(unsigned, self.signer.key).encode())
        assert isinstance(answer, Accepted), answer
        return answer.txid

    def confirm(self, *transaction_ids: UUID, blocks: int = 2) -> None:
        """Mine what waits, bury it, follow, look and sync."""
        own = self.driver
        own.chain.mine()
        own.chain.burn(blocks)
        own.follow()
        for transaction_id in transaction_ids:
            for policy_id in own.look(transaction_id):
                own.sync(policy_id)


def pinned(driver: Driver, count: int = 1) -> list[UUID]:
    """Policies whose payouts are pinned and may be signed for."""
    ids = [driver.buy() for _ in range(count)]
    driver.chain.price("40000")
    for policy_id in ids:
        driver.activate(policy_id)
    return ids
