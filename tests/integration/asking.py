"""A front door for tests of questions: two owners, a service of each kind, and policies as rows."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from sqlmodel import SQLModel

from registry.domain.access import Scope
from registry.domain.policy import PolicyStatus
from registry.domain.units import Token
from registry.store.session import Database, unit_of_work
from registry.store.tables import PolicyRow
from tests.integration import rows
from tests.integration.doors import Known, ask, holder, open_door, service

OWNER = rows.OWNER
OTHER = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"
BORN = datetime(2026, 1, 1, tzinfo=UTC)
CALLERS = {
    "owner": holder(OWNER),
    "other": holder(OTHER),
    "reader": service(Scope.READ, name="prk_read"),
    "seller": service(Scope.POOL, name="prk_pool"),
    "operator": service(Scope.READ, Scope.OPERATOR, name="prk_oper"),
}
MANY = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An open front door: `get` asks it as somebody, nobody if he is not named."""

    url: str

    def get(self, path: str, who: str | None = None, **query: Any) -> requests.Response:
        more: Mapping[str, Any] = {"headers": query.pop("headers", {}), "stream": query.pop("stream", False)}
        return ask(self.url, "GET", path, token=who, params=query, **more)

    def found(self, path: str, who: str | None = None, **query: Any) -> Any:
        answer = self.get(path, who, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pages(self, path: str, who: str, **query: Any) -> Iterator[list[dict[str, Any]]]:
        """Each page's policies, to the last."""
        more: dict[str, str] = {}
        while True:
            page = self.found(path, who, **query, **more)
            yield page["items"]
            if page["next"] is None:
                return
            more = {"after": page["next"]}


@contextmanager
def asking(database: Database, broker: str, **settings: Any) -> Iterator[Asking]:
    limits = {"api_requests_per_minute": MANY, "api_anonymous_per_minute": MANY}
    with open_door(database, broker, identifier=Known(callers=CALLERS), **{**limits, **settings}) as url:
        yield Asking(url=url)


def policy(number: int, **changes: Any) -> PolicyRow:
    """An Active policy, a second older than the next one."""
    usual = {"expiration_height": 1_000 + number, "created_at": BORN + timedelta(seconds=number)}
    return rows.active(number, **{**usual, **changes})


def pending(number: int, **changes: Any) -> PolicyRow:
    usual = {"expiration_height": 1_000 + number, "created_at": BORN + timedelta(seconds=number)}
    return rows.policy(**{**usual, **changes})


def settled(number: int, **changes: Any) -> PolicyRow:
    over = {"status_detailed": PolicyStatus.SETTLED, "status_on_chain": 1, "settlement_token": Token.STX}
    return policy(number, **{**over, "settlement_amount_base_units": 5, **changes})


def add(database: Database, *added: SQLModel) -> None:
    """Each in its turn, for rows of one kind name those of another."""
    with unit_of_work(database) as session:
        for row in added:
            session.add(row)
            session.flush()
