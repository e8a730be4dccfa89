"""Every refusal through the client: as its class, with its figures, and with nothing half done after it."""

import secrets
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from registry.domain.capacity import TooManyOpenQuotes
from registry.domain.errors import (
    ActivationOpen,
    BadRequest,
    EuropeanStyle,
    IdempotencyKeyReused,
    NoCapacity,
    PolicyNotActive,
    PolicyNotFound,
    PolicyRanOut,
)
from registry.domain.prices import PriceUnavailable
from registry.domain.settlement import BelowMinimum, NothingToPay, NotInTheMoney
from registry.domain.terms import SwitchedOff
from registry.domain.tier import OutsideTiers
from registry.domain.units import Token
from registry.store import parameters
from registry.store.session import unit_of_work
from tests.integration.leftovers import REQUEST, STRIKE, event_of, nothing_left
from tests.integration.stack import Holder, Stack

ON_MAINNET = "SP2J6ZY48GV1EZ5V2V5RB9MP66SW86PYKKNRV9EJ7"
APART = {"coinbase": "50000", "kraken": "60000", "bitstamp": "40000", "binance": "70000", "pyth": "30000"}


def _status(holder: Holder, policy_id: str) -> str:
    found = holder.stack.client.get_by_id(policy_id).answer()
    assert found is not None
    return found["status_detailed"]


# refusals of a request


@pytest.mark.parametrize(
    ("changes", "field", "figures"),
    [
        ({"protected_amount_sats": 999_999}, "protected_amount_sats", {"lowest": 1_000_000, "highest": 10**9}),
        ({"protected_amount_sats": 10**9 + 1}, "protected_amount_sats", {"value": 10**9 + 1, "highest": 10**9}),
        ({"protected_amount_sats": "much"}, "protected_amount_sats", {"reason": "it is not an integer"}),
        ({"duration_days": 6}, "duration_days", {"value": 6, "lowest": 7, "highest": 365}),
        ({"duration_days": 0}, "duration_days", {"lowest": 1}),
        ({"premium_token": "DOGE"}, "premium_token", {"reason": "it is not one of STX, sBTC"}),
        ({"settlement_token": "sBTC"}, "settlement_token", {}),
        ({"policy_type": "CALL"}, "policy_type", {"reason": "'CALL' is not sold, PUT is"}),
        ({"exercise_style": "bermudan"}, "exercise_style", {}),
        ({"discount": 1}, "discount", {"reason": "request has no such field"}),
    ],
)
def test_what_is_not_sold_is_refused_by_the_field_that_is_wrong(
    holder: Holder, changes: dict[str, Any], field: str, figures: dict[str, object]
) -> None:
    with nothing_left(holder.stack, holder.address), pytest.raises(BadRequest) as refused:
        holder.request(**changes)
    assert refused.value.figures["field"] == field
    assert refused.value.figures.items() >= figures.items()


@pytest.mark.parametrize(
    ("owner", "reason"),
    [
        ("nobody", "it is not S and"),
        ("ST" + "0" * 39, "its checksum is wrong"),
        (ON_MAINNET, "it belongs to another network"),
    ],
)
def test_an_owner_that_is_unknown_here_is_refused(stack: Stack, owner: str, reason: str) -> None:
    with nothing_left(stack, owner), pytest.raises(BadRequest) as refused:
        stack.client.request_creation(owner, REQUEST).answer()
    assert refused.value.figures["field"] == "owner_principal"
    assert reason in str(refused.value.figures["reason"])


def test_a_strike_outside_every_tier_is_refused_with_the_ranges_that_would_do(holder: Holder) -> None:
    with nothing_left(holder.stack, holder.address), pytest.raises(OutsideTiers) as refused:
        holder.request(protected_value_price_feed_units=34_999 * 10**8)
    assert refused.value.figures["accepted"] == [
        {"tier": "Conservative", "strike_from": 35_000 * 10**8, "strike_to": 40_000 * 10**8, "days_to": 30},
        {"tier": "Balanced", "strike_from": 40_000 * 10**8, "strike_to": 45_000 * 10**8, "days_to": 60},
        {"tier": "Aggressive", "strike_from": 45_000 * 10**8, "strike_to": 50_000 * 10**8, "days_to": 90},
    ]


