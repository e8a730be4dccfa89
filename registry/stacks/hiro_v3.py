"""The Hiro API's newest shapes: transactions and principals of v3, blocks and logs of v2."""

from registry.domain.units import BlockHash, BurnHeight, Nonce, Principal, StacksHeight, TxId
from registry.stacks.answers import Fields
from registry.stacks.node import (
    Block,
    BlockRef,
    ChainStatus,
    ContractLog,
    LogPage,
    NodeUnavailable,
    PrincipalNonces,
    SeenTransaction,
    TransactionPage,
)
from registry.stacks.transport import Transport


class HiroV3:
    """Reads what `Hiro` offers; RouteMissing where the API is older than a path."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def tip(self) -> Block:
        """Read the newest canonical block; an API without `latest` is asked for its list."""
        latest = self._http.get("/extended/v2/blocks/latest")
        fields = latest.found()
        if fields is not None:
            return _block(fields)
        newest = self.blocks(limit=1)
        if not newest:
            raise NodeUnavailable(endpoint=latest.endpoint, reason="there is no block yet")
        return newest[0]

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block by index block hash or height."""
        named = f"0x{ref}" if isinstance(ref, str) else str(ref)
        fields = self._http.get(f"/extended/v2/blocks/{named}").found()
        if fields is None or not fields.flag("canonical"):
            return None
        block = _block(fields)
        if ref not in (block.index_block_hash, block.height):
            raise NodeUnavailable(endpoint=fields.endpoint, reason="malformed: another block")
        return block

    def blocks(self, *, limit: int, offset: int = 0) -> tuple[Block, ...]:
        """List canonical blocks, newest first, at most 30."""
        fields = self._http.get("/extended/v2/blocks", params={"limit": limit, "offset": offset}).listed()
        return tuple(_block(row) for row in fields.rows("results"))

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction; a dropped one is not found."""
        fields = self._http.get(f"/extended/v3/transactions/0x{txid}", params={"include": "result"}).found()
        return None if fields is None else _transaction(fields)

    def principal_transactions(self, principal: Principal, /, *, limit: int, cursor: str | None) -> TransactionPage:
        """List what a principal sent or was touched by, at most 50."""
        path = f"/extended/v3/principals/{principal}/transactions"
        fields = self._http.get(path, params={"limit": limit, "cursor": cursor}).listed()
        pages = fields.inner("cursor")
        return TransactionPage(
            transactions=tuple(_transaction(row.inner("transaction")) for row in fields.rows("results")),
            older=pages.text("next") if pages.has("next") else None,
        )

    def logs(self, contract_id: Principal, /, *, limit: int, cursor: str | None, offset: int) -> LogPage:
        """List a contract's logs, at most 100."""
        path = f"/extended/v2/smart-contracts/{contract_id}/logs"
        fields = self._http.get(path, params={"limit": limit, "cursor": cursor, "offset": offset}).listed()
        return LogPage(
            logs=tuple(contract_log(row, contract_id) for row in fields.rows("results")),
            total=fields.number("total"),
            older=_older_page(fields),
        )

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""
        fields = self._http.get(f"/extended/v3/principals/{principal}/nonces").listed()
        mempool = fields.inner("mempool")
        return PrincipalNonces(
            next_nonce=Nonce(fields.number("next_nonce")),
            last_confirmed=nonce_or_none(fields, "last_confirmed_nonce"),
            last_pending=nonce_or_none(mempool, "last_nonce"),
            pending=tuple(Nonce(number) for number in mempool.numbers("pending_nonces")),
            missing=tuple(Nonce(number) for number in mempool.numbers("missing_nonces")),
        )


def contract_log(fields: Fields, contract_id: Principal) -> ContractLog:
    """Read one item of a contract's logs, which is the same in every version."""
    log = fields.inner("contract_log")
    if log.text("contract_id") != contract_id:
        raise NodeUnavailable(endpoint=fields.endpoint, reason="malformed: a log of another contract")
    return ContractLog(
        txid=TxId(fields.hash("tx_id")),
        event_index=fields.number("event_index"),
        contract_id=contract_id,
        topic=log.text("topic"),
        raw=log.inner("value").raw("hex"),
    )


def nonce_or_none(fields: Fields, name: str) -> Nonce | None:
    """Read a nonce that may be null."""
    return Nonce(fields.number(name)) if fields.has(name) else None


def _older_page(fields: Fields) -> str | None:
    """Find the cursor that lies before this page's own: v2 calls it the previous one, v3 the next."""
    if not fields.has("cursor"):
        return None
    here = fields.numbered("cursor")
    others = [name for name in ("prev_cursor", "next_cursor") if fields.has(name)]
    return next((fields.text(name) for name in others if fields.numbered(name) < here), None)


def _block(fields: Fields) -> Block:
    return Block(
        index_block_hash=BlockHash(fields.hash("index_block_hash")),
        block_hash=fields.hash("hash"),
        parent_index_block_hash=BlockHash(fields.hash("parent_index_block_hash")),
        height=StacksHeight(fields.number("height")),
        burn_height=BurnHeight(fields.number("burn_block_height")),
        time=fields.time("block_time"),
    )


def _transaction(fields: Fields) -> SeenTransaction:
    sender = fields.inner("sender")
    return SeenTransaction(
        txid=TxId(fields.hash("tx_id")),
        status=ChainStatus(fields.text("status")),
        nonce=Nonce(sender.number("nonce")),
        sender=Principal(sender.text("address")),
        block=_block_ref(fields) if fields.has("block") else None,
        result=fields.inner("result").raw("hex") if fields.has("result") else None,
    )


def _block_ref(fields: Fields) -> BlockRef:
    block = fields.inner("block")
    return BlockRef(
        height=StacksHeight(block.number("height")),
        index_block_hash=BlockHash(block.hash("index_hash")),
        burn_height=BurnHeight(fields.inner("bitcoin_block").number("height")),
    )
