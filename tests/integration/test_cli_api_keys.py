"""The commands about keys of services."""

from datetime import UTC, datetime, timedelta

import pytest

from registry.domain.access import KeyEnded, Scope
from registry.services import api_keys
from registry.store.session import Database
from tests.integration.commandline import name_database, plain_url, run, told
from workers.commands.frame import BAD_USE


@pytest.fixture
def named(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database that the environment names."""
    name_database(monkeypatch, plain_url(database))
    return database


def now() -> datetime:
    return datetime.now(UTC)


def test_a_key_is_made_listed_and_taken_back(named: Database) -> None:
    assert told("api-keys", "list") == {"items": []}
    made = told("api-keys", "create", "operations", "--scope", "operator", "--scope", "read", "--days", "90")
    own = made["api_key"]
    known = api_keys.bearer(named, made["key"], now=now())
    assert known.scopes == {Scope.OPERATOR, Scope.READ}
    assert known.expires_at is not None
    assert timedelta(days=89) < known.expires_at - now() <= timedelta(days=90)
    assert told("api-keys", "list") == {"items": [own]}
    for _ in range(2):
        revoked = told("api-keys", "revoke", own["prefix"])
        assert revoked["revoked"] == own["prefix"]
    with pytest.raises(KeyEnded):
        api_keys.bearer(named, made["key"], now=now())
    (item,) = told("api-keys", "list")["items"]
    assert item == {**own, "revoked_at": revoked["at"]}


def test_stdout_holds_the_key_alone_and_the_list_never_does(named: Database) -> None:
    status, out, err = run("api-keys", "create", "reporting", "--scope", "pool")
    key = out.strip()
    assert (status, api_keys.bearer(named, key, now=now()).expires_at) == (0, None)
    assert "once" in err
    assert key not in err
    status, out, _ = run("api-keys", "list")
    assert (status, "reporting" in out, key.split("_")[1] in out, key.split("_")[2] in out) == (0, True, True, False)
    status, out, _ = run("api-keys", "revoke", key.split("_")[1])
    assert (status, "reporting" in out) == (0, True)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "reporting"),
        ("create", "reporting", "--scope", "everything"),
        ("create", "two\nlines", "--scope", "read"),
        ("create", "reporting", "--scope", "read", "--days", "0"),
        ("create", "reporting", "--scope", "read", "--days", "3651"),
        ("revoke", "0" * 12),
    ],
    ids=" ".join,
)
def test_what_was_asked_wrongly_changes_nothing(arguments: tuple[str, ...]) -> None:
    status, out, err = run("api-keys", *arguments)
    assert (status, out) == (BAD_USE, "")
    assert err
    assert told("api-keys", "list") == {"items": []}
