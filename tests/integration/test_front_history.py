"""All that happened to one policy, over HTTP: every edge, request, attempt and block, in one list by time."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from pydantic import TypeAdapter

from registry.store.session import unit_of_work
from registry.store.tables import PolicyEventRow
from registry_client.answers import Policy
from registry_client.history_answers import History
from registry_client.shapes import WIDE_NAMES
from registry_client.wide import narrowed
from tests.integration import rows
from tests.integration.asking import OTHER, OWNER, Asking, add, asking, policy
from tests.integration.driver import Driver
from tests.integration.test_api import refused
from tests.integration.walks import appoint, backend, settling, stranger

STEPS = (
    "a block:policy-created block:policy-purchased b requested decided:accepted pinned c"
    " signed:settle accepted block:policy-status-updated block:policy-settled d"
)


@pytest.fixture
def front(driver: Driver, valkey: str) -> Iterator[Asking]:
    contracts = driver.chain.contracts
    settings = {
        "registry_contract": contracts.registry,
        "pool_contract": contracts.pool,
        "sbtc_contract": contracts.sbtc,
    }
    with asking(driver.database, f"{valkey.removesuffix('/0')}/9", **settings) as own:
        yield own


def kinds(told: dict[str, Any]) -> str:
    """The list in short: edges by their letters, all else by its kind and what it says."""
    return " ".join(
        each["edge"] or f"{each['kind']}:{each['cause'] or each['detail'].get('purpose', '')}".rstrip(":")
        for each in told["timeline"]
    )


def test_a_payout_is_told_step_by_step_in_the_order_in_which_it_came(front: Asking, driver: Driver) -> None:
    policy_id = settling(driver)
    signed = driver.run(policy_id)
    told = front.found(f"/v1/policies/{policy_id}/timeline", "reader")
    assert kinds(told) == STEPS
    times = [datetime.fromisoformat(each["at"]) for each in told["timeline"]]
    assert times == sorted(times)
    assert told["transactions"][0]["id"] == str(signed)
    attempt = next(each for each in told["timeline"] if each["kind"] == "signed")
    paid = next(each for each in told["timeline"] if each["edge"] == "d")
    assert attempt["tx_id"] == paid["tx_id"] == told["policy"]["tx_id_status_update"]
    purchase = next(each for each in told["timeline"] if each["cause"] == "policy-purchased")
    assert (purchase["height"], purchase["detail"]["is_canonical"]) == (told["policy"]["creation_height"], True)
    assert told["policy"] == {
        name: value for name, value in front.found(f"/v1/policies/{policy_id}", "reader").items() if name != "chain"
    }
    TypeAdapter(History).validate_python(narrowed(told, WIDE_NAMES), strict=True)


def test_a_fork_and_a_refusal_by_the_contract_are_told_with_their_reasons(front: Asking, driver: Driver) -> None:
    policy_id = settling(driver)
    appoint(driver, stranger(driver))
    driver.run(policy_id)
    told = front.found(f"/v1/policies/{policy_id}/timeline", "reader")
    failed = told["timeline"][-1]
    assert (failed["edge"], failed["cause"]) == ("f", "refused by the contract")
    assert failed["detail"]["code"] is not None
    driver.chain.reorganise(5, transactions="drop")
    driver.chain.burn()
    driver.follow()
    told = front.found(f"/v1/policies/{policy_id}/timeline", "reader")
    assert (told["timeline"][-1]["edge"], told["timeline"][-1]["cause"]) == ("p", "orphaned")
    lost = [each for each in told["timeline"] if each["cause"] == "policy-purchased"]
    assert [each["detail"]["is_canonical"] for each in lost] == [False]
    appoint(driver, backend(driver))


def test_who_of_the_operators_decided_and_why_is_for_operators_alone(front: Asking, driver: Driver) -> None:
    made = policy(900)
    add(driver.database, made)
    with unit_of_work(driver.database) as session:
        session.add(rows.event(made.id))
        session.add(
            PolicyEventRow(
                policy_id=made.id,
                edge="h",
                from_status="FailedSettlement",
                to_status="Settling",
                cause="tried again by an operator",
                actor="yolanda",
                detail={"reason": "she knows them"},
            )
        )
    for who, seen in (("owner", False), ("reader", False), ("operator", True)):
        told = front.found("/v1/policies/900/timeline", who)
        step = told["timeline"][-1]
        assert step["cause"] == "tried again by an operator"
        assert (step["actor"], step["detail"]) == (
            ("yolanda", {"reason": "she knows them"}) if seen else ("operator", {})
        )
        assert ("she knows them" in str(told), "yolanda" in str(told)) == (seen, seen)


def test_a_timeline_is_its_owners_alone(front: Asking, driver: Driver) -> None:
    add(driver.database, policy(901, owner_principal=OTHER))
    for number in (901, 902):
        told = refused(front.get(f"/v1/policies/{number}/timeline", "owner"), 404, "policy_not_found")
        assert told["detail"].startswith(f"{OWNER} has no policy {number};")
    refused(front.get("/v1/policies/901/timeline", "seller"), 403, "forbidden")
    refused(front.get("/v1/policies/901/timeline"), 401, "unauthorized")
    refused(front.get("/v1/policies/901/timeline", "other", all="yes"), 400, "bad_request")
    assert front.get("/v1/policies/901/timeline", "other").status_code == 200


def test_what_is_answered_of_one_policy_has_the_shape_that_is_promised(front: Asking, driver: Driver) -> None:
    policy_id = driver.buy()
    height = driver.height.tip
    for query in ({}, {"as_of_height": height}, {"as_of_height": height - 1}):
        answer = front.get(f"/v1/policies/{policy_id}", "reader", **query)
        if answer.status_code == 404:
            assert query == {"as_of_height": height - 1}
            continue
        TypeAdapter(Policy).validate_python(narrowed(answer.json(), WIDE_NAMES), strict=True)
