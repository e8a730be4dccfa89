"""The whole stack on a devnet: started side by side where it can be, with contracts deployed and pools filled."""

import json
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from registry.stacks.http_node import HttpNode
from workers import local
from workers.demo.deployment import Cast, deploy
from workers.demo.devnet import Devnet
from workers.demo.wallets import Wallet
from workers.embedded.account import private_directory, private_file
from workers.embedded.ports import HeldPorts
from workers.embedded.process import Process
from workers.embedded.supervisor import Supervisor
from workers.local import CHECKOUT, Foundations
from workers.queues import QUEUES, SIGNING

BLOCK_MS = 1000
SCHEDULE_SECONDS: Mapping[str, float] = MappingProxyType(
    {"expiration_sweep": 1, "quote_expiry": 1, "follow": 1, "poll": 1, "advance": 1}
)
QUOTE_VALID_BLOCKS = 30
SOFT_SHUTDOWN_SECONDS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A stack that runs: where everything is, and who takes part."""

    foundations: Foundations
    cast: Cast
    flower_port: int
    flower_password: str = field(repr=False)

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
            "REGISTRY_SCHEDULE_SECONDS": json.dumps(dict(SCHEDULE_SECONDS)),
            "REGISTRY_SOFT_SHUTDOWN_SECONDS": str(SOFT_SHUTDOWN_SECONDS),
        }


def start(supervisor: Supervisor, ports: HeldPorts, *, owners: Sequence[Wallet], tell: Callable[[str], None]) -> Stack:
    """Start everything, telling each phase; when this returns, blocks come by the clock and the schedule runs."""
    tell("servers and devnet start")
    foundations = local.start_foundations(supervisor, ports)
    stack = Stack(
        foundations=foundations,
        cast=Cast(),
        flower_port=ports.hold(),
        flower_password=secrets.token_urlsafe(18),
    )
    tell("contracts are deployed, the pool is filled")
    devnet, node = Devnet(stack.devnet_url), HttpNode(stack.devnet_url)
    deploy(stack.cast, owners, devnet=devnet, node=node)
    devnet.tick(block_ms=BLOCK_MS, burn_block_ms=BLOCK_MS)
    tell("workers, beat and Flower start")
    environment = stack.environment()
    supervisor.start(
        _command("migrate", environment=environment),
        *_workers(supervisor.directory, stack),
        local.flower(port=stack.flower_port, password=stack.flower_password, environment=environment),
    )
    # Tasks need the tables, so the clock comes after them.
    supervisor.start(
        _command(
            *("parameters", "set", f"quote_valid_blocks={QUOTE_VALID_BLOCKS}"),
            *("--reason", "a block comes every second"),
            environment=environment,
        ),
        local.beat(environment=environment),
    )
    node.close()
    devnet.close()
    return stack


def _workers(directory: Path, stack: Stack) -> list[Process]:
    """One per queue; the keys' files are named to that of `signing` alone."""
    keys = _key_files(directory, stack.cast)
    return [
        local.worker(queue, environment={**stack.environment(), **(keys if queue == SIGNING else {})})
        for queue in QUEUES
    ]


def _key_files(directory: Path, cast: Cast) -> dict[str, str]:
    place = private_directory(directory / "keys", None)
    keys = {"REGISTRY_BACKEND_KEY_FILE": cast.backend, "REGISTRY_QUOTE_KEY_FILE": cast.quote_signer}
    return {name: str(private_file(place / wallet.name, wallet.key)) for name, wallet in keys.items()}


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
