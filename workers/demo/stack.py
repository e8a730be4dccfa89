"""The whole stack on a devnet: started side by side where it can be, with contracts deployed and pools filled."""

import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from registry.domain.push import PushSource
from registry.stacks.http_node import HttpNode
from workers import local
from workers.demo.deployment import Cast, deploy
from workers.demo.devnet import Devnet
from workers.demo.wallets import Wallet
from workers.embedded.account import lasting_file, private_directory, private_file
from workers.embedded.ports import HeldPorts
from workers.embedded.process import Process
from workers.embedded.supervisor import Supervisor
from workers.local import CHECKOUT, Access, Foundations
from workers.queues import QUEUES, SIGNING, WEBHOOKS

PUSH_SECRETS, FRONT_SECRET, WEBHOOK_SECRET = "push-secrets", "front-secret", "webhook-secret"
SECRET_BYTES = 32
QUOTE_VALID_BLOCKS = 30
SOFT_SHUTDOWN_SECONDS = 2
LEASE_SECONDS = 4
"""What fails is tried again as soon as blocks come here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a stack lives: a block, Stacks' and Bitcoin's, so often, and the schedule's intervals by name."""

    block_seconds: int
    schedule_seconds: Mapping[str, float]


HURRIED = Pace(
    block_seconds=1,
    schedule_seconds=MappingProxyType(
        {"expiration_sweep": 1, "quote_expiry": 1, "follow": 1, "poll": 1, "heal": 2, "advance": 1}
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that runs: where everything is, and who takes part."""

    foundations: Foundations
    cast: Cast
    directory: Path
    api_port: int
    flower_port: int
    flower_password: str = field(repr=False)
    pace: Pace = HURRIED

    @property
    def api_url(self) -> str:
        """The front door."""
        return f"http://127.0.0.1:{self.api_port}"

    @property
    def flower_url(self) -> str:
        """The page that shows the workers."""
        return f"http://127.0.0.1:{self.flower_port}"

    @property
    def devnet_url(self) -> str:
        """The node, its API, the venues and the admin interface."""
        return self.foundations.devnet_url

    @property
    def venue_url(self) -> str:
        """Under it, each price venue by its name."""
        return f"{self.devnet_url}/venues"

    def environment(self) -> dict[str, str]:
        """Say what a service needs to know, as settings; keys are not among it."""
        return {
            **self.foundations.environment(),
            "REGISTRY_NETWORK": "testnet",
            "REGISTRY_REGISTRY_CONTRACT": self.cast.contract("policy-registry"),
            "REGISTRY_POOL_CONTRACT": self.cast.contract("liquidity-pool"),
            "REGISTRY_SBTC_CONTRACT": self.cast.contract("sbtc-token"),
            "REGISTRY_VENUE_URL": self.venue_url,
            "REGISTRY_PYTH_API_KEY": "devnet",
            "REGISTRY_SCHEDULE_SECONDS": json.dumps(dict(self.pace.schedule_seconds)),
            "REGISTRY_LEASE_SECONDS": str(LEASE_SECONDS),
            "REGISTRY_SOFT_SHUTDOWN_SECONDS": str(SOFT_SHUTDOWN_SECONDS),
        }

    def address_environment(self) -> dict[str, str]:
        """Say where the front door is, and which file has the secrets of whoever pushes to it."""
        return {
            "REGISTRY_API_PORT": str(self.api_port),
            "REGISTRY_PUSH_SECRET_FILE": str(self.directory / PUSH_SECRETS),
        }

    def door_environment(self) -> dict[str, str]:
        """Say what the front door alone is told: files of its secrets, and the test wallet that its page offers."""
        return {
            **self.address_environment(),
            "REGISTRY_FRONT_SECRET_FILE": str(self.directory / FRONT_SECRET),
            "REGISTRY_WALLET_SCRIPT_URL": f"{self.devnet_url}/devnet/wallet.js",
            **self.webhook_environment(),
        }

    def webhook_environment(self) -> dict[str, str]:
        """Say which file the secrets of webhooks are made from; here they may be sent to this very machine."""
        return {
            "REGISTRY_WEBHOOK_SECRET_FILE": str(self.directory / WEBHOOK_SECRET),
            "REGISTRY_WEBHOOK_PRIVATE_ADDRESSES": "true",
        }


def start(supervisor: Supervisor, ports: HeldPorts, *, owners: Sequence[Wallet], tell: Callable[[str], None]) -> Stack:
    """Start a new stack, to be thrown away: when this returns, blocks come by the clock and the schedule runs."""
    stack = plan(supervisor.directory, Access.new(ports.hold), cast=Cast(), pace=HURRIED)
    begin(supervisor, stack, owners=owners, tell=tell)
    return stack


def plan(directory: Path, access: Access, *, cast: Cast, pace: Pace, journal: Path | None = None) -> Stack:
    """Say what a stack consists of; with a journal its chain lasts."""
    return Stack(
        foundations=local.plan_foundations(directory, access, journal=journal),
        cast=cast,
        directory=directory,
        api_port=access.api_port,
        flower_port=access.flower_port,
        flower_password=access.flower_password,
        pace=pace,
    )


def begin(supervisor: Supervisor, stack: Stack, *, owners: Sequence[Wallet], tell: Callable[[str], None]) -> None:
    """Start everything, empty, telling each phase."""
    tell("servers and devnet start")
    local.start_empty(supervisor, stack.foundations)
    tell("contracts are deployed, the pool is filled")
    with closing(Devnet(stack.devnet_url)) as devnet, closing(HttpNode(stack.devnet_url)) as node:
        deploy(stack.cast, owners, devnet=devnet, node=node)
    # Tasks need the tables, so the clock comes after them.
    quotes = _command(
        *("parameters", "set", f"quote_valid_blocks={QUOTE_VALID_BLOCKS}"),
        *("--reason", f"a block comes every {stack.pace.block_seconds} s"),
        environment=stack.environment(),
    )
    serve(supervisor, stack, quotes, tell=tell)


def serve(supervisor: Supervisor, stack: Stack, *jobs: Process, tell: Callable[[str], None]) -> None:
    """Start blocks and every process of ours on foundations that stand; `jobs` are done once there are tables."""
    tell("workers, beat, front door and Flower start")
    with closing(Devnet(stack.devnet_url)) as devnet:
        period = stack.pace.block_seconds * 1000
        devnet.tick(block_ms=period, burn_block_ms=period)
    environment = stack.environment()
    push_secret = keep_secrets(stack)
    supervisor.start(
        _command("migrate", environment=environment),
        *_workers(supervisor.directory, stack),
        local.api(port=stack.api_port, environment={**environment, **stack.door_environment()}),
        local.flower(port=stack.flower_port, password=stack.flower_password, environment=environment),
    )
    supervisor.start(*jobs, local.beat(environment=environment))
    with closing(Devnet(stack.devnet_url)) as devnet:
        devnet.observe({"url": f"{stack.api_url}/events/node", "kind": "node", "secret": push_secret})


def _workers(directory: Path, stack: Stack) -> list[Process]:
    """One per queue; the keys' files are named to that of `signing` alone."""
    own = {SIGNING: _key_files(directory, stack.cast), WEBHOOKS: stack.webhook_environment()}
    return [local.worker(queue, environment={**stack.environment(), **own.get(queue, {})}) for queue in QUEUES]


def keep_secrets(stack: Stack) -> str:
    """Make the front door's secrets, if none are kept; answer the one with which the node pushes."""
    for name in (FRONT_SECRET, WEBHOOK_SECRET):
        path = stack.directory / name
        if not path.is_file():
            lasting_file(path, f"{secrets.token_hex(SECRET_BYTES)}\n")
    path = stack.directory / PUSH_SECRETS
    if not path.is_file():
        lasting_file(path, "".join(f"{source} {secrets.token_urlsafe(24)}\n" for source in PushSource))
    lines = (line.split() for line in path.read_text().splitlines())
    return next((words[-1] for words in lines if words[:1] == [PushSource.NODE.value]), "")


def _key_files(directory: Path, cast: Cast) -> dict[str, str]:
    place = private_directory(directory / "keys", None)
    keys = {"REGISTRY_BACKEND_KEY_FILE": cast.backend, "REGISTRY_QUOTE_KEY_FILE": cast.quote_signer}
    return {name: str(_key_file(place / wallet.name, wallet.key)) for name, wallet in keys.items()}


def _key_file(path: Path, key: str) -> Path:
    # one that is kept is never written again: whoever is killed meanwhile would have lost it
    is_written = path.is_file() and path.read_text() == key
    return path if is_written else private_file(path, key)


def _command(*arguments: str, environment: Mapping[str, str]) -> Process:
    """Describe a run of `registry` as a job."""
    return Process(
        name=f"registry-{arguments[0]}",
        argv=(sys.executable, "-m", "workers.cli", *arguments),
        environment={**local.inherited(), **environment},
        stop_order=local.STOP_CLOCKS,
        stop_seconds=1.0,
        cwd=CHECKOUT,
    )
