"""A Stacks node and the Hiro API before it, over HTTP."""

import json
from collections.abc import Mapping, Sequence

from registry.domain.units import BlockHash, BurnHeight, MicroStx, Nonce, Principal, StacksHeight, TxId
from registry.stacks import clarity
from registry.stacks.answers import Answer, Fields
from registry.stacks.broadcast import verdict
from registry.stacks.clarity import Value
from registry.stacks.errors import DecodeError
from registry.stacks.node import (
    Accepted,
    Account,
    Block,
    BlockRef,
    CallReadFailed,
    ChainStatus,
    ContractLog,
    LogPage,
    NodeInfo,
    NodeUnavailable,
    PrincipalNonces,
    Rejected,
    SeenTransaction,
    TipGone,
    TransactionPage,
)
from registry.stacks.transport import Limits, Transport

_OK = 200
_BAD_REQUEST = 400
_NOT_FOUND = 404

_FEES = 3
"""Estimates in an answer: low, middle and high."""


class HttpNode:
    """A StacksNode over HTTP. One per process: its sockets do not survive a fork."""

    def __init__(self, base_url: str, *, api_key: str | None = None, limits: Limits | None = None) -> None:
        self._http = Transport(base_url, api_key=api_key, limits=limits or Limits())

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def tip(self) -> Block:
        """Read the newest canonical block; an API without `latest` is asked for its list."""
        answer = self._http.get("/extended/v2/blocks/latest")
        if answer.status != _NOT_FOUND:
            return _block(_ok(answer).fields())
        newest = self.blocks(limit=1)
        if not newest:
            raise NodeUnavailable(endpoint=answer.endpoint, reason="there is no block yet")
        return newest[0]

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block by index block hash or height; None if there is none, or no longer."""
        named = f"0x{ref}" if isinstance(ref, str) else str(ref)
        answer = self._http.get(f"/extended/v2/blocks/{named}")
        if answer.status == _NOT_FOUND:
            return None
        fields = _ok(answer).fields()
        if not fields.flag("canonical"):
            return None
        block = _block(fields)
        if ref not in (block.index_block_hash, block.height):
            raise NodeUnavailable(endpoint=answer.endpoint, reason="malformed: another block")
        return block

    def blocks(self, *, limit: int = 30, offset: int = 0) -> tuple[Block, ...]:
        """List canonical blocks, newest first, at most 30."""
        answer = self._http.get("/extended/v2/blocks", params={"limit": limit, "offset": offset})
        return tuple(_block(row) for row in _ok(answer).fields().rows("results"))

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction; None is unknown, never seen, or dropped: its nonce decides which."""
        answer = self._http.get(f"/extended/v3/transactions/0x{txid}", params={"include": "result"})
        if answer.status == _NOT_FOUND:
            return None
        seen = _transaction(_ok(answer).fields())
        if seen.txid != txid:
            raise NodeUnavailable(endpoint=answer.endpoint, reason="malformed: another transaction")
        return seen

    def principal_transactions(
        self, principal: Principal, /, *, limit: int = 50, cursor: str | None = None
    ) -> TransactionPage:
        """List what a principal sent or was touched by, mined, newest first, at most 50."""
        path = f"/extended/v3/principals/{principal}/transactions"
        fields = _ok(self._http.get(path, params={"limit": limit, "cursor": cursor})).fields()
        pages = fields.inner("cursor")
        return TransactionPage(
            transactions=tuple(_transaction(row.inner("transaction")) for row in fields.rows("results")),
            older=pages.text("next") if pages.has("next") else None,
        )

    def logs(
        self, contract_id: Principal, /, *, limit: int = 100, cursor: str | None = None, offset: int = 0
    ) -> LogPage:
        """List a contract's logs, newest first, at most 100."""
        path = f"/extended/v2/smart-contracts/{contract_id}/logs"
        fields = _ok(self._http.get(path, params={"limit": limit, "cursor": cursor, "offset": offset})).fields()
        return LogPage(
            logs=tuple(_log(row, contract_id) for row in fields.rows("results")),
            total=fields.number("total"),
            older=_older_page(fields),
        )

    def account(self, principal: Principal, /) -> Account:
        """Read balance and nonce; an account never seen has zeros."""
        fields = _ok(self._http.get(f"/v2/accounts/{principal}", params={"proof": 0})).fields()
        return Account(
            balance=MicroStx(fields.u128("balance")),
            locked=MicroStx(fields.u128("locked")),
            nonce=Nonce(fields.number("nonce")),
        )

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""
        fields = _ok(self._http.get(f"/extended/v3/principals/{principal}/nonces")).fields()
        mempool = fields.inner("mempool")
        return PrincipalNonces(
            next_nonce=Nonce(fields.number("next_nonce")),
            last_confirmed=_nonce_or_none(fields, "last_confirmed_nonce"),
            last_pending=_nonce_or_none(mempool, "last_nonce"),
            pending=tuple(Nonce(number) for number in mempool.numbers("pending_nonces")),
            missing=tuple(Nonce(number) for number in mempool.numbers("missing_nonces")),
        )

    def info(self) -> NodeInfo:
        """Ask the node about itself."""
        fields = _ok(self._http.get("/v2/info")).fields()
        return NodeInfo(
            network_id=fields.number("network_id"),
            burn_block_height=BurnHeight(fields.number("burn_block_height")),
            stacks_tip_height=StacksHeight(fields.number("stacks_tip_height")),
            is_fully_synced=fields.flag("is_fully_synced"),
            server_version=fields.text("server_version"),
        )

    def contract_exists(self, contract_id: Principal, /) -> bool:
        """Tell whether a contract is deployed at the tip."""
        answer = self._http.get(f"/v2/contracts/interface/{_as_path(contract_id)}")
        return answer.status != _NOT_FOUND and _ok(answer).fields().has("functions")

    def call_read(
        self,
        contract_id: Principal,
        function: str,
        arguments: Sequence[Value] = (),
        *,
        sender: Principal,
        tip: BlockHash | None = None,
    ) -> Value:
        """Call a function that only reads, at `tip` or at the newest; raise TipGone or CallReadFailed."""
        asked = {"sender": sender, "arguments": [f"0x{clarity.encode(value).hex()}" for value in arguments]}
        answer = self._post_json(
            f"/v2/contracts/call-read/{_as_path(contract_id)}/{function}", asked, params={"tip": tip}
        )
        if answer.status == _NOT_FOUND and tip is not None:
            raise TipGone(endpoint=answer.endpoint, reason=answer.excerpt, tip=tip, status=answer.status)
        failed = {"contract_id": contract_id, "function": function}
        if answer.status == _BAD_REQUEST:
            raise CallReadFailed(failed, cause=answer.excerpt)
        fields = _ok(answer).fields()
        if not fields.flag("okay"):
            raise CallReadFailed(failed, cause=fields.text("cause"))
        try:
            return clarity.decode(fields.raw("result"))
        except DecodeError as error:
            raise NodeUnavailable(endpoint=answer.endpoint, reason=f"malformed: {error}") from error

    def broadcast(self, raw: bytes, /) -> Accepted | Rejected:
        """Send a signed transaction; the same bytes again are accepted again."""
        answer = self._http.post("/v2/transactions", raw, content_type="application/octet-stream")
        return verdict(answer, raw)

    def fee_estimate(self, payload: bytes, /, *, estimated_len: int) -> tuple[MicroStx, MicroStx, MicroStx] | None:
        """Estimate whole fees, low, middle and high; None if the node has nothing to go by."""
        asked = {"transaction_payload": payload.hex(), "estimated_len": estimated_len}
        answer = self._post_json("/v2/fees/transaction", asked)
        if answer.status == _BAD_REQUEST and answer.fields().values.get("reason") == "NoEstimateAvailable":
            return None
        rows = _ok(answer).fields().rows("estimations")
        if len(rows) != _FEES:
            raise NodeUnavailable(endpoint=answer.endpoint, reason=f"malformed: {len(rows)} estimates")
        low, middle, high = (MicroStx(row.number("fee")) for row in rows)
        return low, middle, high

    def fee_rate(self) -> MicroStx:
        """Read the least fee per byte."""
        answer = _ok(self._http.get("/v2/fees/transfer"))
        bare = Fields(endpoint=answer.endpoint, values={"rate": answer.json()})
        return MicroStx(bare.number("rate"))

    def _post_json(
        self, path: str, asked: Mapping[str, object], *, params: Mapping[str, str | None] | None = None
    ) -> Answer:
        body = json.dumps(asked).encode()
        return self._http.post(path, body, content_type="application/json", params=params)


def _ok(answer: Answer) -> Answer:
    if answer.status != _OK:
        answer.refuse()
    return answer


def _as_path(contract_id: Principal) -> str:
    return contract_id.replace(".", "/", 1)


def _nonce_or_none(fields: Fields, name: str) -> Nonce | None:
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


def _log(fields: Fields, contract_id: Principal) -> ContractLog:
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
