"""`registry webhooks`: an operator sees what never arrived, and has it sent again."""

from collections.abc import Iterator
from datetime import timedelta
from uuid import uuid4

import pytest

from registry.domain.policy import PolicyStatus
from registry.domain.webhook import Kind
from registry.services import webhook_endpoints
from registry.services.webhook_endpoints import Change
from registry.store.session import Database
from tests.integration.commandline import name_database, plain_url, run, told
from tests.integration.receiving import Hooks, Receiver, receiving
from workers.commands.frame import BAD_USE, FAILED

HOUR = timedelta(hours=1)


@pytest.fixture
def hooks(database: Database, monkeypatch: pytest.MonkeyPatch) -> Hooks:
    name_database(monkeypatch, plain_url(database))
    return Hooks(database=database)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as own:
        yield own


def test_what_is_dead_is_listed_and_sent_again(hooks: Hooks, receiver: Receiver) -> None:
    assert run("webhooks", "dead") == (0, "nothing is dead\n", "")
    endpoint = hooks.endpoint(receiver)
    hooks.events(PolicyStatus.PENDING_CREATION, PolicyStatus.ACTIVE, PolicyStatus.SETTLING)
    receiver.always(410)
    hooks.send()
    items = told("webhooks", "dead")["items"]
    assert {each["kind"] for each in items} == {Kind.PENDING_CREATION, Kind.ACTIVE, Kind.SETTLING}
    _, out, _ = run("webhooks", "dead", "--limit", "1")
    assert "its receiver says that it is gone (HTTP 410)" in out
    status, _, err = run("webhooks", "resend", str(endpoint))
    assert (status, "is disabled" in err) == (FAILED, True)
    receiver.always(204)
    assert hooks.key_id is not None
    webhook_endpoints.change(hooks.database, endpoint, Change(enabled=True), key_id=hooks.key_id, now=hooks.now)
    assert told("webhooks", "resend", items[0]["id"]) == {"resent": 1}
    assert run("webhooks", "resend", str(endpoint)) == (0, "2 on the way again\n", "")
    hooks.deliver(after=HOUR)
    assert sorted(receiver.ids[1:]) == sorted(each["message_id"] for each in items)


def test_an_id_of_nothing_sends_nothing_and_no_id_is_bad_use(hooks: Hooks) -> None:
    assert hooks.messages() == []
    assert told("webhooks", "resend", str(uuid4())) == {"resent": 0}
    status, out, err = run("webhooks", "resend", "nonsense")
    assert (status, out) == (BAD_USE, "")
    assert "ID is not usable" in err
