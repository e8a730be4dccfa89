"""The commands about policies, the pool, quarantine and failures, on policies that lived on a real chain."""

import json
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from registry.domain.units import Token
from registry.queries.policies import describe
from registry.store.session import unit_of_work
from registry.store.tables import PolicyEventRow, PolicyRow, QuoteRow
from tests.integration.commandline import name_chain, name_database, plain_url, run, told
from tests.integration.driver import Driver
from tests.integration.rows import OWNER, active, policy
from workers.commands.frame import BAD_USE, FAILED


@pytest.fixture
def operated(driver: Driver, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """A driver whose database and chain the environment names."""
    name_database(monkeypatch, plain_url(driver.database))
    name_chain(monkeypatch, driver.chain)
    return driver


def settled(driver: Driver) -> UUID:
    policy_id = driver.buy()
    driver.chain.price("44000")
    driver.activate(policy_id)
    driver.run(policy_id)
    return policy_id


def lost_quote(driver: Driver) -> UUID:
    """A purchase whose quote the database has lost."""
    answer = driver.quote()
    driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.mine()
    with unit_of_work(driver.database) as session:
        quote = col(QuoteRow.policy_id) == UUID(answer["policy"]["id"])
        session.execute(update(QuoteRow).where(quote).values(quote_id=uuid4().bytes))
    driver.chain.burn(6)
    driver.follow()
    with unit_of_work(driver.database) as session:
        query = select(col(PolicyRow.id)).where(col(PolicyRow.status_detailed) == "Quarantined")
        return session.execute(query).scalar_one()


def test_a_policy_is_shown_whole_with_every_edge_that_it_walked(operated: Driver) -> None:
    policy_id = settled(operated)
    row = operated.policy(policy_id)
    shown = told("policies", "show", str(policy_id))
    assert shown == told("policies", "show", str(row.policy_id_on_chain))
    assert shown["policy"] == describe(row)
    assert [(each["edge"], each["from"], each["to"]) for each in shown["timeline"]] == [
        ("a", None, "PendingCreation"),
        ("b", "PendingCreation", "Active"),
        ("c", "Active", "Settling"),
        ("d", "Settling", "Settled"),
    ]
    (transaction,) = shown["transactions"]
    (attempt,) = transaction["attempts"]
    assert attempt["tx_id"] == row.tx_id_status_update == shown["timeline"][-1]["tx_id"]
    assert attempt["fee_micro_stx"] == operated.chain.signer.fees.floor
    assert (transaction["purpose"], transaction["status"], transaction["refusal"]) == ("settle", "Succeeded", None)
    assert shown["settlement"]["amount_base_units"] == row.settlement_amount_base_units
    assert shown["collateral"]["state"] == "released"
    assert (shown["quote"]["prepared"], shown["quote"]["risk_tier"]) == (True, row.risk_tier)
    assert [each["state"] for each in shown["requests"]] == ["accepted"]


def test_people_read_the_timeline_in_columns_that_are_not_cut(operated: Driver) -> None:
    policy_id = settled(operated)
    status, out, err = run("policies", "show", str(policy_id))
    assert (status, err) == (0, "")
    lines = out.partition("timeline\n")[2].splitlines()
    assert [line.split()[1] for line in lines] == ["edge", "a", "b", "c", "d"]
    assert str(operated.policy(policy_id).tx_id_status_update) in lines[-1]
    assert "\x1b" not in out


def test_the_list_is_newest_first_and_its_pages_join_without_gap(operated: Driver) -> None:
    with unit_of_work(operated.database) as session:
        session.add_all([active(number) for number in range(1, 8)])
    everything = told("policies", "list")
    assert everything["next"] is None
    times = [each["created_at"] for each in everything["items"]]
    assert times == sorted(times, reverse=True)
    page = told("policies", "list", "--limit", "3")
    pages = [page["items"]]
    while page["next"] is not None:
        page = told("policies", "list", "--limit", "3", "--after", page["next"])
        pages.append(page["items"])
    assert [len(items) for items in pages] == [3, 3, 1]
    assert [each for items in pages for each in items] == everything["items"]


def test_the_list_is_of_one_owner_one_status_and_one_tier_where_they_are_named(operated: Driver) -> None:
    with unit_of_work(operated.database) as session:
        session.add_all([active(1), policy(), policy(owner_principal="another", risk_tier="Aggressive")])

    def chain_ids(*arguments: str) -> list[int | None]:
        return [each["policy_id_on_chain"] for each in told("policies", "list", *arguments)["items"]]

    assert chain_ids("--status", "Active") == [1]
    assert len(chain_ids("--owner", OWNER)) == 2
    assert chain_ids("--tier", "Aggressive") == [None]
    assert chain_ids("--owner", OWNER, "--tier", "Aggressive") == []
    status, out, _ = run("policies", "list", "--status", "Active")
    assert (status, len(out.splitlines())) == (0, 2)


def test_a_policy_that_is_not_there_and_a_mark_that_is_none_are_bad_use(operated: Driver) -> None:
    assert operated.database is not None
    for arguments in (
        ("show", str(uuid4())),
        ("show", "12"),
        ("show", "no-name"),
        ("list", "--after", "yesterday"),
        ("list", "--after", f"2026-01-01T00:00:00/{uuid4()}"),
    ):
        status, out, err = run("policies", *arguments, "--json")
        assert (status, out) == (BAD_USE, ""), arguments
        assert err.startswith("error: ")


def test_the_pool_is_shown_with_what_each_tier_has_free(operated: Driver) -> None:
    operated.buy()
    state = told("pool", "show")
    stx = state["tokens"]["STX"]
    assert set(state["tokens"]) == {token.value for token in Token}
    assert stx["locked_base_units"] == stx["tiers"]["Balanced"]["locked_base_units"] > 0
    assert stx["free_base_units"] == stx["assets_base_units"] - stx["locked_base_units"]
    status, out, err = run("pool", "show")
    assert (status, err) == (0, "")
    assert {"Conservative", "Balanced", "Aggressive", "utilisation"} <= set(out.split())


def test_a_release_from_quarantine_is_an_edge_with_its_reason_and_who_ordered_it(operated: Driver) -> None:
    policy_id = lost_quote(operated)
    (waiting,) = told("quarantine", "list")["items"]
    assert waiting["id"] == str(policy_id)
    on_chain = str(waiting["policy_id_on_chain"])
    assert on_chain in run("quarantine", "list")[1]
    order = ("quarantine", "release", on_chain, "--tier", "Balanced", "--reason", "sold by hand", "--by", "alice")
    assert told(*order) == {"released": str(policy_id), "tier": "Balanced"}
    assert operated.edges(policy_id) == "no"
    assert operated.policy(policy_id).risk_tier == "Balanced"
    last = told("policies", "show", on_chain)["timeline"][-1]
    assert (last["actor"], last["detail"]["reason"]) == ("operator alice", "sold by hand")
    assert told("quarantine", "list") == {"items": []}
    assert run("quarantine", "list")[1] == "nothing is in quarantine\n"
    status, _, err = run(*order)
    assert (status, "not Quarantined" in err) == (FAILED, True)


def test_a_failed_settlement_is_listed_and_tried_again_on_an_order_with_a_reason(operated: Driver) -> None:
    policy_id = operated.buy()
    chain = operated.chain
    chain.price("44000")
    operated.activate(policy_id)
    chain.call(chain.deployer, chain.contracts.registry, "set-backend-principal", chain.principal_value())
    chain.mine()
    operated.run(policy_id)
    (waiting,) = told("failures", "list")["items"]
    assert (waiting["id"], waiting["status_detailed"], waiting["code"]) == (str(policy_id), "FailedSettlement", 200)
    assert "FailedSettlement" in run("failures", "list")[1]
    answer = told("failures", "retry", str(policy_id), "--reason", "it is set again")
    assert answer == {"retried": str(policy_id), "failed": "FailedSettlement"}
    assert operated.edges(policy_id) == "abcfh"
    with unit_of_work(operated.database) as session:
        last = session.execute(select(PolicyEventRow).order_by(col(PolicyEventRow.id).desc()).limit(1)).scalar_one()
    assert last.detail == {"reason": "it is set again"}
    assert last.actor.startswith("operator ")
    status, _, err = run("failures", "retry", str(policy_id), "--reason", "again")
    assert (status, "nothing to try again" in err) == (FAILED, True)
    assert json.loads(run("failures", "list", "--json")[1]) == {"items": []}
