"""Exports: `GET /v1/exports/policies.csv` and `.jsonl`, all that a filter finds, sent while it is read."""

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import Row

from api import answers, problem
from api.caller import Caller
from api.door import Door
from api.terms import LISTING, Exported
from registry.queries import search
from registry.queries.policies import SHOWN_COLUMNS, describe
from registry.queries.search import Filter, Found, Order, Place, Present
from registry.store.session import unit_of_work

BATCH = 500
CSV, JSON_LINES = "text/csv; charset=utf-8", "application/jsonl"
NAMES = tuple(str(column.key) for column in SHOWN_COLUMNS)
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With one of these in front a spreadsheet takes a text for a formula, and runs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How rows become bytes; `head` stands before the first."""

    media_type: str
    head: bytes
    written: Callable[[Sequence[Row[Any]]], bytes]


def router(door: Door) -> APIRouter:
    """Make the routes under /exports."""
    own = APIRouter(prefix="/exports", tags=["exports"])
    Known = Annotated[Caller, Depends(door.guard.caller)]  # noqa: N806 - a type

    @own.get(
        "/policies.csv",
        operation_id="export_policies_csv",
        summary="Export policies as CSV",
        response_class=StreamingResponse,
        responses=_told("text/csv", "id,policy_id_on_chain,…"),
    )
    async def export_policies_csv(caller: Known, query: Annotated[Exported, Query()]) -> StreamingResponse:
        """All policies that the terms hold of, a line each under a line of names; objects are JSON, null is empty.

        A text that a spreadsheet would take for a formula has ' in front. It is read in batches while it is sent: what
        changes meanwhile may be seen as it was or as it is, nothing is left out or comes twice. An answer that breaks
        off is not whole.
        """
        return await _sent(door, query.wanted(caller), query.order, _CSV)

    @own.get(
        "/policies.jsonl",
        operation_id="export_policies_jsonl",
        summary="Export policies as JSON lines",
        response_class=StreamingResponse,
        responses=_told(JSON_LINES, '{"id":"…",…}'),
    )
    async def export_policies_jsonl(caller: Known, query: Annotated[Exported, Query()]) -> StreamingResponse:
        """All policies that the terms hold of, each a line of JSON as `GET /v1/policies` has it; read as CSV is."""
        return await _sent(door, query.wanted(caller), query.order, _JSON_LINES)

    return own


def _told(media_type: str, example: str) -> dict[int | str, dict[str, Any]]:
    shown = {"content": {media_type: {"schema": {"type": "string"}, "example": example}}, "description": "As asked."}
    return {200: shown, **problem.told(*LISTING)}


async def _sent(door: Door, wanted: Filter, order: Order, form: Form) -> StreamingResponse:
    """Read the first batch, so that a refusal is one, and send on from there."""
    search.require_possible(wanted)
    present = Present(now=await door.threads.run(door.runtime.now))
    read = partial(_batch, door=door, wanted=wanted, order=order, present=present, form=form)
    first = await door.threads.run(partial(read, None))
    name = "csv" if form is _CSV else "jsonl"
    headers = {"Cache-Control": "no-store", "Content-Disposition": f'attachment; filename="policies.{name}"'}
    return StreamingResponse(_parts(door, form.head, first, read), media_type=form.media_type, headers=headers)


Batch = tuple[bytes, Place | None]


async def _parts(door: Door, head: bytes, batch: Batch, read: Callable[[Place | None], Batch]) -> AsyncIterator[bytes]:
    """One batch after another; whoever goes away is read for no more, for nobody asks for the next part."""
    yield head
    while True:
        written, end = batch
        yield written
        if end is None:
            return
        batch = await door.threads.run(partial(read, end))


def _batch(after: Place | None, *, door: Door, wanted: Filter, order: Order, present: Present, form: Form) -> Batch:
    with unit_of_work(door.database) as session:
        found: Found = search.find(session, wanted, order, present=present, limit=BATCH, after=after)
    return form.written(found.rows), found.end


def _as_csv(rows: Sequence[Row[Any]]) -> bytes:
    return _lines([_cell(value) for value in describe(row).values()] for row in rows)


def _lines(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case str():
            return f"'{value}" if value.startswith(FORMULA) else value
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        case _:
            return str(value)


def _as_json_lines(rows: Sequence[Row[Any]]) -> bytes:
    return b"".join(answers.encoded(describe(row)) + b"\n" for row in rows)


_CSV = Form(media_type=CSV, head=_lines([NAMES]), written=_as_csv)
_JSON_LINES = Form(media_type=JSON_LINES, head=b"", written=_as_json_lines)
