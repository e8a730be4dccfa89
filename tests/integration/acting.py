"""Holders who act over HTTP, at front doors that stand on the stack of a file's tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import requests
from sqlalchemy import func, select, text

from registry.store.session import Database, unit_of_work
from registry.store.tables import PriceRow
from tests.integration.doors import Known, ask, holder, open_door
from tests.integration.stack import Holder, Stack

LEASE_SECONDS = 2
MANY = 100_000
"""Requests a minute: tests of what is answered are not to be counted out."""
REQUEST = {
    "policy_type": "PUT",
    "protected_value_price_feed_units": "4500000000000",
    "protected_amount_sats": 1_000_000,
    "duration_days": 30,
    "premium_token": "STX",
}


@dataclass(kw_only=True)
class Acting:
    """A holder at a front door; his token is his address."""

    url: str
    own: Holder
    token: str | None = field(default=None)

    def post(
        self, path: str, body: object = None, *, key: str | None = None, prefer: str | None = None, **more: Any
    ) -> requests.Response:
        """Have something done, under a new key unless one is given."""
        headers = {"Idempotency-Key": key or str(uuid4()), **more.pop("headers", {})}
        if prefer is not None:
            headers["Prefer"] = prefer
        sent = {} if body is None else {"json": body}
        return ask(self.url, "POST", path, token=self.token or self.own.address, headers=headers, **sent, **more)

    def get(self, path: str) -> requests.Response:
        """Look at something."""
        return ask(self.url, "GET", path, token=self.token or self.own.address)

    def create(self, *, key: str | None = None, prefer: str | None = None, **changes: Any) -> requests.Response:
        """Ask for a policy."""
        return self.post("/v1/policies", {**REQUEST, **changes}, key=key, prefer=prefer)

    def buy(self, **changes: Any) -> str:
        """Buy a policy and wait until it is Active."""
        answer = self.create(**changes)
        assert answer.status_code == 201, answer.text
        told, stack = answer.json(), self.own.stack
        stack.chain.buy(self.own.wallet, told["wallet_payload"])
        stack.wait_for(told["policy"]["id"], "Active")
        return str(told["policy"]["id"])


@contextmanager
def door_on(stack: Stack, *addresses: str, known: Known | None = None, **settings: Any) -> Iterator[str]:
    """Open a front door on a stack that knows these holders by their addresses."""
    told = {name.removeprefix("REGISTRY_").lower(): value for name, value in stack.environment.items()}
    usual = {
        "result_url": told["result_url"],
        "registry_contract": told["registry_contract"],
        "pool_contract": told["pool_contract"],
        "sbtc_contract": told["sbtc_contract"],
        "lease_seconds": LEASE_SECONDS,
        "api_anonymous_per_minute": MANY,
        "api_requests_per_minute": MANY,
        "api_actions_per_minute": MANY,
    }
    known = known or Known(callers={address: holder(address) for address in addresses})
    with open_door(stack.database, told["broker_url"], identifier=known, **{**usual, **settings}) as url:
        yield url


def fetched(database: Database) -> int:
    """How many prices were ever agreed on."""
    with unit_of_work(database) as session:
        return session.execute(select(func.count()).select_from(PriceRow)).scalar_one()


def policies_of(database: Database, owner: str) -> int:
    """How many policies an owner has."""
    return counted(database, "policies", owner_principal=owner)


def counted(database: Database, table: str, **values: str) -> int:
    """How many rows of a table have these values."""
    rule = " AND ".join(f"{name} = :{name}" for name in values) or "true"
    with unit_of_work(database) as session:
        found = session.execute(text(f"SELECT count(*) FROM {table} WHERE {rule}"), values)  # noqa: S608 - our own names
        return int(found.scalar_one())
