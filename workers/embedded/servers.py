"""The two servers of the embedded stack, PostgreSQL and Valkey: what each is given, as processes."""

import contextlib
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from workers.embedded import procfs
from workers.embedded.account import Account, private_directory, private_file
from workers.embedded.process import Process
from workers.embedded.readiness import PostgresAnswers, ValkeyAnswers

SUPERUSER = "postgres"
SERVERS_STOP_LAST = 90

# Servers inherit nothing: what our own environment holds is none of their business.
ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": "/usr/bin:/bin"}


class Durability(StrEnum):
    """Whether what a server has acknowledged outlives the machine's sudden end."""

    DURABLE = "durable"
    DISPOSABLE = "disposable"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresServer:
    """A PostgreSQL cluster of one password, on TCP alone; `place` is the directory that holds its own."""

    binary: Path
    place: Path
    port: int
    password: str = field(repr=False)
    account: Account | None
    durability: Durability = Durability.DURABLE

    @property
    def data(self) -> Path:
        """The cluster's directory."""
        return self.place / "postgres"

    def url(self, database: str = "postgres") -> str:
        """Where the superuser connects to a database."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    @property
    def is_there(self) -> bool:
        """Whether a cluster was made here."""
        return (self.data / "PG_VERSION").is_file()

    def unlock(self) -> None:
        """Take away the lock that a killed server has left, unless somebody works here still.

        A server would take whoever bears the number in it by now for another server, and refuse to start.
        """
        if not procfs.works_in(self.data.resolve()):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    @contextlib.contextmanager
    def creation(self) -> Iterator[Process]:
        """Clear the way for a new cluster and give the job that makes it; its password file lasts as long."""
        shutil.rmtree(self.data, ignore_errors=True)
        private_directory(self.data, self.account)
        password_file = private_file(self.place / "postgres-password.part", self.password, self.account)
        try:
            yield self._initdb(password_file)
        finally:
            password_file.unlink(missing_ok=True)

    def _initdb(self, password_file: Path) -> Process:
        return Process(
            name="initdb",
            argv=(
                str(self.binary.with_name("initdb")),
                f"--pgdata={self.data}",
                f"--username={SUPERUSER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                *(["--no-sync"] if self.durability is Durability.DISPOSABLE else []),
            ),
            environment=ENVIRONMENT,
            account=self.account,
            stop_order=SERVERS_STOP_LAST,
            stop_signal=signal.SIGTERM,
            cwd=self.data,
        )

    def process(self) -> Process:
        """Describe the server itself."""
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "dynamic_shared_memory_type": "mmap",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "jit": "off",
        }
        if self.durability is Durability.DISPOSABLE:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        return Process(
            name="postgres",
            argv=(
                str(self.binary),
                *("-D", str(self.data), "-p", str(self.port)),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ),
            environment=ENVIRONMENT,
            account=self.account,
            ready=PostgresAnswers(url=self.url()),
            stop_order=SERVERS_STOP_LAST,
            # Its fast shutdown: SIGTERM would wait for every client to leave.
            stop_signal=signal.SIGINT,
            cwd=self.data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ValkeyServer:
    """A Valkey server that evicts nothing; `place` is the directory that holds its own."""

    binary: Path
    place: Path
    port: int
    password: str = field(repr=False)
    account: Account | None
    durability: Durability = Durability.DURABLE

    @property
    def data(self) -> Path:
        """Its directory."""
        return self.place / "valkey"

    def url(self, database: int = 0) -> str:
        """Where its user connects to a database."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def prepare(self) -> None:
        """Empty its directory and write its configuration."""
        shutil.rmtree(self.data, ignore_errors=True)
        self.configure()

    def configure(self) -> None:
        """Write its configuration and leave its data alone.

        The password stands in a file and never in argv, which everyone can read.
        """
        lines = (
            "bind 127.0.0.1",
            f"port {self.port}",
            "protected-mode yes",
            f"requirepass {self.password}",
            f'dir "{self.data}"',
            # An evicted key could be a queue's binding, and its messages would go nowhere.
            "maxmemory-policy noeviction",
            f"appendonly {'yes' if self.durability is Durability.DURABLE else 'no'}",
            "appendfsync everysec",
            'save ""',
            "daemonize no",
            'logfile ""',
        )
        private_directory(self.data, self.account)
        private_file(self.data / "valkey.conf", "\n".join(lines) + "\n", self.account)

    def process(self) -> Process:
        """Describe the server itself."""
        return Process(
            name="valkey",
            argv=(str(self.binary), str(self.data / "valkey.conf")),
            environment=ENVIRONMENT,
            account=self.account,
            ready=ValkeyAnswers(url=self.url()),
            stop_order=SERVERS_STOP_LAST,
            cwd=self.data,
        )
