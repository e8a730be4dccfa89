"""Receivers of webhooks: real servers on loopback that verify what comes, and answer as a test tells them."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlmodel import col
from standardwebhooks import Webhook

from registry.domain.access import Scope
from registry.domain.webhook import Kind, secret_of, secret_text
from registry.outside.addresses import Reach
from registry.outside.posting import Poster
from registry.services import webhooks
from registry.services.webhooks import Sender
from registry.store.front_tables import WebhookDeliveryRow, WebhookEndpointRow, WebhookMessageRow
from registry.store.session import Database, unit_of_work
from tests.integration import rows

MASTER = bytes(range(32))
SECONDS = 5.0
DAY = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def told(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        kind: str = self.told["type"]
        return kind

    def verified(self, secret: str) -> Any:
        """The body as the library reads it, which raises where no signature is that of the secret."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass
class Receiver:
    """Whatever it is sent, in order; `answer` says how it answers each: a status, with headers if need be."""

    port: int = 0
    got: list[Received] = field(default_factory=list)
    answer: Callable[[Received], tuple[int, dict[str, str]]] = lambda _received: (204, {})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]

    def always(self, status: int, **headers: str) -> None:
        """Answer everything so."""
        self.answer = lambda _received: (status, {name.replace("_", "-"): value for name, value in headers.items()})

    def slowly(self, seconds: float) -> None:
        """Take so long for each."""

        def late(_received: Received) -> tuple[int, dict[str, str]]:
            time.sleep(seconds)
            return 204, {}

        self.answer = late


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port."""
    own = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            received = Received(path=self.path, headers=headers, body=body)
            own.got.append(received)
            status, more = own.answer(received)
            self.send_response(status)
            for name, value in {**more, "content-length": "0"}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    own.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield own
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class Hooks:
    """Webhooks on a database with a clock that a test moves, and a key whose endpoints they are."""

    database: Database
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    key_id: UUID | None = None
    seconds: float = SECONDS

    @property
    def sender(self) -> Sender:
        poster = Poster(seconds=self.seconds, reach=Reach.ANY)
        return Sender(poster=poster, master=MASTER, clock=lambda: self.now, within=DAY)

    def key(self, prefix: str = "prk_webhooks", **changes: Any) -> UUID:
        """A key that may be told."""
        with unit_of_work(self.database) as session:
            row = rows.api_key(prefix=prefix, scopes=[Scope.EVENTS], **changes)
            session.add(row)
        return row.id

    def endpoint(self, receiver: Receiver | str, *kinds: Kind, **changes: Any) -> UUID:
        """An endpoint at a receiver, for some kinds or all."""
        if self.key_id is None:
            self.key_id = self.key()
        url = receiver if isinstance(receiver, str) else receiver.url
        with unit_of_work(self.database) as session:
            row = WebhookEndpointRow(
                **{
                    "api_key_id": self.key_id,
                    "url": url,
                    "kinds": [str(each) for each in kinds or Kind],
                    "created_at": self.now - timedelta(days=400),
                    **changes,
                }
            )
            session.add(row)
        return row.id

    def secret(self, endpoint: UUID, *, version: int = 1) -> str:
        """What the receiver verifies with."""
        return secret_text(secret_of(MASTER, endpoint, version=version))

    def events(self, *kinds: str, **changes: Any) -> UUID:
        """A policy that has entered these statuses, one after another."""
        policy = rows.policy(**changes)
        with unit_of_work(self.database) as session:
            session.add(policy)
        for status in kinds:
            self.event(policy.id, status)
        return policy.id

    def event(self, policy_id: UUID, status: str) -> None:
        """One more status that it has entered."""
        with unit_of_work(self.database) as session:
            session.add(rows.event(policy_id, to_status=status, at=self.now))

    def collect(self) -> int:
        return webhooks.collect(self.database, now=self.now, limit=200)

    def deliver(self, *, after: timedelta = timedelta()) -> int:
        """Send what is due by then."""
        self.now += after
        due = webhooks.due_endpoints(self.database, now=self.now, limit=100)
        return sum(webhooks.serve(self.database, self.sender, endpoint) for endpoint in due)

    def send(self) -> int:
        """Make messages of what happened, and send them a moment later."""
        self.collect()
        return self.deliver(after=timedelta(seconds=1))

    def deliveries(self, endpoint: UUID) -> list[WebhookDeliveryRow]:
        """What there is for an endpoint, in the order in which it was to be sent."""
        with unit_of_work(self.database) as session:
            query = select(WebhookDeliveryRow).where(col(WebhookDeliveryRow.endpoint_id) == endpoint)
            return list(session.execute(query.order_by(col(WebhookDeliveryRow.first_at))).scalars())

    def states(self, endpoint: UUID) -> list[str]:
        return [each.state for each in self.deliveries(endpoint)]

    def messages(self) -> list[WebhookMessageRow]:
        """Every message that was made."""
        with unit_of_work(self.database) as session:
            return list(session.execute(select(WebhookMessageRow).order_by(col(WebhookMessageRow.at))).scalars())

    def kept(self, endpoint: UUID) -> WebhookEndpointRow:
        """An endpoint as it stands."""
        with unit_of_work(self.database) as session:
            return session.get_one(WebhookEndpointRow, endpoint)
