"""The Hiro API's v1 shapes, read into the same values: what v1 does not say is looked up, or not said."""

from collections.abc import Callable
from dataclasses import replace

from registry.domain.units import BlockHash, BurnHeight, Nonce, Principal, StacksHeight, TxId
from registry.stacks.answers import Fields
from registry.stacks.hiro_v3 import contract_log, nonce_or_none
from registry.stacks.node import (
    Block,
    BlockRef,
    ChainStatus,
    LogPage,
    NodeUnavailable,
    PrincipalNonces,
    SeenTransaction,
    TransactionPage,
)
from registry.stacks.transport import Transport

CURSOR = "v1-"
"""How a cursor begins that we made ourselves, since v1 knows offsets alone."""

_NO_PARENT = BlockHash("00" * 32)
"""Stands for the parent of the first block, which v1 cannot name and nobody asks for."""

_MOST_ROWS = 50
_MOST_REMEMBERED = 4096


class HiroV1:
    """Reads what `Hiro` offers; RouteMissing where the API has no such path, or has it no more."""

    def __init__(self, http: Transport) -> None:
        self._http = http
        # A block's hash covers what its index block hash is made of, so one never changes under the other.
        self._index_hashes: dict[str, BlockHash] = {}
        self._heights: dict[BlockHash, StacksHeight] = {}

    def tip(self) -> Block:
        """Read the newest canonical block."""
        newest = self.blocks(limit=1)
        if not newest:
            raise NodeUnavailable(endpoint="GET /extended/v1/block", reason="there is no block yet")
        return newest[0]

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block by height, or by the index block hash of one that was read before."""
        height = self._heights.get(ref) if isinstance(ref, str) else ref
        if height is None:
            reason = f"v1 finds blocks by height, and 0x{ref} was not read before"
            raise NodeUnavailable(endpoint="GET /extended/v1/block", reason=reason)
        fields = self._http.get(f"/extended/v1/block/by_height/{height}").found()
        if fields is None or not fields.flag("canonical"):
            return None
        block = self._block(fields)
        if block.height != height:
            raise NodeUnavailable(endpoint=fields.endpoint, reason="malformed: another block")
        return block if ref in (block.index_block_hash, block.height) else None

    def blocks(self, *, limit: int, offset: int = 0) -> tuple[Block, ...]:
        """List canonical blocks, newest first, at most 30."""
        fields = self._http.get("/extended/v1/block", params={"limit": limit, "offset": offset}).listed()
        # Oldest first, so that each one's parent is known but the last's.
        return tuple(self._block(row) for row in reversed(fields.rows("results")))[::-1]

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction; one that v1 shows as dropped, or off the chain, is not found, as in v3."""
        fields = self._http.get(f"/extended/v1/tx/0x{txid}", params={"event_limit": 1}).found()
        return None if fields is None else self._transaction(fields)

    def principal_transactions(self, principal: Principal, /, *, limit: int, cursor: str | None) -> TransactionPage:
        """List what a principal sent or was touched by, at most 50."""
        path = f"/extended/v1/address/{principal}/transactions"
        rows, older = self._page(path, limit=limit, cursor=cursor, name=lambda row: row.hash("tx_id"))
        seen = [self._transaction(row) for row in rows]
        return TransactionPage(transactions=tuple(replace(one, result=None) for one in seen if one), older=older)

    def logs(self, contract_id: Principal, /, *, limit: int, cursor: str | None, offset: int) -> LogPage:
        """List a contract's logs, at most 50; v1 does not say how many there are."""
        path = f"/extended/v1/contract/{contract_id}/events"
        rows, older = self._page(path, limit=limit, cursor=cursor, offset=offset, name=_log_name)
        return LogPage(logs=tuple(contract_log(row, contract_id) for row in rows), total=None, older=older)

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""
        fields = self._http.get(f"/extended/v1/address/{principal}/nonces").listed()
        return PrincipalNonces(
            next_nonce=Nonce(fields.number("possible_next_nonce")),
            last_confirmed=nonce_or_none(fields, "last_executed_tx_nonce"),
            last_pending=nonce_or_none(fields, "last_mempool_tx_nonce"),
            pending=tuple(sorted(Nonce(number) for number in fields.numbers("detected_mempool_nonces"))),
            missing=tuple(sorted(Nonce(number) for number in fields.numbers("detected_missing_nonces"))),
        )

    def _block(self, fields: Fields) -> Block:
        block_hash, height = fields.hash("hash"), StacksHeight(fields.number("height"))
        index_hash = self._remember(block_hash, fields, height=height)
        parent = _NO_PARENT if height == 1 else self._index_hash(fields.hash("parent_block_hash"))
        return Block(
            index_block_hash=index_hash,
            block_hash=block_hash,
            parent_index_block_hash=parent,
            height=height,
            burn_height=BurnHeight(fields.number("burn_block_height")),
            time=fields.time("block_time"),
        )

    def _index_hash(self, block_hash: str) -> BlockHash:
        known = self._index_hashes.get(block_hash)
        if known is not None:
            return known
        answer = self._http.get(f"/extended/v1/block/0x{block_hash}")
        fields = answer.found()
        if fields is None:
            raise NodeUnavailable(endpoint=answer.endpoint, reason="a block that was named just now is not known")
        if fields.hash("hash") != block_hash:
            raise NodeUnavailable(endpoint=answer.endpoint, reason="malformed: another block")
        return self._remember(block_hash, fields, height=StacksHeight(fields.number("height")))

    def _remember(self, block_hash: str, fields: Fields, *, height: StacksHeight) -> BlockHash:
        index_hash = BlockHash(fields.hash("index_block_hash"))
        self._index_hashes[block_hash] = index_hash
        self._heights[index_hash] = height
        if len(self._index_hashes) > _MOST_REMEMBERED:
            oldest = next(iter(self._index_hashes))
            self._heights.pop(self._index_hashes.pop(oldest), None)
        return index_hash

    def _transaction(self, fields: Fields) -> SeenTransaction | None:
        word = fields.text("tx_status")
        mined = fields.has("block_hash")
        if word.startswith("dropped_") or (mined and not _is_canonical(fields)):
            return None
        return SeenTransaction(
            txid=TxId(fields.hash("tx_id")),
            status=ChainStatus(word),
            nonce=Nonce(fields.number("nonce")),
            sender=Principal(fields.text("sender_address")),
            block=self._block_ref(fields) if mined else None,
            result=fields.inner("tx_result").raw("hex") if mined and fields.has("tx_result") else None,
        )

    def _block_ref(self, fields: Fields) -> BlockRef:
        return BlockRef(
            height=StacksHeight(fields.number("block_height")),
            index_block_hash=self._index_hash(fields.hash("block_hash")),
            burn_height=BurnHeight(fields.number("burn_block_height")),
        )

    def _page(
        self, path: str, *, limit: int, cursor: str | None, name: Callable[[Fields], str], offset: int = 0
    ) -> tuple[tuple[Fields, ...], str | None]:
        """Read a page and our own cursor of the next: the place and the name of the last row.

        The next page begins with that row again, so that rows that came in between are neither missed nor repeated.
        """
        asked, last = min(limit, _MOST_ROWS), None
        if cursor is not None:
            offset, last = _place(cursor, path)
            asked = min(limit + 1, _MOST_ROWS)
        fields = self._http.get(path, params={"limit": asked, "offset": offset}).found()
        rows = () if fields is None else fields.rows("results")
        older = f"{CURSOR}{offset + len(rows) - 1}-{name(rows[-1])}" if rows and len(rows) == asked else None
        if last is None:
            return rows, older
        places = [place for place, row in enumerate(rows) if name(row) == last]
        if not places:
            raise NodeUnavailable(endpoint=f"GET {path}", reason="the list moved while it was read")
        return rows[places[0] + 1 :], older


def _place(cursor: str, path: str) -> tuple[int, str]:
    """Read a cursor of ours."""
    offset, _, last = cursor.removeprefix(CURSOR).partition("-")
    if not cursor.startswith(CURSOR) or not offset.isdecimal():
        raise NodeUnavailable(endpoint=f"GET {path}", reason="the cursor is of another version")
    return int(offset), last


def _log_name(fields: Fields) -> str:
    return f"{fields.hash('tx_id')}:{fields.number('event_index')}"


def _is_canonical(fields: Fields) -> bool:
    return fields.flag("canonical") and (not fields.has("microblock_canonical") or fields.flag("microblock_canonical"))
