"""What a node and a hook post of a block, and a front door to post it to, in this very process."""

import json
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from api.body import Bounds
from registry.domain.push import PushSource
from registry.stacks.node import Block
from registry.store.session import Database
from tests.integration.doors import open_door
from workers.embedded.account import private_file

ANSWER_SECONDS = 20.0


def new_block(block: Block, **changes: object) -> dict[str, Any]:
    """What a node posts to /new_block, in short."""
    return {
        "block_hash": f"0x{block.block_hash}",
        "block_height": block.height,
        "index_block_hash": f"0x{block.index_block_hash}",
        "parent_index_block_hash": f"0x{block.parent_index_block_hash}",
        "burn_block_height": block.burn_height,
        "burn_block_hash": f"0x{'0' * 64}",
        "transactions": [],
        "events": [],
        "matured_miner_rewards": [{"coinbase_amount": str(2**127)}],
        **changes,
    }


def hooked(block: Block) -> dict[str, Any]:
    """One block of a hook's list, v1 or v2."""
    return {
        "block_identifier": {"index": block.height, "hash": f"0x{block.index_block_hash}"},
        "parent_block_identifier": {"index": block.height - 1, "hash": f"0x{block.parent_index_block_hash}"},
        "timestamp": 1_700_000_000,
        "transactions": [],
        "metadata": {},
    }


def hook_v1(*, gone: tuple[Block, ...] = (), come: tuple[Block, ...] = ()) -> dict[str, Any]:
    """What a hook of one's own posts."""
    lists = {"rollback": [hooked(block) for block in gone], "apply": [hooked(block) for block in come]}
    return {**lists, "events": [], "chainhook": {"uuid": "one", "predicate": {}, "is_streaming_blocks": False}}


def hook_v2(*, gone: tuple[Block, ...] = (), come: tuple[Block, ...] = ()) -> dict[str, Any]:
    """What a hook of Hiro's posts."""
    lists = {"rollback": [hooked(block) for block in gone], "apply": [hooked(block) for block in come]}
    return {"event": {**lists, "chain": "stacks", "network": "testnet"}, "chainhook": {"name": "ours", "uuid": "two"}}


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who posts to a front door, with the secrets of both sources."""

    port: int
    secrets: Mapping[PushSource, str] = field(repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bearer(self, source: PushSource) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secrets[source]}"}

    def ask(self, method: str, path: str, *, headers: Mapping[str, str], data: Any = None) -> requests.Response:
        """Send one request, past any proxy."""
        with requests.Session() as session:
            session.trust_env = False
            return session.request(method, self.url + path, headers=dict(headers), data=data, timeout=ANSWER_SECONDS)

    def post(self, path: str, body: object, **headers: str) -> requests.Response:
        """Post JSON with the secret of the path's source; bytes go as they are."""
        source = PushSource(path.split("/")[2])
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **self.bearer(source), **headers}
        return self.ask("POST", path, headers=told, data=data)

    def raw(self, *sent: bytes) -> bytes:
        """Send bytes as they are; whatever is answered until the other side closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=ANSWER_SECONDS) as connection:
            for part in sent:
                connection.sendall(part)
            heard = b""
            while part := connection.recv(65_536):
                heard += part
            return heard

    def head(self, path: str, **headers: str) -> bytes:
        """The head of a post, for `raw`."""
        told = {"Host": "any", "Content-Type": "application/json", **self.bearer(PushSource(path.split("/")[2]))}
        lines = [f"{name}: {value}" for name, value in {**told, **headers}.items()]
        return "\r\n".join([f"POST {path} HTTP/1.1", *lines, "", ""]).encode()


def new_secrets(place: Path) -> tuple[Path, dict[PushSource, str]]:
    """Make a file of push secrets."""
    made = {source: secrets.token_urlsafe(24) for source in PushSource}
    return private_file(place, "".join(f"{source} {secret}\n" for source, secret in made.items())), made


@contextmanager
def front_door(database: Database, broker_url: str, *, place: Path, bounds: Bounds) -> Iterator[Caller]:
    """Open a front door for pushes."""
    path, made = new_secrets(place / "push-secrets")
    with open_door(database, broker_url, bounds=bounds, push_secret_file=path) as url:
        yield Caller(port=urlsplit(url).port or 0, secrets=made)
