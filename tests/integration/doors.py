"""Front doors in this very process, on real servers, and callers whom they know."""

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import requests

from api.app import create_app
from api.body import Bounds
from api.caller import Caller, Guard, Identifier, unauthorized
from api.door import DATABASE_SECONDS, Door
from api.doorbell import Doorbell
from api.identities import Identities
from api.server import server
from registry.domain.access import Scope
from registry.domain.units import Principal
from registry.settings import Settings
from registry.store.session import Database
from tests.integration.stack import until
from workers.client import RegistryClient
from workers.front_secret import entrance
from workers.push_secrets import PushSecrets, read_push_secrets
from workers.runtime import Runtime

START_SECONDS = 20.0
ANSWER_SECONDS = 20.0
CONTRACTS = {
    "registry_contract": "ST000000000000000000002AMW42H.policy-registry",
    "pool_contract": "ST000000000000000000002AMW42H.liquidity-pool",
    "sbtc_contract": "ST000000000000000000002AMW42H.sbtc-token",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Knows these tokens and no others: for tests of what a caller may do, not of who he is."""

    callers: Mapping[str, Caller] = field(default_factory=dict)

    async def identify(self, token: str) -> Caller:
        if token not in self.callers:
            raise unauthorized(detail="nobody bears this token")
        return self.callers[token]


def holder(principal: str) -> Caller:
    """An owner who signed in."""
    return Caller(name=principal, principal=Principal(principal))


def service(*scopes: Scope, name: str = "prk_test") -> Caller:
    """A service with a key."""
    return Caller(name=name, scopes=frozenset(scopes))


@contextmanager
def open_door(
    database: Database,
    broker_url: str,
    *,
    bounds: Bounds | None = None,
    identifier: Identifier | None = None,
    **settings: Any,
) -> Iterator[str]:
    """Open a front door on a free port, in a thread; answers its address. `settings` are those of the process.

    Without an `identifier` it knows who has signed in, which needs a `front_secret_file`, and services by their keys.
    """
    with (
        Doorbell(broker_url) as bell,
        RegistryClient(broker_url, settings.get("result_url"), answer_seconds=ANSWER_SECONDS) as registry,
        socket.create_server(("127.0.0.1", 0)) as listening,
    ):
        port = listening.getsockname()[1]
        told = Settings(
            **{
                "database_url": database.engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
                "broker_url": broker_url,
                "stacks_url": "http://127.0.0.1:9",
                "api_port": port,
                **CONTRACTS,
                **settings,
            }
        )
        runtime = Runtime(settings=told, statement_seconds=DATABASE_SECONDS)
        sign_in = entrance(told)
        door = Door(
            runtime=runtime,
            secrets=read_push_secrets(told.push_secret_file) if told.push_secret_file else PushSecrets(digests={}),
            bell=bell,
            registry=registry,
            guard=Guard(identifier or Identities(runtime, sign_in)),
            entrance=sign_in,
            bounds=bounds or Bounds(),
        )
        own = server(create_app(door), host="127.0.0.1", port=port, streams=door.streams)
        thread = threading.Thread(target=own.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            until(lambda: own.started, seconds=START_SECONDS)
            yield f"http://127.0.0.1:{port}"
        finally:
            own.should_exit = True
            thread.join(timeout=START_SECONDS)
            assert not thread.is_alive()
            runtime.database.close()


def ask(url: str, method: str, path: str, *, token: str | None = None, **more: Any) -> requests.Response:
    """One request; `more` is what `requests.request` takes."""
    headers = {**({} if token is None else {"Authorization": f"Bearer {token}"}), **more.pop("headers", {})}
    return requests.request(method, f"{url}{path}", headers=headers, timeout=ANSWER_SECONDS, **more)