def test_prices_that_disagree_quote_nothing_and_name_the_venues_that_failed(holder: Holder) -> None:
    _set_apart(holder.stack)
    with nothing_left(holder.stack, holder.address), pytest.raises(PriceUnavailable) as refused:
        holder.request()
    venues = refused.value.figures["venues"]
    assert isinstance(venues, dict)
    assert set(venues) == set(APART) - {"coinbase"}
    assert "200000 ppm from the median" in venues["kraken"]
    assert (refused.value.figures["used"], refused.value.figures["needed"]) == (1, 3)


def test_a_pool_that_is_short_says_how_much_is_free(holder: Holder) -> None:
    with nothing_left(holder.stack, holder.address), pytest.raises(NoCapacity) as refused:
        holder.request(protected_amount_sats=10**9, premium_token=Token.SBTC.value)
    figures = refused.value.figures
    assert (figures["tier"], figures["token"], figures["needed"]) == ("Balanced", "sBTC", 1_080_000_000)
    assert 0 < int(str(figures["free"])) <= 875_000_000


def test_a_fourth_quote_that_nobody_signs_is_refused(holder: Holder) -> None:
    for _ in range(3):
        holder.request()
    with nothing_left(holder.stack, holder.address), pytest.raises(TooManyOpenQuotes) as refused:
        holder.request()
    assert refused.value.figures == {"owner": holder.address, "open": 3, "most": 3}


def test_a_key_that_was_used_for_another_request_is_refused(holder: Holder) -> None:
    key = str(uuid4())
    holder.request(key=key)
    with nothing_left(holder.stack, holder.address), pytest.raises(IdempotencyKeyReused) as refused:
        holder.request(key=key, duration_days=31)
    assert refused.value.figures == {"key": key}


def test_what_an_operator_switched_off_is_unavailable(holder: Holder) -> None:
    _switch(holder.stack, creation_enabled=False)
    try:
        with nothing_left(holder.stack, holder.address), pytest.raises(SwitchedOff) as refused:
            holder.request()
    finally:
        _switch(holder.stack, creation_enabled=True)
    assert refused.value.figures == {"feature": "creation"}


def _switch(stack: Stack, *, creation_enabled: bool) -> None:
    with unit_of_work(stack.database) as session:
        _, in_force = parameters.current(session)
        parameters.put_in_force(session, replace(in_force, creation_enabled=creation_enabled), reason="a test")


def _set_apart(stack: Stack) -> None:
    stack.chain.order("prices", **{venue: {"BTC/USD": price} for venue, price in APART.items()})


# refusals of an activation


def test_only_its_owner_can_do_anything_with_a_policy(holder: Holder) -> None:
    policy_id, other = holder.request()["policy"]["id"], Holder(stack=holder.stack)
    client = holder.stack.client
    with nothing_left(holder.stack, holder.address):
        for asked in (
            client.request_activation(other.address, policy_id),
            client.report_creation_tx(other.address, policy_id, "00" * 32),
            client.decline_creation(other.address, policy_id),
        ):
            with pytest.raises(PolicyNotFound) as refused:
                asked.answer()
            assert refused.value.figures == {"owner": other.address, "policy": policy_id}
        with pytest.raises(PolicyNotActive) as refused_status:
            holder.activate(policy_id)
    assert refused_status.value.figures == {"policy": policy_id, "status": "PendingCreation"}


def test_a_policy_is_not_paid_above_its_strike_nor_below_its_owners_minimum_nor_twice(holder: Holder) -> None:
    stack, policy_id, key = holder.stack, holder.buy(), str(uuid4())
    with nothing_left(stack, holder.address, refused=1), pytest.raises(NotInTheMoney) as above:
        stack.client.request_activation(holder.address, policy_id, idempotency_key=key).answer()
    assert above.value.figures == {"price": 50_000 * 10**8, "strike": STRIKE}
    reused = stack.client.request_activation(holder.address, policy_id, idempotency_key=key, min_payout_base_units=1)
    with nothing_left(stack, holder.address), pytest.raises(IdempotencyKeyReused):
        reused.answer()
    stack.chain.price("40000")
    with nothing_left(stack, holder.address, refused=1), pytest.raises(BelowMinimum) as less:
        holder.activate(policy_id, min_payout_base_units=10**12)
    assert less.value.figures == {"payout": 25 * 10**6, "token": "STX", "min_payout": 10**12}
    assert _status(holder, policy_id) == "Active"
    holder.activate(policy_id)
    with nothing_left(stack, holder.address), pytest.raises(PolicyNotActive) as twice:
        holder.activate(policy_id)
    assert twice.value.figures == {"policy": policy_id, "status": "Settling"}


