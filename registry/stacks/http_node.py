"""A Stacks node and the Hiro API before it, over HTTP."""

import json
import time
from collections.abc import Callable, Mapping, Sequence

from registry.domain.units import BlockHash, BurnHeight, MicroStx, Nonce, Principal, StacksHeight, TxId
from registry.outside.bucket import Bucket, Cost
from registry.stacks import clarity
from registry.stacks.answers import Answer, Fields
from registry.stacks.broadcast import verdict
from registry.stacks.clarity import Value
from registry.stacks.errors import DecodeError
from registry.stacks.hiro import Hiro, last_of
from registry.stacks.node import (
    Accepted,
    Account,
    Block,
    CallReadFailed,
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

_BAD_REQUEST = 400
_NOT_FOUND = 404

_FEES = 3
"""Estimates in an answer: low, middle and high."""


class HttpNode:
    """A StacksNode over HTTP. One per process: its sockets do not survive a fork."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        limits: Limits | None = None,
        bucket: Bucket | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Each call takes from `bucket`; `clock` counts seconds until an old API is tried again for what it lacked."""
        self._http = Transport(base_url, api_key=api_key, limits=limits or Limits(), bucket=bucket)
        self._hiro = Hiro(self._http, clock=clock)

    def close(self) -> None:
        """Give the sockets back."""
        self._http.close()

    def tip(self) -> Block:
        """Read the newest canonical block."""
        return self._hiro.tip()

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block by height or index block hash; None if there is none, or no longer."""
        return self._hiro.block(ref)

    def blocks(self, *, limit: int = 30, offset: int = 0) -> tuple[Block, ...]:
        """List canonical blocks, newest first, at most 30."""
        return self._hiro.blocks(limit=limit, offset=offset)

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction; None is unknown, never seen, or dropped: its nonce decides which."""
        return self._hiro.transaction(txid)

    def principal_transactions(
        self, principal: Principal, /, *, limit: int = 50, cursor: str | None = None
    ) -> TransactionPage:
        """List what a principal sent or was touched by, mined, newest first, at most 50."""
        return self._hiro.principal_transactions(principal, limit=limit, cursor=cursor)

    def logs(
        self, contract_id: Principal, /, *, limit: int = 100, cursor: str | None = None, offset: int = 0
    ) -> LogPage:
        """List a contract's logs, newest first, at most 100."""
        return self._hiro.logs(contract_id, limit=limit, cursor=cursor, offset=offset)

    def oldest_log(self, contract_id: Principal, /) -> ContractLog | None:
        """Find a contract's first log; None if it has none."""

        def at(place: int) -> ContractLog | None:
            return next(iter(self.logs(contract_id, limit=1, offset=place).logs), None)

        total = self.logs(contract_id, limit=1).total
        return last_of(at, guess=max(total - 1, 0) if total else 0)

    def account(self, principal: Principal, /) -> Account:
        """Read balance and nonce; an account never seen has zeros."""
        fields = self._http.get(f"/v2/accounts/{principal}", params={"proof": 0}).ok().fields()
        return Account(
            balance=MicroStx(fields.u128("balance")),
            locked=MicroStx(fields.u128("locked")),
            nonce=Nonce(fields.number("nonce")),
        )

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""
        return self._hiro.nonces(principal)

    def info(self) -> NodeInfo:
        """Ask the node about itself."""
        fields = self._http.get("/v2/info").ok().fields()
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
        return answer.status != _NOT_FOUND and answer.ok().fields().has("functions")

    def contract_source(self, contract_id: Principal, /) -> str | None:
        """Read the code that stands at a contract's id; None if there is no contract."""
        answer = self._http.get(f"/v2/contracts/source/{_as_path(contract_id)}", params={"proof": 0})
        if answer.status != _NOT_FOUND:
            return answer.ok().fields().text("source")
        if self.contract_exists(contract_id):
            raise NodeUnavailable(endpoint=answer.endpoint, reason="it knows the contract and does not tell its source")
        return None

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
        path = f"/v2/contracts/call-read/{_as_path(contract_id)}/{function}"
        answer = self._post_json(path, asked, cost=Cost.CALL_READ, params={"tip": tip})
        if answer.status == _NOT_FOUND and tip is not None:
            raise TipGone(endpoint=answer.endpoint, reason=answer.excerpt, tip=tip, status=answer.status)
        failed = {"contract_id": contract_id, "function": function}
        if answer.status == _BAD_REQUEST:
            raise CallReadFailed(failed, cause=answer.excerpt)
        fields = answer.ok().fields()
        if not fields.flag("okay"):
            raise CallReadFailed(failed, cause=fields.text("cause"))
        try:
            return clarity.decode(fields.raw("result"))
        except DecodeError as error:
            raise NodeUnavailable(endpoint=answer.endpoint, reason=f"malformed: {error}") from error

    def broadcast(self, raw: bytes, /) -> Accepted | Rejected:
        """Send a signed transaction; the same bytes again are accepted again."""
        answer = self._http.post("/v2/transactions", raw, content_type="application/octet-stream", cost=Cost.SUBMISSION)
        return verdict(answer, raw)

    def fee_estimate(self, payload: bytes, /, *, estimated_len: int) -> tuple[MicroStx, MicroStx, MicroStx] | None:
        """Estimate whole fees, low, middle and high; None if the node has nothing to go by."""
        asked = {"transaction_payload": payload.hex(), "estimated_len": estimated_len}
        answer = self._post_json("/v2/fees/transaction", asked, cost=Cost.READ)
        if answer.status == _BAD_REQUEST and answer.fields().values.get("reason") == "NoEstimateAvailable":
            return None
        rows = answer.ok().fields().rows("estimations")
        if len(rows) != _FEES:
            raise NodeUnavailable(endpoint=answer.endpoint, reason=f"malformed: {len(rows)} estimates")
        low, middle, high = (MicroStx(row.number("fee")) for row in rows)
        return low, middle, high

    def fee_rate(self) -> MicroStx:
        """Read the least fee per byte."""
        answer = self._http.get("/v2/fees/transfer").ok()
        bare = Fields(endpoint=answer.endpoint, values={"rate": answer.json()})
        return MicroStx(bare.number("rate"))

    def _post_json(
        self, path: str, asked: Mapping[str, object], *, cost: Cost, params: Mapping[str, str | None] | None = None
    ) -> Answer:
        body = json.dumps(asked).encode()
        return self._http.post(path, body, content_type="application/json", cost=cost, params=params)


def _as_path(contract_id: Principal) -> str:
    return contract_id.replace(".", "/", 1)
