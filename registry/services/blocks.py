"""Blocks: followed in order, each applied once with the events of our contracts in it; a fork is rewound first."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from registry.domain.height import ChainHeight, Depths
from registry.domain.units import BlockHash, BurnHeight, StacksHeight
from registry.services.events import apply_events, quarantine_unexplained
from registry.stacks.contracts import Contracts
from registry.stacks.node import Block, ContractLog, NodeUnavailable, StacksNode
from registry.store import blocks, reservations, transactions
from registry.store.session import Database, unit_of_work
from registry.store.tables import BlockRow

_LOG = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What one round did: the policies that became due for a look, and whether the tip was not reached."""

    policy_ids: tuple[UUID, ...]
    applied: int
    behind: bool


def known_height(database: Database, *, depths: Depths) -> ChainHeight | None:
    """The height of the newest block that was applied; None before the first."""
    with unit_of_work(database) as session:
        newest = blocks.tip(session)
    return None if newest is None else ChainHeight.at(BurnHeight(newest.burn_height), depths=depths)


def follow(
    database: Database, node: StacksNode, contracts: Contracts, *, depths: Depths, limit: int, now: datetime
) -> Followed:
    """Apply at most `limit` new blocks; hand over the policies that confirmed events concern."""
    concerned = set(_rewind_fork(database, node, now=now))
    fresh = _new_blocks(database, node, contracts, limit=limit)
    located = _locate(node, _new_logs(database, node, contracts), last=fresh[-1].height) if fresh else {}
    late = _undo_incomplete(database, located.keys() - {block.index_block_hash for block in fresh}, now=now)
    if late is not None:
        return Followed(policy_ids=tuple(sorted(concerned | late)), applied=0, behind=True)
    applied = 0
    for block in fresh:
        with unit_of_work(database) as session:
            if not _apply(session, contracts, block, located.get(block.index_block_hash, []), now=now):
                break
        applied += 1
    concerned |= _hand_over(database, contracts, depths=depths, now=now)
    return Followed(policy_ids=tuple(sorted(concerned)), applied=applied, behind=applied == limit)


def refollow_from(database: Database, height: StacksHeight, *, now: datetime) -> set[UUID]:
    """Take back every applied block from this height on, as a fork does, so that following applies them anew.

    Answers the policies that this concerns: none, if another worker has moved the tip meanwhile.
    """
    with unit_of_work(database) as session:
        newest = blocks.tip(session)
    if newest is None:
        return set()
    return _undo_above(database, StacksHeight(height - 1), tip=newest, now=now) or set()


def _hand_over(database: Database, contracts: Contracts, *, depths: Depths, now: datetime) -> set[UUID]:
    height = known_height(database, depths=depths)
    if height is None:
        return set()
    with unit_of_work(database) as session:
        quarantine_unexplained(session, contracts, confirmed=height.confirmed, now=now)
        return set(blocks.hand_over(session, confirmed=height.confirmed, now=now))


def _new_blocks(database: Database, node: StacksNode, contracts: Contracts, *, limit: int) -> list[Block]:
    """The blocks above the newest applied one, oldest first, each the child of the one before."""
    with unit_of_work(database) as session:
        newest = blocks.tip(session)
    if newest is None:
        first = _first_block(node, contracts)
        found, parent, height = [first], first.index_block_hash, first.height
    else:
        found, parent, height = [], BlockHash(newest.index_block_hash), StacksHeight(newest.height)
    while len(found) < limit:
        height = StacksHeight(height + 1)
        block = node.block(height)
        # a parent that is another block: a fork just now; the next round rewinds it
        if block is None or block.parent_index_block_hash != parent:
            break
        found.append(block)
        parent = block.index_block_hash
    return found


def _first_block(node: StacksNode, contracts: Contracts) -> Block:
    """Where to begin: the block of our contracts' oldest event, or the tip if they have none yet."""
    tip = node.tip()
    heights = [tip.height]
    for contract in (contracts.registry, contracts.pool):
        oldest = node.oldest_log(contract)
        seen = node.transaction(oldest.txid) if oldest else None
        if seen is not None and seen.block is not None:
            heights.append(seen.block.height)
    first = node.block(min(heights))
    if first is None:
        raise NodeUnavailable(endpoint="/extended/v2/blocks", reason=f"there is no block {min(heights)}")
    return first


def _new_logs(database: Database, node: StacksNode, contracts: Contracts) -> list[ContractLog]:
    """The logs of both contracts that no applied block holds, each contract's oldest first, the registry's first."""
    fresh: list[ContractLog] = []
    for contract in (contracts.registry, contracts.pool):
        unknown: list[ContractLog] = []
        cursor: str | None = None
        while True:
            page = node.logs(contract, cursor=cursor)
            with unit_of_work(database) as session:
                new = [log for log in page.logs if not blocks.has_event(session, tx_id=log.txid, index=log.event_index)]
            unknown.extend(new)
            cursor = page.older
            if cursor is None or len(new) < len(page.logs):
                break
        fresh.extend(reversed(unknown))
    return fresh


