"""Reconciliation: the contracts at one confirmed block beside our rows, a page of ids at a time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from registry.domain.drift import Finding, Missing, Repair
from registry.domain.height import Depths
from registry.domain.units import BlockHash, BurnHeight, Principal, StacksHeight
from registry.queries.instant import one_instant
from registry.services.comparison import Comparison, Seen
from registry.services.pool_comparison import PoolComparison
from registry.stacks.contract_reads import MAX_IDS, ContractReads
from registry.stacks.contracts import Contracts
from registry.stacks.events import (
    CollateralReleased,
    Event,
    MalformedEvent,
    PolicyCreated,
    PolicyPurchased,
    PolicySettled,
    PolicyStatusUpdated,
    decode_event,
)
from registry.stacks.node import StacksNode, TipGone
from registry.store import blocks, reconciliations
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow, ReconciliationRow

_LOG = structlog.get_logger()

PAGE = 100
"""On-chain ids that are compared at once."""

GIVEN_UP_AFTER = timedelta(days=1)
"""A run that is older is not continued: another begins."""

_EVENTS: Mapping[str, type[Event]] = {
    "policy-created": PolicyCreated,
    "policy-purchased": PolicyPurchased,
    "policy-status-updated": PolicyStatusUpdated,
    "policy-settled": PolicySettled,
    "collateral-released": CollateralReleased,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What one page showed. `last` is its highest on-chain id; a run ends with the page that `is_last`."""

    findings: tuple[Finding, ...]
    compared: int
    last: int
    is_last: bool


def begin(database: Database, *, depths: Depths, is_dry: bool, now: datetime) -> UUID | None:
    """Begin a run at the newest confirmed block that was applied; None while there is none."""
    with unit_of_work(database) as session:
        block = _newest_confirmed(session, depths)
        if block is None:
            return None
        run = ReconciliationRow(block=block.index_block_hash, height=block.burn_height, is_dry=is_dry, started_at=now)
        reconciliations.add(session, run)
        return run.id


def unfinished(database: Database, *, now: datetime) -> UUID | None:
    """The run that is to be continued; None if the last one came to its end, or is older than a day."""
    with unit_of_work(database) as session:
        run = reconciliations.unfinished(session, since=now - GIVEN_UP_AFTER)
    return None if run is None else run.id


def begin_again(database: Database, run_id: UUID, *, depths: Depths) -> bool:
    """Go on from the first id at another block, for the one read at is canonical no more; False if there is none."""
    with unit_of_work(database) as session:
        run, block = reconciliations.get(session, run_id), _newest_confirmed(session, depths)
        if block is None or block.index_block_hash == run.block:
            return False
        values = {"block": block.index_block_hash, "height": block.burn_height, "cursor": 0, "compared": 0}
        reconciliations.change(session, run_id, cursor=run.cursor, block=run.block, values=values)
    _LOG.info("reconciliation.begun_again", height=block.burn_height)
    return True


def state(database: Database, run_id: UUID) -> ReconciliationRow:
    """A run as it stands."""
    with unit_of_work(database) as session:
        return reconciliations.get(session, run_id)


def given_up_on(database: Database) -> set[tuple[str, str]]:
    """What the last run found and could not mend: it is told of again, and not tried again by itself."""
    with unit_of_work(database) as session:
        last = reconciliations.last_finished(session)
    return {(each["kind"], each["subject"]) for each in (last.findings if last else ()) if not each["repaired"]}


def look(
    database: Database, node: StacksNode, contracts: Contracts, run: ReconciliationRow, *, size: int, now: datetime
) -> Page:
    """Compare the next page of a run, and with the last one the pool as a whole. Writes nothing.

    Raises:
        TipGone: the run's block is canonical no more.
        NodeUnavailable: the node does not answer.
    """
    reads, tip = ContractReads(node=node, contracts=contracts), BlockHash(run.block)
    counter = reads.get_policy_counter(tip=tip)
    ids = range(run.cursor + 1, min(run.cursor + size, counter) + 1)
    seen = _seen(reads, ids, tip=tip)
    is_last = run.cursor + size >= counter
    with one_instant(database) as session:
        block = session.get(BlockRow, run.block)
        if block is None or not block.is_canonical:
            raise TipGone(endpoint="the database", tip=run.block, reason="a fork took the block")
        comparison = Comparison(session=session, contracts=contracts, block=block, now=now)
        found = comparison.of(seen)
        if is_last:
            found += comparison.of_beyond(counter, limit=size)
    if is_last:
        found += PoolComparison(database=database, reads=reads, block=block).findings()
    placed = _placed(node, contracts, found)
    return Page(findings=tuple(placed), compared=len(ids), last=run.cursor + size, is_last=is_last)


