"""The pool as a whole beside what we keep of it: its books, its coins, what tiers hold, and our keys' nonces."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from registry.domain.drift import Finding, Kind, Repair
from registry.domain.pool import PoolBook
from registry.domain.tier import RiskTier
from registry.domain.units import BlockHash, BurnHeight, Nonce, Principal, StacksHeight, Token
from registry.queries.instant import one_instant
from registry.stacks.clarity import Ok, parse_principal
from registry.stacks.contract_reads import ContractReads, Pool
from registry.stacks.node import TipGone
from registry.stacks.shapes import uint
from registry.store import reconciliations, reservations
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow, SignerRow

TRIES = 3
MOST_NONCES = 20
"""Unknown nonces of one key that a finding names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolComparison:
    """All of it, as of one confirmed block; coins and nonces as the node has them now."""

    database: Database
    reads: ContractReads
    block: BlockRow

    def findings(self) -> list[Finding]:
        """Every difference. Raises NodeUnavailable, and TipGone if the block is gone."""
        return [*self._books(), *self._coins(), *self._tiers(), *self._nonces()]

    def _books(self) -> Iterator[Finding]:
        theirs = {token: self._pool(token, self.block) for token in Token}
        height = StacksHeight(self.block.height)
        with one_instant(self.database) as session:
            changing = reconciliations.blocks_with_books(session, height=height)
            mirror = {token: reservations.book(session, token) for token in Token}
            newest = reconciliations.newest_with_books(session)
        for token in Token:
            ours, chain = self._kept(changing[-1] if changing else None, token), theirs[token]
            at_block = ours.at(BurnHeight(self.block.burn_height))
            if _figures(at_block) != _figures(chain):
                first_wrong = self._first_wrong(changing, token)
                yield _book(token, at_block, chain, first_wrong)
            elif newest is not None and mirror[token] != _book_of(newest, token):
                yield _book(token, mirror[token], _book_of(newest, token), StacksHeight(newest.height + 1))

    def _first_wrong(self, changing: Sequence[str], token: Token) -> StacksHeight:
        """The first block after which our book was not the contract's: each is made from the one before."""
        low, high = 0, max(len(changing) - 1, 0)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._is_right(changing[middle], token) else (low, middle)
        return StacksHeight(self._row(changing[low]).height if changing else self.block.height)

    def _is_right(self, block: str, token: Token) -> bool:
        row = self._row(block)
        try:
            theirs = self._pool(token, row)
        except TipGone:
            return True  # a node that has forgotten this state can show nothing older
        return _figures(_book_of(row, token).at(BurnHeight(row.burn_height))) == _figures(theirs)

    def _row(self, block: str) -> BlockRow:
        with unit_of_work(self.database) as session:
            return session.get_one(BlockRow, block)

    def _kept(self, block: str | None, token: Token) -> PoolBook:
        return PoolBook(token=token) if block is None else _book_of(self._row(block), token)

    def _pool(self, token: Token, block: BlockRow) -> Pool:
        return self.reads.get_pool(token, tip=BlockHash(block.index_block_hash))

    def _coins(self) -> Iterator[Finding]:
        """The pool's coins beside what it books as its own, read between two blocks so that both belong together."""
        for _ in range(TRIES):
            before = self.reads.node.tip().index_block_hash
            coins = {token: self._balance(token) for token in Token}
            pools = {token: self.reads.get_pool(token) for token in Token}
            if self.reads.node.tip().index_block_hash == before:
                break
        else:
            return
        for token in Token:
            booked = pools[token].assets + pools[token].unearned
            if coins[token] != booked:
                yield Finding(
                    kind=Kind.VAULT if coins[token] < booked else Kind.SURPLUS,
                    subject=token.value,
                    ours={"booked_base_units": booked},
                    chain={"balance_base_units": coins[token]},
                )

    def _balance(self, token: Token) -> int:
        contracts, node = self.reads.contracts, self.reads.node
        if token is Token.STX:
            return node.account(contracts.pool).balance
        sender = Principal(contracts.sbtc.partition(".")[0])
        answer = node.call_read(contracts.sbtc, "get-balance", (parse_principal(contracts.pool),), sender=sender)
        return uint(answer.value if isinstance(answer, Ok) else answer, "a balance")

    def _tiers(self) -> Iterator[Finding]:
        with one_instant(self.database) as session:
            held, counted = reconciliations.held(session), reconciliations.counted(session)
        for tier, token in sorted({*held, *counted}):
            ours, theirs = counted.get((tier, token), (0, 0)), held.get((tier, token), (0, 0))
            if ours != theirs:
                yield Finding(
                    kind=Kind.TIER,
                    subject=f"{tier} {token}",
                    ours={"reserved_base_units": ours[0], "locked_base_units": ours[1]},
                    chain={"reserved_base_units": theirs[0], "locked_base_units": theirs[1]},
                    repair=Repair.RECOUNT,
                )

    def _nonces(self) -> Iterator[Finding]:
        with unit_of_work(self.database) as session:
            known = reconciliations.signers(session)
        used = {row.principal: self.reads.node.account(Principal(row.principal)).nonce for row in known}
        # read after the chain: a transaction is stored before it is sent
        with unit_of_work(self.database) as session:
            for row in reconciliations.signers(session):
                if row.principal in used:
                    yield from _nonces_of(session, row, used_below=used[row.principal])


def recount(database: Database, subject: str) -> None:
    """Set a tier's sums to what its reservations add up to, while nobody else reserves or locks."""
    tier, _, token = subject.partition(" ")
    with unit_of_work(database) as session:
        reservations.lock_tiers(session, Token(token))
        reconciliations.recount(session, RiskTier(tier), Token(token))


def _nonces_of(session: Session, row: SignerRow, *, used_below: Nonce) -> Iterator[Finding]:
    unknown = reconciliations.unknown_nonces(session, row, used_below=used_below, limit=MOST_NONCES)
    if unknown or row.next_nonce < used_below:
        yield Finding(
            kind=Kind.NONCE,
            subject=row.principal,
            ours={"next_nonce": row.next_nonce, "unknown": unknown},
            chain={"next_nonce": used_below},
        )


def _book(token: Token, ours: PoolBook, chain: Pool | PoolBook, first_wrong: StacksHeight) -> Finding:
    return Finding(
        kind=Kind.BOOK,
        subject=token.value,
        ours=_figures(ours),
        chain=_figures(chain),
        repair=Repair.FOLLOW_AGAIN,
        height=first_wrong,
    )


def _figures(pool: Pool | PoolBook) -> dict[str, int]:
    return {"assets": pool.assets, "locked": pool.locked, "unearned": pool.unearned}


def _book_of(row: BlockRow, token: Token) -> PoolBook:
    kept = next((each for each in row.books or () if each["token"] == token), None)
    return PoolBook(token=token) if kept is None else PoolBook(**kept)
