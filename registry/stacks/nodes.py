"""Several nodes as one: the first that answers is stayed with, one that fails is left alone for a while."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog

from registry.domain.units import BlockHash, MicroStx, Principal, StacksHeight, TxId
from registry.stacks.clarity import Value
from registry.stacks.endpoint import Endpoint
from registry.stacks.http_node import HttpNode
from registry.stacks.node import (
    Accepted,
    Account,
    Block,
    ContractLog,
    LogPage,
    NodeInfo,
    NodeUnavailable,
    NotAsked,
    PrincipalNonces,
    Rejected,
    SeenTransaction,
    TransactionPage,
)

BACK_SECONDS = 60.0
"""So often a node before the one in use is tried again."""

_LOG = structlog.get_logger()
T = TypeVar("T")


class Nodes:
    """A StacksNode of one node or more, the preferred one first. One per process, as its nodes are.

    A read goes to the next node where this one cannot be reached, or has failed so often that it is left alone; any
    other failure is its caller's, who asks again later. Changing often would show a chain that goes back and forth. A
    broadcast goes on after any failure: it is the same bytes everywhere.
    """

    def __init__(self, endpoints: Sequence[Endpoint], *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds until a node that is preferred is tried again."""
        self.endpoints = tuple(endpoints)
        self._clock = clock
        self._used = 0
        self._back_at = 0.0
        self._highest = StacksHeight(0)

    def close(self) -> None:
        """Give the sockets back."""
        for each in self.endpoints:
            each.node.close()

    def tip(self) -> Block:
        """Read the newest canonical block."""
        tip = self._ask(lambda node: node.tip())
        self._highest = max(self._highest, tip.height)
        return tip

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block by height or index block hash."""
        block = self._ask(lambda node: node.block(ref))
        if block is not None:
            self._highest = max(self._highest, block.height)
        return block

    def blocks(self, *, limit: int = 30, offset: int = 0) -> tuple[Block, ...]:
        """List canonical blocks, newest first."""
        return self._ask(lambda node: node.blocks(limit=limit, offset=offset))

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction."""
        return self._ask(lambda node: node.transaction(txid))

    def principal_transactions(
        self, principal: Principal, /, *, limit: int = 50, cursor: str | None = None
    ) -> TransactionPage:
        """List what a principal sent or was touched by."""
        return self._ask(lambda node: node.principal_transactions(principal, limit=limit, cursor=cursor))

    def logs(
        self, contract_id: Principal, /, *, limit: int = 100, cursor: str | None = None, offset: int = 0
    ) -> LogPage:
        """List a contract's logs."""
        return self._ask(lambda node: node.logs(contract_id, limit=limit, cursor=cursor, offset=offset))

    def oldest_log(self, contract_id: Principal, /) -> ContractLog | None:
        """Find a contract's first log."""
        return self._ask(lambda node: node.oldest_log(contract_id))

    def account(self, principal: Principal, /) -> Account:
        """Read balance and nonce."""
        return self._ask(lambda node: node.account(principal))

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""
        return self._ask(lambda node: node.nonces(principal))

    def info(self) -> NodeInfo:
        """Ask the node about itself."""
        return self._ask(lambda node: node.info())

    def contract_exists(self, contract_id: Principal, /) -> bool:
        """Tell whether a contract is deployed."""
        return self._ask(lambda node: node.contract_exists(contract_id))

    def contract_source(self, contract_id: Principal, /) -> str | None:
        """Read the code that stands at a contract's id."""
        return self._ask(lambda node: node.contract_source(contract_id))

    def call_read(
        self,
        contract_id: Principal,
        function: str,
        arguments: Sequence[Value] = (),
        *,
        sender: Principal,
        tip: BlockHash | None = None,
    ) -> Value:
        """Call a function that only reads."""
        return self._ask(lambda node: node.call_read(contract_id, function, arguments, sender=sender, tip=tip))

    def broadcast(self, raw: bytes, /) -> Accepted | Rejected:
        """Send a signed transaction; to the next node at once, where this one may have taken it or not."""
        failed: list[NodeUnavailable] = []
        for place in self._in_turn():
            try:
                found = self.endpoints[place].ask(lambda node: node.broadcast(raw))
            except NodeUnavailable as error:
                failed.append(error)
                continue
            if isinstance(found, Rejected) and any(each.maybe_sent for each in failed):
                break  # a node may refuse what another has taken and passed on: the doubt remains
            return found
        raise _gravest(failed)

    def fee_estimate(self, payload: bytes, /, *, estimated_len: int) -> tuple[MicroStx, MicroStx, MicroStx] | None:
        """Estimate whole fees."""
        return self._ask(lambda node: node.fee_estimate(payload, estimated_len=estimated_len))

    def fee_rate(self) -> MicroStx:
        """Read the least fee per byte."""
        return self._ask(lambda node: node.fee_rate())

    def _ask(self, call: Callable[[HttpNode], T]) -> T:
        failed: list[NodeUnavailable] = []
        for place in self._in_turn():
            endpoint = self.endpoints[place]
            try:
                found = endpoint.ask(call)
            except NodeUnavailable as error:
                failed.append(error)
                if not endpoint.passes_on(error):
                    break
            else:
                self._use(place)
                return found
        raise _gravest(failed)

    def _in_turn(self) -> tuple[int, ...]:
        """The places of the nodes, that in use first."""
        if self._used and self._clock() >= self._back_at:
            self._back_at = self._clock() + BACK_SECONDS
            self._go_back()
        return (self._used, *(place for place in range(len(self.endpoints)) if place != self._used))

    def _go_back(self) -> None:
        """Use a preferred node again if it answers, and is not behind what was seen meanwhile."""
        for place in range(self._used):
            try:
                tip = self.endpoints[place].ask(lambda node: node.tip())
            except NodeUnavailable:
                continue
            if tip.height >= self._highest:
                self._use(place)
                return

    def _use(self, place: int) -> None:
        if place == self._used:
            return
        _LOG.warning("node.changed", left=self.endpoints[self._used].name, used=self.endpoints[place].name)
        self._used = place
        self._back_at = self._clock() + BACK_SECONDS


def _gravest(failed: Sequence[NodeUnavailable]) -> NodeUnavailable:
    """The failure that leaves most in doubt; of nodes that were all left alone, the one that is asked again first."""
    asked = [each for each in failed if not isinstance(each, NotAsked)]
    if asked:
        return max(asked, key=lambda each: each.maybe_sent)
    return min(failed, key=lambda each: int(str(each.figures["retry_after"])))
