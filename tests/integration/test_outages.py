"""What others fail by, as the client meets it: venues, the node, the database. Nothing is half done meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import create_engine, make_url, text

from registry.domain.errors import DatabaseUnavailable
from registry.domain.prices import PriceUnavailable
from registry.domain.units import Token
from registry.store.session import sqlalchemy_url
from tests.integration.leftovers import nothing_left
from tests.integration.stack import Holder, Stack
from workers.pending import Pending

VENUES = ("coinbase", "kraken", "bitstamp", "binance", "pyth")


@contextmanager
def trouble(stack: Stack, **venues: object) -> Iterator[None]:
    """Let venues fail, and be well again afterwards."""
    stack.chain.order("venues", **venues)
    try:
        yield
    finally:
        stack.chain.order("venues", **dict.fromkeys(VENUES, "ok"))


def refused_price(holder: Holder, **changes: Any) -> dict[str, object]:
    """Ask for a quote that no price can be found for; answer the refusal's figures."""
    with nothing_left(holder.stack, holder.address), pytest.raises(PriceUnavailable) as refused:
        holder.request(**changes)
    return refused.value.figures


def test_stale_prices_quote_nothing_and_name_each_venue_with_its_age(holder: Holder) -> None:
    with trouble(holder.stack, coinbase="stale", bitstamp="stale", pyth="stale"):
        figures = refused_price(holder, premium_token=Token.SBTC.value)
    venues = figures["venues"]
    assert isinstance(venues, dict)
    # Binance trades against USDT, and asks Coinbase what that is worth
    assert set(venues) == {"coinbase", "bitstamp", "pyth", "binance"}
    assert all(" s old, at most 60 are allowed" in why for why in venues.values())
    assert (figures["pair"], figures["used"], figures["needed"]) == ("BTC/USD", 1, 3)


def test_venues_that_are_down_are_named_with_what_they_answered(holder: Holder) -> None:
    with trouble(holder.stack, kraken="down", bitstamp="down", pyth="down"):
        figures = refused_price(holder)
    venues = figures["venues"]
    assert isinstance(venues, dict)
    assert set(venues) == {"kraken", "bitstamp", "pyth"}
    assert all("503" in why for why in venues.values())
    assert (figures["used"], figures["needed"]) == (2, 3)


@pytest.mark.parametrize("venue", VENUES)
def test_any_one_venue_may_be_down_and_the_others_make_the_price(holder: Holder, venue: str) -> None:
    with trouble(holder.stack, **{venue: "down"}):
        prices = holder.request(premium_token=Token.SBTC.value)["quote"]["pricing"]["prices"]
    used = {each["venue"] for each in prices[0]["sources"] if each["excluded"] is None}
    # without Coinbase, Binance asks another what a USDT is worth
    assert used == set(VENUES) - {venue}
    assert prices[0]["price"] == pytest.approx(50_000 * 10**8, rel=1e-4)


def test_when_every_venue_is_down_each_is_named_and_nothing_is_quoted(holder: Holder) -> None:
    with trouble(holder.stack, **dict.fromkeys(VENUES, "down")):
        figures = refused_price(holder)
    venues = figures["venues"]
    assert isinstance(venues, dict)
    assert set(venues) == set(VENUES)
    assert (figures["used"], figures["needed"]) == (0, 3)
    assert holder.request()["wallet_payload"]["functionName"] == "buy-policy-stx"


def test_prices_that_disagree_are_refused_with_how_far_each_venue_is_from_the_median(holder: Holder) -> None:
    apart = {"kraken": {"factor": "1.05"}, "bitstamp": {"factor": "0.95"}, "pyth": {"factor": "1.06"}}
    with trouble(holder.stack, **apart):
        figures = refused_price(holder)
    venues = figures["venues"]
    assert isinstance(venues, dict)
    assert set(venues) == set(apart)
    assert all("ppm from the median" in why for why in venues.values())


def test_one_venue_that_is_wrong_is_outvoted_and_the_quotes_record_says_so(holder: Holder) -> None:
    with trouble(holder.stack, kraken={"factor": "1.05"}, bitstamp="down"):
        prices = holder.request(premium_token=Token.SBTC.value)["quote"]["pricing"]["prices"]
    left_out = {each["venue"]: each["excluded"] for each in prices[0]["sources"] if each["excluded"] is not None}
    assert set(left_out) == {"kraken"}
    assert prices[0]["price"] == pytest.approx(50_000 * 10**8, rel=1e-4)


def test_a_policy_in_stx_needs_the_price_of_stx_as_well(holder: Holder) -> None:
    holder.stack.chain.order("prices", coinbase={"STX/USD": "3"})
    with trouble(holder.stack, kraken="down", pyth="down"):
        figures = refused_price(holder)
        assert (figures["pair"], figures["used"], figures["needed"]) == ("STX/USD", 0, 2)
        assert holder.request(premium_token=Token.SBTC.value)["wallet_payload"]["functionName"] == "buy-policy-sbtc"


def test_a_request_that_was_held_while_venues_failed_is_paid_when_they_are_well_again(holder: Holder) -> None:
    stack, policy_id = holder.stack, holder.buy()
    stack.chain.price("40000")
    with trouble(stack, coinbase="down", kraken="down", pyth="down"):
        with nothing_left(stack, holder.address, undecided=1), pytest.raises(PriceUnavailable):
            holder.activate(policy_id)
        held = stack.client.get_by_id(policy_id).answer()
        assert held is not None
        assert held["status_detailed"] == "Active"
    settled = stack.wait_for(policy_id, "Settled")
    assert settled["settlement_amount_base_units"] == 25 * 10**6


@contextmanager
def closed_to_all(postgres: str, database_url: str) -> Iterator[None]:
    """Let Postgres end every connection to one database and take no new one."""
    name = make_url(database_url).database
    engine = create_engine(sqlalchemy_url(postgres), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false"))
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name}
        )
        try:
            yield
        finally:
            connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true"))
    engine.dispose()


def test_a_database_that_is_gone_is_told_as_such_and_nothing_is_half_done(
    holder: Holder, postgres: str, database_url: str
) -> None:
    stack = holder.stack
    policy_id = holder.request()["policy"]["id"]
    with nothing_left(stack, holder.address):
        with closed_to_all(postgres, database_url):
            asked: list[Pending[Any]] = [
                stack.client.get_by_id(policy_id),
                stack.client.get_platform_stats(),
                stack.client.get_pool_state(),
                stack.client.decline_creation(holder.address, policy_id),
                stack.client.request_activation(holder.address, policy_id),
            ]
            for pending in asked:
                with pytest.raises(DatabaseUnavailable) as refused:
                    pending.answer()
                assert "not currently accepting connections" in str(refused.value.figures["reason"])
                assert "SELECT" not in str(refused.value)
            with pytest.raises(DatabaseUnavailable):
                holder.request()
        found = stack.client.get_by_id(policy_id).answer()
    assert found is not None
    assert found["status_detailed"] == "PendingCreation"
