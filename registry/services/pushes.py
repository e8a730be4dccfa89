"""Pushes: what nodes and hooks send is read at the door, kept, and compared with the chain once it was followed.

Nothing of a push is ever applied. A filtered hook does not show a whole block, and who pushes need not be whom we
trust: a push only says that there is something to follow, and the follower takes back before it applies.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType

import structlog

from registry.domain.errors import BadRequest
from registry.domain.push import PushOutcome, PushSource, Said, SaidBlock, judge
from registry.domain.request import integer
from registry.domain.units import BlockHash, StacksHeight
from registry.store import blocks, pushes
from registry.store.pushes import KeptPush
from registry.store.session import Database, unit_of_work

MOST_BLOCKS = 1000
"""In one push: more than any hook sends at once."""

_HASH = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_LOG = structlog.get_logger()


def decode(body: bytes) -> Mapping[str, object]:
    """Read a body as one JSON object; nothing that it holds can make this fail in another way than `BadRequest`."""
    try:
        value = json.loads(body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadRequest(field="body", reason="it is not JSON") from None
    return _object("body", value)


def said_by_node(body: Mapping[str, object]) -> Said:
    """Read what a node posts to /new_block or /new_burn_block; fields that we do not know are passed over."""
    if "block_height" in body or "index_block_hash" in body:
        block = SaidBlock(
            hash=_hash("index_block_hash", body.get("index_block_hash")),
            height=_height("block_height", body.get("block_height")),
            parent=_hash("parent_index_block_hash", body.get("parent_index_block_hash")),
        )
        return Said(applied=(block,))
    if "burn_block_height" in body or "burn_block_hash" in body:
        _hash("burn_block_hash", body.get("burn_block_hash"))
        _height("burn_block_height", body.get("burn_block_height"))
        return Said()
    raise BadRequest(field="body", reason="it is neither a new block nor a new burn block")


def said_by_chainhook(body: Mapping[str, object]) -> Said:
    """Read what a hook posts: v2 wraps the two lists of v1 in `event`; both name a block by its index block hash."""
    name, event = ("event", _object("event", body["event"])) if "event" in body else ("body", body)
    if "apply" not in event and "rollback" not in event:
        raise BadRequest(field=name, reason="it has neither apply nor rollback")
    if event.get("chain", "stacks") != "stacks":
        raise BadRequest(field="chain", reason="it is not stacks")
    gone, come = _blocks("rollback", event.get("rollback")), _blocks("apply", event.get("apply"))
    if len(gone) + len(come) > MOST_BLOCKS:
        raise BadRequest(field=name, reason=f"it names more than {MOST_BLOCKS} blocks")
    newest_first = sorted(gone, key=lambda block: block.height, reverse=True)
    return Said(
        rolled_back=tuple(block.hash for block in newest_first),
        applied=tuple(sorted(come, key=lambda block: block.height)),
    )


READERS: Mapping[PushSource, Callable[[Mapping[str, object]], Said]] = MappingProxyType(
    {PushSource.NODE: said_by_node, PushSource.CHAINHOOK: said_by_chainhook}
)


def keep(database: Database, source: PushSource, body: bytes) -> KeptPush:
    """Read a body and keep it; the same one again is counted.

    Raises:
        BadRequest: it is not JSON, or in none of the forms in which its source pushes.
    """
    said = READERS[source](decode(body))
    digest = hashlib.sha256(body).hexdigest()
    with unit_of_work(database) as session:
        return pushes.keep(session, source=source, digest=digest, body=body, said=said.to_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPush:
    """A push that was not taken yet, and which of its blocks stood when it was read."""

    id: int
    received_at: datetime
    said: Said
    before: frozenset[BlockHash]


def waiting(database: Database, *, first: int | None = None, limit: int) -> tuple[WaitingPush, ...]:
    """Read pushes that wait, that of the id `first` before all others, ahead of a round of following."""
    with unit_of_work(database) as session:
        rows = [
            (push_id, at, Said.from_json(said))
            for push_id, at, said in pushes.waiting(session, first=first, limit=limit)
        ]
        named = frozenset[BlockHash]().union(*(said.hashes for _, _, said in rows))
        before = {BlockHash(row.index_block_hash) for row in blocks.standing(session, named)}
    return tuple(
        WaitingPush(id=push_id, received_at=at, said=said, before=said.hashes & before) for push_id, at, said in rows
    )


def take(
    database: Database, read: Sequence[WaitingPush], *, patience: timedelta, now: datetime
) -> Mapping[int, PushOutcome]:
    """Say what became of pushes now that the chain was followed; one whose blocks are not seen yet waits on.

    One that has waited for longer than `patience` is given up. Answers the outcomes by id, those that wait left out.
    """
    if not read:
        return {}
    taken: dict[int, PushOutcome] = {}
    with unit_of_work(database) as session:
        named = frozenset[BlockHash]().union(*(push.said.hashes for push in read))
        after = {BlockHash(row.index_block_hash) for row in blocks.standing(session, named)}
        newest = blocks.tip(session)
        tip = None if newest is None else StacksHeight(newest.height)
        # in one order, so that two workers never wait for each other
        for push in sorted(read, key=lambda each: each.id):
            found = judge(push.said, before=push.before, after=after, tip=tip)
            outcome = found or (PushOutcome.GIVEN_UP if now - push.received_at > patience else None)
            if outcome is not None and pushes.take(session, push.id, outcome=outcome, now=now):
                taken[push.id] = outcome
    for push_id, outcome in taken.items():
        tell = _LOG.warning if outcome is PushOutcome.GIVEN_UP else _LOG.info
        tell("push.taken", push_id=push_id, outcome=outcome.value)
    return taken


def prune(database: Database, *, before: datetime, limit: int) -> int:
    """Remove at most `limit` pushes that were taken and came before an instant; answer how many."""
    with unit_of_work(database) as session:
        return pushes.prune(session, before=before, limit=limit)


def _blocks(name: str, value: object) -> list[SaidBlock]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise BadRequest(field=name, reason="it is not a list")
    return [_hooked(name, _object(name, each)) for each in value[: MOST_BLOCKS + 1]]


def _hooked(name: str, block: Mapping[str, object]) -> SaidBlock:
    own = _object(f"{name}.block_identifier", block.get("block_identifier"))
    parent = _object(f"{name}.parent_block_identifier", block.get("parent_block_identifier"))
    return SaidBlock(
        hash=_hash(f"{name}.block_identifier.hash", own.get("hash")),
        height=_height(f"{name}.block_identifier.index", own.get("index")),
        parent=_hash(f"{name}.parent_block_identifier.hash", parent.get("hash")),
    )


def _object(name: str, value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadRequest(field=name, reason="it is not a JSON object")
    return value


def _hash(name: str, value: object) -> BlockHash:
    found = _HASH.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise BadRequest(field=name, reason="it is not 64 hex digits")
    return BlockHash(found[1].lower())


def _height(name: str, value: object) -> StacksHeight:
    return StacksHeight(integer(name, value, lowest=0))


def _no_number(_constant: str) -> object:
    raise ValueError