def with_more(page: Page, findings: Sequence[Finding]) -> Page:
    """A page with what shows now: the same findings as they are now, and what others had hidden."""
    return replace(page, findings=tuple({each.key: each for each in (*page.findings, *findings)}.values()))


def keep(
    database: Database, run: ReconciliationRow, page: Page, *, mended: Collection[tuple[str, str]], now: datetime
) -> bool:
    """Store what a page showed and what became of it; False if another worker has compared it meanwhile."""
    for finding in page.findings:
        report = _LOG.error if finding.is_drift else _LOG.warning
        report("reconciliation.found", **_told(finding, mended))
    findings = {(each["kind"], each["subject"]): each for each in run.findings}
    findings |= {finding.key: _told(finding, mended) for finding in page.findings}
    values = {
        "cursor": page.last,
        "compared": run.compared + page.compared,
        "findings": list(findings.values()),
        "finished_at": now if page.is_last else None,
    }
    with unit_of_work(database) as session:
        return reconciliations.change(session, run.id, cursor=run.cursor, block=run.block, values=values)


def _newest_confirmed(session: Any, depths: Depths) -> BlockRow | None:  # noqa: ANN401 - a session
    tip = blocks.tip(session)
    if tip is None:
        return None
    return reconciliations.newest_confirmed(session, confirmed=BurnHeight(tip.burn_height - depths.confirmed))


def _told(finding: Finding, mended: Collection[tuple[str, str]]) -> dict[str, Any]:
    repaired = finding.key in mended
    return {
        "kind": finding.kind.value,
        "subject": finding.subject,
        "is_drift": finding.is_drift,
        "ours": dict(finding.ours),
        "chain": dict(finding.chain),
        "repair": finding.repair.value,
        "repaired": repaired,
        "next": None if repaired else finding.advice,
    }


def _seen(reads: ContractReads, ids: Sequence[int], *, tip: BlockHash) -> list[Seen]:
    found: list[Seen] = []
    for start in range(0, len(ids), MAX_IDS):
        some = ids[start : start + MAX_IDS]
        both = zip(some, reads.get_policies(some, tip=tip), reads.get_positions(some, tip=tip), strict=True)
        found += [Seen(on_chain=each, entry=entry, position=position) for each, entry, position in both]
    return found


def _placed(node: StacksNode, contracts: Contracts, findings: Sequence[Finding]) -> list[Finding]:
    """Give each finding whose evidence is missing the block that holds it; what the node does not show stays so."""
    wanted = {finding.missing for finding in findings if finding.missing is not None}
    heights = _heights(node, contracts, wanted) if wanted else {}
    return [
        finding
        if finding.missing is None
        else replace(
            finding,
            height=heights.get(finding.missing),
            repair=finding.repair if finding.missing in heights else Repair.NOBODY,
        )
        for finding in findings
    ]


def _heights(node: StacksNode, contracts: Contracts, wanted: set[Missing]) -> dict[Missing, StacksHeight]:
    found: dict[Missing, StacksHeight] = {}
    for contract in (contracts.registry, contracts.pool):
        cursor: str | None = None
        while True:
            page = node.logs(contract, cursor=cursor)
            for log in page.logs:
                shown = _named(contracts, log.contract_id, log.raw)
                seen = node.transaction(log.txid) if shown in wanted else None
                if shown is not None and seen is not None and seen.block is not None:
                    found[shown] = seen.block.height
            cursor = page.older
            if cursor is None or found.keys() >= wanted:
                break
    return found


def _named(contracts: Contracts, contract: Principal, raw: bytes) -> Missing | None:
    try:
        event = decode_event(contracts, contract, raw)
    except MalformedEvent:
        return None
    name = next((name for name, kind in _EVENTS.items() if isinstance(event, kind)), None)
    on_chain = getattr(event, "policy_id", None)
    return None if name is None or on_chain is None else Missing(event=name, policy_id_on_chain=on_chain)
