"""Who listens to a stream of the front door, and who moves policies meanwhile."""

import json
import random
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import text

from api.caller import Identifier
from registry.domain.access import Scope
from registry.domain.policy import Edge, PolicyStatus
from registry.store.session import Database, unit_of_work
from tests.integration import rows
from tests.integration.doors import Known, holder, open_door, service

HEAR_SECONDS = 20.0
WRITERS, WRITTEN = 4, 60
"""Who commit at once, and how many events each."""
POLICIES = "/v1/streams/policies"
STATS = "/v1/streams/stats"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One block of a stream: an event, a comment, or both."""

    event: str | None = None
    id: int | None = None
    data: Any = None
    comment: str | None = None
    retry: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """An answer that goes on."""

    answer: HTTPResponse
    wire: socket.socket = field(repr=False)

    @property
    def status(self) -> int:
        return self.answer.status

    def problem(self) -> dict[str, Any]:
        """The refusal that came instead of a stream."""
        told: dict[str, Any] = json.loads(self.answer.read())
        assert told["status"] == self.status
        return told

    def blocks(self) -> Iterator[Heard]:
        """Everything until the stream ends."""
        lines = list[str]()
        while line := self.answer.readline().decode():
            if line == "\n":
                yield _heard(lines)
                lines = []
            else:
                lines.append(line.rstrip("\n"))
        assert not lines, lines

    def next(self, kind: str = "policy") -> Heard:
        """The next event, which is of this kind; comments are passed over."""
        heard = next(each for each in self.blocks() if each.event is not None)
        assert heard.event == kind, heard
        return heard

    def take(self, count: int) -> list[int]:
        """The ids of the next events of policies."""
        return [self.next().data["seq"] for _ in range(count)]

    def rest(self) -> list[Heard]:
        """What comes until it ends, which is soon."""
        heard, end = list[Heard](), time.monotonic() + HEAR_SECONDS
        for each in self.blocks():
            assert time.monotonic() < end, each
            heard.append(each)
        return heard


def _heard(lines: list[str]) -> Heard:
    said = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    known = {"event", "data", "id", "retry", ""}
    assert set(said) <= known, lines
    return Heard(
        event=said.get("event"),
        id=int(said["id"]) if "id" in said else None,
        data=json.loads(said["data"]) if "data" in said else None,
        comment=said.get(""),
        retry=int(said["retry"]) if "retry" in said else None,
    )


@contextmanager
def listen(
    url: str,
    path: str = POLICIES,
    *,
    by: str | None = None,
    last_id: object = None,
    headers: Mapping[str, str] | None = None,
    window: int | None = None,
) -> Iterator[Ear]:
    """Open a stream, by whoever bears a token; it is broken off at the end. `window` is what may lie unread here."""
    told = {
        **({} if by is None else {"Authorization": f"Bearer {by}"}),
        **({} if last_id is None else {"Last-Event-ID": str(last_id)}),
        **(headers or {}),
    }
    at = urlsplit(url)
    with (
        closing(socket.socket()) as own,
        closing(HTTPConnection(at.hostname or "", at.port, timeout=HEAR_SECONDS)) as connection,
    ):
        if window is not None:
            # before it connects: the other side is told of it then
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        own.settimeout(HEAR_SECONDS)
        own.connect((at.hostname, at.port))
        connection.sock = own
        connection.request("GET", path, headers=told)
        answer = connection.getresponse()
        with closing(answer):
            yield Ear(answer=answer, wire=own)


def sold(database: Database, owner: str = rows.OWNER) -> UUID:
    """A policy without any event yet."""
    with unit_of_work(database) as session:
        session.add(made := rows.policy(owner_principal=owner))
    return made.id


def walk(database: Database, policy_id: UUID, *, times: int = 1, **changes: Any) -> None:
    """Commit events of a policy, together."""
    usual = {
        "edge": Edge.PURCHASE_CONFIRMED,
        "from_status": PolicyStatus.PENDING_CREATION,
        "to_status": PolicyStatus.ACTIVE,
        "cause": "purchase confirmed",
        "actor": "chain",
        "detail": {"operator": "ada"},
    }
    with unit_of_work(database) as session:
        session.add_all(rows.event(policy_id, **{**usual, **changes}) for _ in range(times))


def write_out_of_turn(database: Database, seed: int) -> None:
    """Commit events some while after they were given their ids."""
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    policy_id = sold(database)
    for _ in range(WRITTEN):
        with unit_of_work(database) as session:
            session.add(rows.event(policy_id))
            session.flush()
            time.sleep(chance.random() / 10)


def overtaken(database: Database) -> int:
    """How many events were given a place behind one with a greater id."""
    with unit_of_work(database) as session:
        ids = session.execute(text("SELECT event_id FROM policy_feed ORDER BY seq")).scalars().all()
    return sum(each < max(ids[:number]) for number, each in enumerate(ids) if number)


def listeners(database: Database) -> list[int]:
    """The backends that listen to the database's feed."""
    with unit_of_work(database) as session:
        asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN %'"
        return list(session.execute(text(asked)).scalars())


OTHER = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"
CALLERS = {
    "owner": holder(rows.OWNER),
    "other": holder(OTHER),
    "partner": service(Scope.EVENTS),
    "reader": service(Scope.READ, name="prk_reader"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Opener:
    """Opens front doors on one database."""

    database: Database
    valkey_url: str

    def open(self, *, identifier: Identifier | None = None, **settings: Any) -> AbstractContextManager[str]:
        """One more; without an identifier it knows CALLERS."""
        told = {"api_requests_per_minute": 100_000, "api_anonymous_per_minute": 100_000, **settings}
        # a database of Valkey that no worker serves
        broker_url = f"{self.valkey_url.removesuffix('/0')}/5"
        return open_door(self.database, broker_url, identifier=identifier or Known(callers=CALLERS), **told)