def test_while_prices_fail_a_request_is_held_and_a_second_one_is_refused(holder: Holder) -> None:
    stack, policy_id = holder.stack, holder.buy()
    _set_apart(stack)
    with nothing_left(stack, holder.address, undecided=1), pytest.raises(PriceUnavailable):
        holder.activate(policy_id)
    with nothing_left(stack, holder.address), pytest.raises(ActivationOpen) as refused:
        holder.activate(policy_id)
    assert refused.value.figures == {"policy": policy_id}
    assert _status(holder, policy_id) == "Active"


def test_a_payout_of_nothing_is_refused_and_so_is_any_after_the_end(holder: Holder) -> None:
    stack, policy_id = holder.stack, holder.buy(premium_token=Token.SBTC.value, duration_days=7)
    stack.chain.price("44999.99")
    with nothing_left(stack, holder.address, refused=1), pytest.raises(NothingToPay) as nothing:
        holder.activate(policy_id)
    assert nothing.value.figures == {"price": 4_499_999_000_000, "token": "sBTC"}
    policy = stack.client.get_by_id(policy_id).answer()
    assert policy is not None
    ends = policy["expiration_height"]
    stack.chain.burn(ends + 1 - stack.chain.node.tip().burn_height)  # confirmed, the end is two blocks later
    with nothing_left(stack, holder.address), pytest.raises(PolicyRanOut) as late:
        holder.activate(policy_id)
    assert late.value.figures == {"policy": policy_id, "expiration_height": ends, "height": ends + 1}


def test_a_european_policy_is_not_activated_by_hand(holder: Holder) -> None:
    policy_id = holder.buy(exercise_style="european")
    with nothing_left(holder.stack, holder.address), pytest.raises(EuropeanStyle) as refused:
        holder.activate(policy_id)
    assert refused.value.figures["policy"] == policy_id


@pytest.mark.parametrize("policy_id", ["x", str(UUID(int=1)), 10**18])
def test_a_policy_that_does_not_exist_is_refused(holder: Holder, policy_id: str | int) -> None:
    with nothing_left(holder.stack, holder.address), pytest.raises(BadRequest):
        holder.stack.client.request_activation(holder.address, policy_id).answer()


def test_a_report_that_is_no_txid_is_refused(holder: Holder) -> None:
    policy_id = holder.request()["policy"]["id"]
    with nothing_left(holder.stack, holder.address), pytest.raises(BadRequest) as refused:
        holder.stack.client.report_creation_tx(holder.address, policy_id, "0xabc").answer()
    assert refused.value.figures["field"] == "tx_id"


# refusals of an event


def test_an_event_that_is_malformed_or_foreign_is_refused_by_its_field(stack: Stack) -> None:
    pool, tuple_of_nothing = stack.chain.contracts.pool, "0x0c00000000"
    cases: list[tuple[dict[str, object], str]] = [
        ({}, "committed"),
        ({**event_of(pool, "0x00"), "contract_event": None}, "contract_event"),
        (event_of("ST000.other", "0x00"), "contract_identifier"),
        (event_of(pool, "bytes"), "raw_value"),
        (event_of(pool, "0x" + secrets.token_hex(200)), "raw_value"),
        (event_of(pool, "0x" + "0b" * 5000), "raw_value"),
        (event_of(pool, tuple_of_nothing), "raw_value"),
        (event_of(pool, "0x01" + "00" * 16), "raw_value"),
    ]
    with nothing_left(stack, pool):
        asked = [(stack.client.handle_on_chain_event(event), field) for event, field in cases]
        for pending, field in asked:
            with pytest.raises(BadRequest) as refused:
                pending.answer()
            assert refused.value.figures["field"] == field
            assert isinstance(refused.value.figures["reason"], str)
