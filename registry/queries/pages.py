"""Answers about policies as callers of the API get them: a page, one policy, those that an identifier names."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, CompoundSelect, Select, select, union
from sqlmodel import col

from registry.domain.errors import BadRequest
from registry.domain.height import Depths
from registry.domain.units import BurnHeight, Principal, TxId
from registry.queries import as_of, history, search
from registry.queries.depth import on_chain
from registry.queries.history import Sight
from registry.queries.instant import one_instant
from registry.queries.policies import SHOWN_COLUMNS, describe, identified
from registry.queries.search import Filter, Order, Present
from registry.stacks.contracts import Contracts
from registry.store.session import Database, unit_of_work
from registry.store.tables import AttemptRow, ChainEventRow, PolicyRow, QuoteRow, TransactionEntryRow

MOST_NAMED = 500
"""The most policies that one transaction is shown with; a batch of ours holds fewer."""

Owner = Principal | None
"""Whose policies are looked at; None: everybody's."""


def page(
    database: Database,
    contracts: Contracts,
    wanted: Filter,
    order: Order,
    *,
    limit: int,
    after: str | None,
    height: BurnHeight | None,
    now: datetime,
) -> dict[str, Any]:
    """One page as `{"items", "next"}`; with a height, of what there was as of it, each policy as it stood.

    What depends on nothing but terms that never change is looked for as it is now; the status, as it was.

    Raises:
        BadCursor: `after` is no `next` of this question.
        HeightNotKept, NoBlockYet: what held at that height is not known.
    """
    search.require_possible(wanted)
    if height is None:
        with unit_of_work(database) as session:
            place = None if after is None else search.place_of(after, wanted, order)
            found = search.find(session, wanted, order, present=Present(now=now), limit=limit, after=place)
        items = [describe(row) for row in found.rows]
    else:
        if wanted.expiring_within_hours is not None:
            raise BadRequest(field="expiring_within_hours", reason="hours are counted from now, not from a height")
        with one_instant(database) as session:
            at = as_of.moment(session, height)
            place = None if after is None else search.place_of(after, wanted, order, before=at.before, as_of=height)
            then = Present(now=now, height=height, before=at.before)
            found = search.find(session, wanted, order, present=then, limit=limit, after=place)
            items = [told for told, _ in as_of.described(session, contracts, found.rows, at=at)]
    follows = None if found.end is None else search.cursor_of(found.end, wanted, order, as_of=height)
    return {"items": items, "next": follows}


def one(database: Database, name: str, *, owner: Owner, depths: Depths) -> dict[str, Any] | None:
    """One policy by either id, with `chain`; None if the owner has none."""
    with unit_of_work(database) as session:
        row = session.execute(select(*SHOWN_COLUMNS).where(identified(name), *_of(owner))).one_or_none()
        if row is None:
            return None
        return {**describe(row), "chain": on_chain(session, row.id, depths=depths)}


def one_as_of(
    database: Database, contracts: Contracts, name: str, *, owner: Owner, height: BurnHeight, sight: Sight
) -> dict[str, Any] | None:
    """One policy as it stood, with the edges that it had walked; None also if it was not there yet.

    Raises:
        HeightNotKept, NoBlockYet: what held at that height is not known.
    """
    with one_instant(database) as session:
        row = session.execute(select(*SHOWN_COLUMNS).where(identified(name), *_of(owner))).one_or_none()
        if row is None:
            return None
        at = as_of.moment(session, height)
        for told, events in as_of.described(session, contracts, [row], at=at):
            until = None if at.before is None else at.before.isoformat()
            walked = history.shown_edges(events, sight=sight)
            return {**told, "as_of": {"height": height, "until": until, "events": walked}}
        return None


def timeline(database: Database, name: str, *, owner: Owner, depths: Depths, sight: Sight) -> dict[str, Any] | None:
    """All that is kept of one policy; None if the owner has none."""
    with one_instant(database) as session:
        row = session.execute(select(PolicyRow).where(identified(name), *_of(owner))).scalar_one_or_none()
        if row is None:
            return None
        return history.whole(session, row, sight=sight, depths=depths)


def of_transaction(database: Database, tx_id: TxId, *, owner: Owner) -> dict[str, Any]:
    """The policies that a transaction has to do with: that it bought or ended, or that it was said or signed to."""
    rows = (
        *(select(col(PolicyRow.id)).where(col(column) == tx_id) for column in _TX_IDS),
        select(col(ChainEventRow.policy_id)).where(
            col(ChainEventRow.tx_id) == tx_id, col(ChainEventRow.policy_id).is_not(None)
        ),
        select(col(TransactionEntryRow.policy_id))
        .join(AttemptRow, col(AttemptRow.transaction_id) == col(TransactionEntryRow.transaction_id))
        .where(col(AttemptRow.tx_id) == tx_id),
    )
    return _named(database, union(*rows), owner=owner)


_TX_IDS: tuple[Any, ...] = (PolicyRow.tx_id_creation, PolicyRow.tx_id_status_update, PolicyRow.reported_tx_id)


def of_quote(database: Database, quote_id: bytes, *, owner: Owner) -> dict[str, Any]:
    """The policy that has this quote."""
    return _named(database, _quoted().where(col(QuoteRow.quote_id) == quote_id), owner=owner)


def of_idempotency_keys(database: Database, keys: Sequence[str], *, owner: Principal) -> dict[str, Any]:
    """The policies that an owner asked for under one of these keys."""
    quoted = _quoted().where(col(QuoteRow.owner_principal) == owner, col(QuoteRow.idempotency_key).in_(keys))
    return _named(database, quoted, owner=owner)


def _quoted() -> Select[Any]:
    return select(col(QuoteRow.policy_id)).where(col(QuoteRow.policy_id).is_not(None))


def _named(database: Database, ids: Select[Any] | CompoundSelect[Any], *, owner: Owner) -> dict[str, Any]:
    keys = (col(PolicyRow.created_at), col(PolicyRow.id))
    query = select(*SHOWN_COLUMNS).where(col(PolicyRow.id).in_(ids), *_of(owner)).order_by(*keys).limit(MOST_NAMED)
    with unit_of_work(database) as session:
        return {"items": [describe(row) for row in session.execute(query)], "next": None}


def _of(owner: Owner) -> list[ColumnElement[bool]]:
    return [] if owner is None else [col(PolicyRow.owner_principal) == owner]
