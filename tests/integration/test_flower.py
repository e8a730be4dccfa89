"""Flower: which tasks a policy went through, found by the policy's id, by nobody without the password."""

import secrets
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.stack import Holder, Stack, until
from workers.embedded.ports import HeldPorts
from workers.embedded.supervisor import Supervisor
from workers.local import FLOWER_USER, flower

SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Flower's API, as who has its password asks it."""

    url: str
    password: str

    def tasks(self, **chosen: str) -> dict[str, dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/tasks", params=chosen, auth=(FLOWER_USER, self.password), timeout=10)
        assert answer.status_code == 200, answer.text
        found: dict[str, dict[str, Any]] = answer.json()
        return found

    def names(self, search: str) -> set[str]:
        """The tasks whose arguments or result hold this."""
        return {task["name"] for task in self.tasks(search=search).values()}


@pytest.fixture(scope="module")
def page(stack: Stack, own_supervisor: Supervisor, ports: HeldPorts) -> Page:
    """Flower beside the workers; it shows what happens from its start on."""
    port, password = ports.hold(), secrets.token_urlsafe(18)
    own_supervisor.start(flower(port=port, password=password, environment=stack.environment))
    return Page(url=f"http://127.0.0.1:{port}", password=password)


def test_the_tasks_of_a_policy_are_found_by_its_id(page: Page, holder: Holder) -> None:
    policy_id, other = holder.buy(), holder.request()["policy"]["id"]
    holder.stack.chain.price("40000")
    holder.activate(policy_id)
    holder.stack.wait_for(policy_id, "Settled")
    expected = {
        "policies.record_attempt",
        "policies.prepare_creation",
        "policies.report_creation_tx",
        "policies.sync_status",
        "policies.advance",
        "policies.begin_settlement",  # under the id of the request that became it
        "transactions.sign_and_broadcast",
    }
    until(lambda: expected <= page.names(policy_id), seconds=SECONDS)
    found = page.tasks(search=policy_id)
    assert all(other not in task["args"] + task["kwargs"] for task in found.values())
    assert page.names(f"kwargs:policy_id={policy_id}") >= {"policies.sync_status", "policies.advance"}


def test_nobody_sees_tasks_without_the_password(page: Page) -> None:
    for given in (None, (FLOWER_USER, ""), (FLOWER_USER, "password"), ("other", page.password)):
        answer = requests.get(f"{page.url}/api/tasks", auth=given, timeout=10)
        assert answer.status_code == 401
        assert "policies." not in answer.text


def test_no_secret_is_shown(page: Page, holder: Holder) -> None:
    policy_id = holder.buy()
    until(lambda: "policies.sync_status" in page.names(policy_id), seconds=SECONDS)
    answer = requests.get(f"{page.url}/api/tasks", auth=(FLOWER_USER, page.password), timeout=10).text
    chain, environment = holder.stack.chain, holder.stack.environment
    urls = (environment["REGISTRY_DATABASE_URL"], environment["REGISTRY_BROKER_URL"])
    passwords = [urlsplit(url).password or "" for url in urls]
    for secret in (chain.backend_hex, chain.quote_hex, page.password, *passwords):
        assert len(secret) > 10
        assert secret not in answer
        assert secret.removesuffix("01") not in answer
