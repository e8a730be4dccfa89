"""The commands about the keys that we send with."""

import pytest

from tests.integration.commandline import name_chain, name_database, plain_url, run, told
from tests.integration.driver import Driver
from tests.integration.sender import Sender, pinned
from workers.commands.frame import BAD_USE, FAILED


@pytest.fixture
def sender(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Sender:
    """A signer whose database and chain the environment names."""
    name_database(monkeypatch, plain_url(driver.database))
    name_chain(monkeypatch, driver.chain)
    return Sender(driver=driver)


def test_a_signer_is_listed_paused_and_resumed_and_says_why(sender: Sender) -> None:
    assert told("signers", "list") == {"items": []}
    (policy_id,) = pinned(sender.driver)
    sender.sent(policy_id)
    expected = {
        "signer": sender.principal,
        "next_nonce": 1,
        "under_way": 1,
        "window": 20,
        "paused_at": None,
        "pause_reason": None,
        "resumed_at": None,
        "resume_reason": None,
        "funds_needed_micro_stx": None,
        "balance_micro_stx": sender.driver.chain.node.account(sender.principal).balance,
    }
    assert told("signers", "list") == {"items": [expected]}
    paused = told("signers", "pause", sender.principal, "--reason", "a leak", "--by", "alice")
    assert paused == {"paused": sender.principal, "reason": "a leak"}
    (item,) = told("signers", "list")["items"]
    assert (item["pause_reason"], item["paused_at"] is not None) == ("operator alice: a leak", True)
    status, _, err = run("signers", "pause", sender.principal, "--reason", "again")
    assert (status, "operator alice: a leak" in err) == (FAILED, True)
    resumed = told("signers", "resume", sender.principal, "--reason", "it was none")
    assert resumed == {"resumed": sender.principal, "paused_for": "operator alice: a leak"}
    (item,) = told("signers", "list")["items"]
    assert (item["paused_at"], item["pause_reason"]) == (None, None)
    assert item["resume_reason"].endswith(": it was none")
    assert run("signers", "resume", sender.principal, "--reason", "again")[0] == FAILED
    assert run("signers", "pause", "nobody", "--reason", "a test")[0] == BAD_USE
    status, out, err = run("signers", "list")
    assert (status, err) == (0, "")
    assert f"{sender.principal}" in out
    assert "1 of 20" in out


def test_an_order_about_a_signer_needs_a_reason(sender: Sender) -> None:
    for order in ("pause", "resume"):
        assert run("signers", order, sender.principal)[0] == BAD_USE


def test_a_node_that_is_down_hides_the_money_and_nothing_else(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    (policy_id,) = pinned(sender.driver)
    sender.sent(policy_id)
    monkeypatch.setenv("REGISTRY_STACKS_URL", "http://127.0.0.1:1")
    status, out, err = run("signers", "list")
    assert (status, sender.principal in out, "balance" in err) == (0, True, True)
