"""The Hiro API of any age: its newest shapes first, v1 for every path that this API does not have."""

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

import structlog

from registry.domain.units import BlockHash, Principal, StacksHeight, TxId
from registry.stacks.answers import RouteMissing
from registry.stacks.hiro_v1 import CURSOR, HiroV1
from registry.stacks.hiro_v3 import HiroV3
from registry.stacks.node import Block, LogPage, NodeUnavailable, PrincipalNonces, SeenTransaction, TransactionPage
from registry.stacks.transport import Transport

REMEMBERED_SECONDS = 600.0
"""For so long a path that was missing is not asked for again: an API may be upgraded under us."""

_LOG = structlog.get_logger()
T = TypeVar("T")


class _Shapes(Protocol):
    """What each version is read into. Every list is canonical, newest first."""

    def tip(self) -> Block: ...
    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None: ...
    def blocks(self, *, limit: int, offset: int = 0) -> tuple[Block, ...]: ...
    def transaction(self, txid: TxId, /) -> SeenTransaction | None: ...
    def principal_transactions(self, principal: Principal, /, *, limit: int, cursor: str | None) -> TransactionPage: ...
    def logs(self, contract_id: Principal, /, *, limit: int, cursor: str | None, offset: int) -> LogPage: ...
    def nonces(self, principal: Principal, /) -> PrincipalNonces: ...


class Hiro:
    """The API in front of a node, whichever versions it serves; StacksNode says what each read promises."""

    def __init__(self, http: Transport, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._newest: _Shapes = HiroV3(http)
        self._older: _Shapes = HiroV1(http)
        self._clock = clock
        self._older_until: dict[str, float] = {}

    def tip(self) -> Block:
        """Read the newest canonical block."""
        return self._ask("tip", lambda shapes: shapes.tip())

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        """Read a canonical block."""
        return self._ask("block", lambda shapes: shapes.block(ref))

    def blocks(self, *, limit: int, offset: int) -> tuple[Block, ...]:
        """List canonical blocks."""
        return self._ask("blocks", lambda shapes: shapes.blocks(limit=limit, offset=offset))

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        """Look up one transaction."""
        seen = self._ask("transaction", lambda shapes: shapes.transaction(txid))
        if seen is not None and seen.txid != txid:
            raise NodeUnavailable(endpoint=f"transaction 0x{txid}", reason="malformed: another transaction")
        return seen

    def principal_transactions(self, principal: Principal, /, *, limit: int, cursor: str | None) -> TransactionPage:
        """List what a principal sent or was touched by."""
        return self._ask(
            "principal_transactions",
            lambda shapes: shapes.principal_transactions(principal, limit=limit, cursor=cursor),
            cursor=cursor,
        )

    def logs(self, contract_id: Principal, /, *, limit: int, cursor: str | None, offset: int) -> LogPage:
        """List a contract's logs."""
        return self._ask(
            "logs", lambda shapes: shapes.logs(contract_id, limit=limit, cursor=cursor, offset=offset), cursor=cursor
        )

    def nonces(self, principal: Principal, /) -> PrincipalNonces:
        """Read what the API makes of a principal's nonces."""
        return self._ask("nonces", lambda shapes: shapes.nonces(principal))

    def _ask(self, read: str, ask: Callable[[_Shapes], T], *, cursor: str | None = None) -> T:
        """Read the newest shape unless it was missing not long ago; a cursor is read in the version that gave it."""
        newest_missing: RouteMissing | None = None
        if not (cursor or "").startswith(CURSOR) and self._clock() >= self._older_until.get(read, 0.0):
            try:
                return ask(self._newest)
            except RouteMissing as missing:
                newest_missing = missing
        try:
            answer = ask(self._older)
        except RouteMissing as missing:
            self._older_until.pop(read, None)
            (newest_missing or missing).answer.refuse()
        if newest_missing is not None:
            self._older_until[read] = self._clock() + REMEMBERED_SECONDS
            _LOG.warning("api.older_shape", read=read, missing=newest_missing.answer.endpoint)
        return answer


def last_of(at: Callable[[int], T | None], *, guess: int) -> T | None:
    """Find the last item of a list that may grow at its front meanwhile; `at` reads one place, None beyond the end.

    The end is where an item was read first, and after it nothing at the next place: had the list grown in between, the
    item itself would have moved there. A right `guess` of the last place takes two reads.
    """
    found = at(guess)
    if found is None:
        return last_of(at, guess=0) if guess else None
    place, step = guess, 1
    while True:
        further = at(place + step)
        if further is not None:
            place, found, step = place + step, further, 2 * step
        elif step == 1:
            return found
        else:
            step //= 2
