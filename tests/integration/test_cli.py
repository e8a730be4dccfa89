"""The `registry` command on a real database."""

import json
from collections.abc import Iterator

import pytest

from registry.domain.parameters import Parameters
from tests.integration.commandline import name_database, run
from tests.integration.conftest import make_database
from workers.commands.frame import BAD_USE, FAILED


@pytest.fixture
def _new_database(postgres: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with make_database(postgres, "template0") as url:
        name_database(monkeypatch, url)
        yield


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
