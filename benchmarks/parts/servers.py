"""PostgreSQL and Valkey for a benchmark: durable ones, as in production, gone with it."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from registry.store.migrate import migrate
from registry.store.session import Database
from workers.embedded.ports import HeldPorts
from workers.embedded.servers import Durability
from workers.embedded.supervisor import Supervisor
from workers.local import postgres_server, valkey_server


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Both, with an empty database of the present schema."""

    supervisor: Supervisor
    ports: HeldPorts
    directory: Path
    database: Database
    database_url: str
    broker_url: str


@contextmanager
def room() -> Iterator[tuple[Supervisor, HeldPorts, Path]]:
    """Give a benchmark a supervisor and ports in a directory of its own, which the servers' account can enter."""
    with ExitStack() as held:
        directory = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="policy-registry-bench-")))
        directory.chmod(0o711)
        ports = held.enter_context(HeldPorts())
        yield held.enter_context(Supervisor(directory / "run")), ports, directory


@contextmanager
def servers() -> Iterator[Servers]:
    """Start both in a directory of their own."""
    with ExitStack() as held:
        supervisor, ports, directory = held.enter_context(room())
        postgres = postgres_server(supervisor.directory, ports, Durability.DURABLE)
        valkey = valkey_server(supervisor.directory, ports, Durability.DURABLE)
        valkey.prepare()
        with postgres.creation() as initdb:
            supervisor.start(initdb, valkey.process())
        supervisor.start(postgres.process())
        database = held.enter_context(closing(Database(postgres.url())))
        migrate(database)
        yield Servers(
            supervisor=supervisor,
            ports=ports,
            directory=directory,
            database=database,
            database_url=postgres.url(),
            broker_url=valkey.url(),
        )
