"""Every ordered field of a policy, at each stage of its life: who writes it, and what is null until then."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from registry.domain.units import SECONDS_PER_BLOCK, Token
from registry.queries.policies import get_by_id
from tests.integration.driver import Driver

ORDERED = (
    "policy_id_on_chain",
    "owner_principal",
    "counterparty_principal",
    "protected_value_price_feed_units",
    "protected_amount_sats",
    "expiration_height",
    "policy_type",
    "status_on_chain",
    "status_detailed",
    "creation_height",
    "creation_timestamp",
    "expiration_timestamp_estimate",
    "premium_amount_base_units",
    "premium_token",
    "premium_fee_amount_base_units",
    "settlement_amount_base_units",
    "settlement_token",
    "settlement_timestamp",
    "tx_id_creation",
    "tx_id_status_update",
    "last_checked_block_height_expiry",
    "risk_tier",
    "oracle_data_snapshot_creation",
    "oracle_data_snapshot_settlement",
)
WEEK = 7


def fields(driver: Driver, policy_id: UUID) -> dict[str, Any]:
    """A policy's ordered fields as a caller is shown them."""
    shown = get_by_id(driver.database, {"policy_id": str(policy_id)})
    assert shown is not None
    return {name: shown[name] for name in ORDERED}


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    return {name: after[name] for name in ORDERED if after[name] != before[name]}


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def bought(driver: Driver, answer: Mapping[str, Any]) -> str:
    """The wallet's transaction, confirmed and final."""
    tx_id = driver.chain.buy(driver.wallet, answer["wallet_payload"])
    driver.chain.mine()
    driver.chain.burn(driver.depths.final)
    driver.follow()
    return tx_id


def block_of(driver: Driver, tx_id: Any) -> Any:
    """The block of a transaction, as the node shows it."""
    seen = driver.chain.node.transaction(tx_id)
    assert seen is not None
    assert seen.block is not None
    return driver.chain.node.block(seen.block.height)


def test_a_recorded_policy_holds_what_was_asked_for_and_nothing_of_the_chain(driver: Driver) -> None:
    height = driver.chain.node.tip().burn_height
    answer = driver.quote(duration_days=WEEK)
    held = fields(driver, UUID(answer["policy"]["id"]))
    snapshot = held.pop("oracle_data_snapshot_creation")
    assert held == {
        **dict.fromkeys(ORDERED[:-2]),
        "owner_principal": driver.owner,
        "counterparty_principal": driver.chain.contracts.pool,
        "protected_value_price_feed_units": 45_000 * 10**8,
        "protected_amount_sats": 10_000_000,
        "expiration_height": height + WEEK * 144,
        "policy_type": "PUT",
        "status_detailed": "PendingCreation",
        "risk_tier": "Balanced",
        "oracle_data_snapshot_settlement": None,
    }
    assert float(snapshot["volatility"]) > 0
    assert [each["pair"] for each in snapshot["prices"]] == ["BTC/USD", "STX/USD"]
    assert len(snapshot["prices"][0]["sources"]) == 5


def test_a_confirmed_purchase_writes_what_the_chain_knows_of_the_policy(driver: Driver) -> None:
    answer = driver.quote(duration_days=WEEK)
    policy_id = UUID(answer["policy"]["id"])
    before, tx_id = fields(driver, policy_id), bought(driver, answer)
    written, block = changed(before, fields(driver, policy_id)), block_of(driver, tx_id)
    left = (before["expiration_height"] - block.burn_height) * SECONDS_PER_BLOCK
    assert at(written.pop("creation_timestamp")) == block.time
    assert (at(written.pop("expiration_timestamp_estimate")) - block.time).total_seconds() == left
    assert written == {
        "policy_id_on_chain": 1,
        "status_on_chain": 0,
        "status_detailed": "Active",
        "creation_height": block.burn_height,
        "premium_amount_base_units": answer["quote"]["premium_amount_base_units"],
        "premium_token": "STX",
        "premium_fee_amount_base_units": answer["quote"]["premium_fee_amount_base_units"],
        "tx_id_creation": tx_id,
    }


@pytest.mark.parametrize(("token", "payout"), [(Token.STX, 250 * 10**6), (Token.SBTC, 1_250_000)])
def test_a_confirmed_payout_writes_what_was_paid_and_by_which_prices(driver: Driver, token: Token, payout: int) -> None:
    policy_id = driver.buy(premium_token=token.value)
    active = fields(driver, policy_id)
    driver.chain.price("40000")
    driver.activate(policy_id)
    pinned = changed(active, fields(driver, policy_id))
    snapshot = pinned.pop("oracle_data_snapshot_settlement")
    assert pinned == {"status_detailed": "Settling"}
    settling = fields(driver, policy_id)
    driver.run(policy_id)
    written = changed(settling, fields(driver, policy_id))
    assert at(written.pop("settlement_timestamp")) == block_of(driver, written["tx_id_status_update"]).time
    assert len(written.pop("tx_id_status_update")) == 64
    assert written == {
        "status_on_chain": 1,
        "status_detailed": "Settled",
        "settlement_amount_base_units": payout,
        "settlement_token": token.value,
    }
    assert next(each["price"] for each in snapshot["prices"]) == 40_000 * 10**8


def test_the_sweep_writes_when_it_looked_and_the_release_what_ended_the_policy(driver: Driver) -> None:
    policy_id = driver.buy(duration_days=WEEK)
    active = fields(driver, policy_id)
    driver.chain.burn(WEEK * 144 + 3)
    driver.follow()
    looked = driver.chain.node.tip().burn_height
    assert driver.sweep() == ([policy_id], [])
    assert changed(active, fields(driver, policy_id)) == {"last_checked_block_height_expiry": looked}
    assert driver.expire(policy_id) == [policy_id]
    assert fields(driver, policy_id)["status_detailed"] == "Expiring"
    driver.run(policy_id)
    written = changed(active, fields(driver, policy_id))
    assert block_of(driver, written["tx_id_status_update"]) is not None
    assert len(written.pop("tx_id_status_update")) == 64
    assert written == {
        "status_on_chain": 2,
        "status_detailed": "Expired",
        "last_checked_block_height_expiry": looked,
    }
