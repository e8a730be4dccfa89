"""The `registry` command as tests run it: in this process, in an environment that names a test's own servers."""

import json
import re
from typing import Any

import pytest
from typer.testing import CliRunner

from registry.store.session import Database
from tests.integration.chain import ROOT, Chain
from workers.cli import app

PAGE = ROOT / "docs" / "commands.md"
_NAMES = re.compile(r"`registry ((?:[a-z][a-z-]* ?)+)")
_KEY = re.compile(r'"(\w+)"')
NOWHERE = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"


def run(*arguments: str) -> tuple[int, str, str]:
    """Run a command: exit status, stdout, stderr."""
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def told(*arguments: str) -> Any:
    """What a command that does well says as JSON, and it says nothing else."""
    status, out, err = run(*arguments, "--json")
    assert (status, err) == (0, ""), err
    value = json.loads(out)
    assert set(value) == documented(*arguments)
    return value


def documented(*arguments: str) -> set[str]:
    """The keys that the page of commands promises of a command's JSON."""
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `registry ")]
    keys = {tuple(_NAMES.findall(row[0])[0].split()): set(_KEY.findall(row[2])) for row in rows}
    return next(keys[arguments[:length]] for length in (2, 1) if arguments[:length] in keys)


def plain_url(database: Database) -> str:
    """The URL of a database as settings name it."""
    return database._url.replace("+psycopg2", "", 1)


def name_database(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Name a database, and servers that are nowhere."""
    monkeypatch.setenv("REGISTRY_DATABASE_URL", url)
    monkeypatch.setenv("REGISTRY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("REGISTRY_STACKS_URL", "http://127.0.0.1:1")
    for name, contract in (("REGISTRY", "policy-registry"), ("POOL", "liquidity-pool"), ("SBTC", "sbtc-token")):
        monkeypatch.setenv(f"REGISTRY_{name}_CONTRACT", f"{NOWHERE}.{contract}")


def name_chain(monkeypatch: pytest.MonkeyPatch, chain: Chain) -> None:
    """Name a chain and the contracts on it."""
    monkeypatch.setenv("REGISTRY_STACKS_URL", chain.url)
    for name in ("registry", "pool", "sbtc"):
        monkeypatch.setenv(f"REGISTRY_{name.upper()}_CONTRACT", getattr(chain.contracts, name))
