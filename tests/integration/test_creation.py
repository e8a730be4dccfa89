"""From a request to an Active policy."""

from uuid import UUID

from registry.domain.policy import StepKind
from tests.integration.driver import Driver


def test_a_purchase_makes_the_policy_active_once_it_is_confirmed(driver: Driver) -> None:
    answer = driver.quote()
    policy_id = UUID(answer["policy"]["id"])
    assert answer["policy"]["status_detailed"] == "PendingCreation"
    tx_id = driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.mine()
    assert driver.has_succeeded(tx_id)
    assert driver.follow() == []
    driver.chain.burn(1)
    assert driver.follow() == []
    driver.chain.burn(1)
    assert driver.follow() == ["b"]
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain, row.policy_id_on_chain) == ("Active", 0, 1)
    assert row.tx_id_creation == tx_id
    assert row.premium_amount_base_units == answer["quote"]["premium_amount_base_units"]
    assert driver.edges(policy_id) == "ab"


def test_a_policy_lives_from_quote_to_payout(driver: Driver) -> None:
    policy_id = driver.buy()
    driver.chain.price("40000")
    answer = driver.activate(policy_id)
    assert answer["policy"]["status_detailed"] == "Settling"
    assert driver.next(policy_id) is StepKind.SIGN_AND_BROADCAST
    driver.run(policy_id)
    row = driver.policy(policy_id)
    assert (row.status_detailed, row.status_on_chain) == ("Settled", 1)
    assert row.settlement_amount_base_units == answer["activation"]["settlement_amount_base_units"]
    assert driver.edges(policy_id) == "abcd"
