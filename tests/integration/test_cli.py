"""The `registry` command on a real database."""

import json
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from registry.domain.parameters import Parameters
from tests.integration.conftest import make_database
from workers.cli import BAD_USE, FAILED, app

NOWHERE = "ST2N8G52TMQ3TW37WX5MSP0J3348H9AAYG4H53AFB"


@pytest.fixture
def _new_database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("REGISTRY_BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("REGISTRY_STACKS_URL", "http://127.0.0.1:1")
    for name, contract in (("REGISTRY", "policy-registry"), ("POOL", "liquidity-pool"), ("SBTC", "sbtc-token")):
        monkeypatch.setenv(f"REGISTRY_{name}_CONTRACT", f"{NOWHERE}.{contract}")
    with make_database(postgres, "template0") as url:
        monkeypatch.setenv("REGISTRY_DATABASE_URL", url)
        yield


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.usefixtures("_new_database")
def test_a_new_database_is_migrated_once_and_takes_new_parameters() -> None:
    status, _, err = run("parameters", "show")
    assert (status, err.startswith("error: the database is not usable")) == (FAILED, True)
    for _ in range(2):
        assert run("migrate", "--json") == (0, '{"migrated": true}\n', "")
    _, out, _ = run("parameters", "show", "--json")
    assert json.loads(out) == {"version": 1, "parameters": Parameters().to_json()}
    status, out, _ = run("parameters", "set", "quote_valid_blocks=30", "--reason", "a test", "--json")
    changed = {"version": 2, "parameters": {**Parameters().to_json(), "quote_valid_blocks": 30}}
    assert (status, json.loads(out)) == (0, changed)
    status, out, err = run("parameters", "set", "quote_valid_blocks=0", "--reason", "a test")
    assert (status, out) == (BAD_USE, "")
    assert "quote_valid_blocks" in err
    _, out, _ = run("parameters", "show", "--json")
    assert json.loads(out) == changed