def _locate(node: StacksNode, logs: Sequence[ContractLog], *, last: StacksHeight) -> dict[BlockHash, list[ContractLog]]:
    """Put each log to its transaction's block; those above the last block are left to the next round."""
    located: dict[BlockHash, list[ContractLog]] = {}
    seen = {txid: node.transaction(txid) for txid in dict.fromkeys(log.txid for log in logs)}
    for log in logs:
        transaction = seen[log.txid]
        if transaction is None or transaction.block is None:
            raise NodeUnavailable(endpoint="/extended/v3/transactions", reason=f"{log.txid} has a log and no block")
        if transaction.block.height <= last:
            located.setdefault(transaction.block.index_block_hash, []).append(log)
    return located


def _apply(session: Session, contracts: Contracts, block: Block, logs: Sequence[ContractLog], *, now: datetime) -> bool:
    """Apply one block on top of its parent; False if another worker has moved the tip meanwhile."""
    newest = blocks.hold_tip(session)
    if newest is not None and newest.index_block_hash != block.parent_index_block_hash:
        return False
    row = blocks.add(
        session,
        BlockRow(
            index_block_hash=block.index_block_hash,
            parent_index_block_hash=block.parent_index_block_hash,
            height=block.height,
            burn_height=block.burn_height,
            time=block.time,
            applied_at=now,
        ),
    )
    if apply_events(session, contracts, row, logs):
        row.books = reservations.books_as_json(session)
    return True


def _rewind_fork(database: Database, node: StacksNode, *, now: datetime) -> set[UUID]:
    """Undo every applied block that is canonical no more; answer the policies that this concerns."""
    with unit_of_work(database) as session:
        newest = blocks.tip(session)
    if newest is None or _is_canonical(node, newest) or _is_behind(database, node, newest):
        return set()
    return _undo_above(database, _ancestor(database, node, newest), tip=newest, now=now) or set()


def _is_behind(database: Database, node: StacksNode, newest: BlockRow) -> bool:
    """Whether the node does not show our newest block yet, and nothing that contradicts it: it lags, that is no fork.

    A fork shows itself by the first block that is not ours.
    """
    if node.block(StacksHeight(newest.height)) is not None:
        return False
    tip = node.tip()
    with unit_of_work(database) as session:
        ours = blocks.at(session, tip.height)
    # a tip that has come up to ours meanwhile is compared in the next round
    behind = tip.height >= newest.height or ours is None or ours.index_block_hash == tip.index_block_hash
    if behind:
        _LOG.info("blocks.node_is_behind", tip=tip.height, applied=newest.height)
    return behind


def _undo_incomplete(database: Database, hashes: Collection[BlockHash], *, now: datetime) -> set[UUID] | None:
    """Undo applied blocks of which the node shows events only now; None if there are none."""
    with unit_of_work(database) as session:
        incomplete, newest = blocks.standing(session, hashes), blocks.tip(session)
    if not incomplete or newest is None:
        return None
    return _undo_above(database, StacksHeight(incomplete[0].height - 1), tip=newest, now=now)


def _undo_above(database: Database, ancestor: StacksHeight, *, tip: BlockRow, now: datetime) -> set[UUID] | None:
    """Take back all above an ancestor, decided upon at this tip; None if another worker has moved it meanwhile."""
    with unit_of_work(database) as session:
        newest = blocks.hold_tip(session)
        if newest is None or newest.index_block_hash != tip.index_block_hash:
            return None
        orphaned = blocks.orphan_above(session, ancestor)
        reservations.restore_books(session, blocks.newest_books(session))
        concerned = {*transactions.unmine(session, orphaned, now=now), *blocks.policies_in(session, orphaned)}
        blocks.due_now(session, sorted(concerned), now=now)
    _LOG.error("blocks.rewound", ancestor=ancestor, orphaned=len(orphaned))
    return concerned


def _is_canonical(node: StacksNode, row: BlockRow) -> bool:
    block = node.block(StacksHeight(row.height))
    return block is not None and block.index_block_hash == row.index_block_hash


def _ancestor(database: Database, node: StacksNode, newest: BlockRow) -> StacksHeight:
    """The highest applied block that is still canonical; below the first one applied there is nothing to undo."""
    height = StacksHeight(newest.height - 1)
    while True:
        with unit_of_work(database) as session:
            row = blocks.at(session, height)
        if row is None or _is_canonical(node, row):
            return height
        height = StacksHeight(height - 1)
