"""The devnet's node as others might see it: some time ago, or in part."""

from registry.domain.units import BlockHash, Principal, StacksHeight, TxId
from registry.stacks.contracts import Contracts
from registry.stacks.http_node import HttpNode
from registry.stacks.node import Block, ContractLog, LogPage, SeenTransaction

BLOCKS = 40


class Remembered(HttpNode):
    """The node as it answered at one moment: a fork that lost may still win again."""

    def __init__(self, url: str, contracts: Contracts) -> None:
        super().__init__(url)
        self._tip = super().tip()
        heights = [StacksHeight(height) for height in range(max(1, self._tip.height - BLOCKS), self._tip.height + 1)]
        self._blocks = {height: super(Remembered, self).block(height) for height in heights}
        self._logs = {each: super(Remembered, self).logs(each).logs for each in (contracts.registry, contracts.pool)}
        txids = {log.txid for logs in self._logs.values() for log in logs}
        self._transactions = {txid: super(Remembered, self).transaction(txid) for txid in txids}

    def tip(self) -> Block:
        return self._tip

    def block(self, ref: BlockHash | StacksHeight, /) -> Block | None:
        assert isinstance(ref, int)
        return self._blocks.get(ref)

    def logs(
        self,
        contract_id: Principal,
        /,
        *,
        limit: int = 100,
        cursor: str | None = None,  # noqa: ARG002 - one page is enough
        offset: int = 0,
    ) -> LogPage:
        known = self._logs[contract_id]
        return LogPage(logs=known[offset : offset + limit], total=len(known), older=None)

    def transaction(self, txid: TxId, /) -> SeenTransaction | None:
        return self._transactions.get(txid)


class Lagging(HttpNode):
    """The node before an API that shows blocks already, and one contract's newest logs not yet."""

    def __init__(self, url: str, behind: Principal, *, known: int) -> None:
        super().__init__(url)
        self._behind, self._known = behind, known

    def logs(
        self, contract_id: Principal, /, *, limit: int = 100, cursor: str | None = None, offset: int = 0
    ) -> LogPage:
        page = super().logs(contract_id, limit=limit, cursor=cursor, offset=offset)
        if contract_id != self._behind:
            return page
        assert page.total is not None
        shown: tuple[ContractLog, ...] = page.logs[page.total - self._known :]
        return LogPage(logs=shown, total=self._known, older=None)
