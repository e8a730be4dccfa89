"""The feed over all venues at once."""

from dataclasses import replace
from datetime import date, timedelta
from threading import Barrier
from typing import Any

import pytest

from registry.domain.closes import ClosesUnavailable
from registry.domain.errors import BadRequest
from registry.domain.parameters import Parameters
from registry.domain.prices import Pair, PriceUnavailable
from registry.domain.units import Ppm
from registry.fault_points import doing, watched_by
from registry.market.catalogue import NAMES, feed
from registry.market.feed import Feed
from registry.market.http import Http
from tests.unit.market.recorded import (
    BINANCE_TICKER,
    BITSTAMP_TICKER,
    COINBASE_TETHER,
    COINBASE_TICKER,
    KRAKEN_TICKER,
    NOON,
    PYTH_UPDATE,
    TODAY,
    Price,
    bitstamp_candles,
    closing_price,
    coinbase_candles,
    days_to,
    kraken_candles,
)
from tests.unit.market.venue_server import Reply, Request, Route, VenueServer, as_json, text

DEFAULTS = Parameters()
TOLERANCE = Ppm(20_000)
COINBASE, KRAKEN = "/venues/coinbase/products/BTC-USD/ticker", "/venues/kraken/0/public/Ticker"
PYTH = "/venues/pyth/v2/updates/price/latest"


@pytest.fixture
def asked(http: Http, server: VenueServer) -> Feed:
    """A feed whose every venue is on one server, at noon."""
    server.routes |= {
        COINBASE: text(COINBASE_TICKER),
        KRAKEN: text(KRAKEN_TICKER),
        PYTH: text(PYTH_UPDATE),
        "/venues/coinbase/products/USDT-USD/ticker": text(COINBASE_TETHER),
        "/venues/bitstamp/api/v2/ticker/btcusd/": text(BITSTAMP_TICKER),
        "/venues/binance/api/v3/ticker/24hr": text(BINANCE_TICKER),
    }
    return feed(http=http, venue_url=f"{server.url}/venues/", clock=lambda: NOON)


def test_five_venues_make_one_price(asked: Feed) -> None:
    found = asked.price(Pair.BTC_USD, parameters=DEFAULTS)
    assert found.price == 5_000_800_000_000  # the middle one, Pyth's
    assert [each.venue for each in found.used] == list(NAMES)
    assert found.failures == ()
    assert found.at == NOON


def test_two_broken_venues_do_not_stop_bitcoin_and_are_named(asked: Feed, server: VenueServer) -> None:
    server.routes[PYTH] = Reply(status=401)
    server.routes[KRAKEN] = Reply(body=b"[", cut_short=True)
    found = asked.price(Pair.BTC_USD, parameters=DEFAULTS)
    assert {each.venue: each.reason for each in found.failures} == {
        "kraken": "the connection failed (ProtocolError)",
        "pyth": "HTTP 401",
    }
    assert found.price == 5_000_999_994_000


def test_a_third_broken_venue_stops_it_and_every_reason_is_told(asked: Feed, server: VenueServer) -> None:
    server.routes[PYTH] = Reply(status=401)
    server.routes[KRAKEN] = Reply(status=500)
    server.routes[COINBASE] = text(COINBASE_TICKER.replace("11:59:58", "11:58:58"))
    with pytest.raises(PriceUnavailable) as refused:
        asked.price(Pair.BTC_USD, parameters=DEFAULTS)
    assert refused.value.figures["venues"] == {
        "coinbase": "it is 62 s old, at most 60 are allowed",
        "kraken": "HTTP 500",
        "pyth": "HTTP 401",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_venue_has_a_switch_and_one_that_is_off_is_not_asked(asked: Feed, server: VenueServer, name: str) -> None:
    off: dict[str, Any] = {f"venue_{name}_enabled": False}
    switched = replace(DEFAULTS, **off)
    found = asked.price(Pair.BTC_USD, parameters=switched)
    assert {each.venue: each.reason for each in found.failures}[name] == "it is switched off"
    assert name not in [each.venue for each in found.used]
    assert all(f"/{name}/" not in each.path for each in server.requests)


def test_with_too_few_venues_left_the_error_says_which_are_switched_off(asked: Feed, server: VenueServer) -> None:
    switched = replace(DEFAULTS, venue_kraken_enabled=False, venue_pyth_enabled=False)
    server.routes["/venues/bitstamp/api/v2/ticker/btcusd/"] = Reply(status=500)
    with pytest.raises(PriceUnavailable, match="kraken: it is switched off") as refused:
        asked.price(Pair.BTC_USD, parameters=switched)
    assert refused.value.figures["venues"] == {
        "kraken": "it is switched off",
        "bitstamp": "HTTP 500",
        "pyth": "it is switched off",
    }
    assert (refused.value.figures["used"], refused.value.figures["needed"]) == (2, 3)


def test_a_venue_that_converts_asks_none_that_is_switched_off(asked: Feed, server: VenueServer) -> None:
    quotes = asked.quotes(Pair.BTC_USD, off=("coinbase",))
    assert all("/coinbase/" not in each.path for each in server.requests)
    reasons = {each.venue: each.reason for each in quotes.failures}
    assert reasons["coinbase"] == "it is switched off"
    assert "coinbase" not in reasons["binance"]


def test_all_that_was_said_can_be_kept_even_when_it_makes_no_price(asked: Feed, server: VenueServer) -> None:
    for path in (PYTH, KRAKEN, COINBASE):
        server.routes[path] = Reply(status=500)
    quotes = asked.quotes(Pair.BTC_USD)
    assert [each.venue for each in quotes.observations] == ["bitstamp", "binance"]
    assert [each.venue for each in quotes.failures] == ["coinbase", "kraken", "pyth"]


def test_only_venues_that_list_the_pair_are_asked(asked: Feed) -> None:
    quotes = asked.quotes(Pair.STX_USD)  # this server has no STX at all
    assert {each.venue for each in quotes.failures} == {"coinbase", "kraken", "binance", "pyth"}


def test_venues_are_asked_side_by_side(asked: Feed, server: VenueServer) -> None:
    all_are_here = Barrier(5, timeout=5)

    def together(reply: Route) -> Route:
        def answer(_: Request) -> Reply:
            all_are_here.wait()
            assert isinstance(reply, Reply)
            return reply

        return answer

    for path, reply in server.routes.items():
        server.routes[path] = reply if "USDT" in path else together(reply)
    assert len(asked.quotes(Pair.BTC_USD).observations) == 5


def test_the_settings_choose_venues_by_name(http: Http) -> None:
    chosen = feed(("kraken", "pyth"), http=http)
    assert [each.name for each in chosen.venues] == ["kraken", "pyth"]
    assert [each.name for each in chosen.candle_venues] == ["kraken"]
    with pytest.raises(BadRequest, match="'mtgox' is none of coinbase, kraken"):
        feed(("kraken", "mtgox"), http=http)
    with pytest.raises(BadRequest, match="kraken is named twice"):
        feed(("kraken", "kraken"), http=http)


def test_by_default_the_real_venues_are_asked_over_tls(http: Http) -> None:
    for venue in feed(http=http).venues:
        assert getattr(venue, "base_url").startswith("https://")  # noqa: B009 - not part of the Protocol


def serve_history(server: VenueServer, *, coinbase: Price, kraken: Price, bitstamp: Price | None) -> None:
    days = days_to(TODAY, 32)
    finished = days[:-1]
    server.routes |= {
        "/venues/coinbase/products/BTC-USD/candles": as_json(coinbase_candles(finished, coinbase)),
        "/venues/kraken/0/public/OHLC": as_json(kraken_candles(days, kraken)),
    }
    if bitstamp is not None:
        server.routes["/venues/bitstamp/api/v2/ohlc/btcusd/"] = as_json(bitstamp_candles(days, bitstamp))


def wrong(day: date) -> float:
    """One bad candle."""
    return closing_price(day) * (1.03 if day == TODAY - timedelta(days=7) else 1)


def test_the_history_is_the_first_venues_once_a_second_confirms_it(asked: Feed, server: VenueServer) -> None:
    serve_history(server, coinbase=closing_price, kraken=lambda day: closing_price(day) + 1, bitstamp=None)
    found = asked.history(Pair.BTC_USD, count=31, today=TODAY, tolerance=TOLERANCE)
    assert (found.venue, found.confirmed_by) == ("coinbase", "kraken")
    assert [each.price for each in found.closes] == [closing_price(each.day) * 10**8 for each in found.closes]
    assert len(found.closes) == 31
    assert all("bitstamp" not in each.path for each in server.requests)


def test_a_bad_candle_passes_the_history_on_to_the_next_venue(asked: Feed, server: VenueServer) -> None:
    serve_history(server, coinbase=wrong, kraken=closing_price, bitstamp=closing_price)
    found = asked.history(Pair.BTC_USD, count=31, today=TODAY, tolerance=TOLERANCE)
    assert (found.venue, found.confirmed_by) == ("kraken", "bitstamp")


def test_a_venue_that_fails_passes_the_history_on(asked: Feed, server: VenueServer) -> None:
    serve_history(server, coinbase=closing_price, kraken=closing_price, bitstamp=closing_price)
    server.routes["/venues/coinbase/products/BTC-USD/candles"] = Reply(status=503)
    found = asked.history(Pair.BTC_USD, count=31, today=TODAY, tolerance=TOLERANCE)
    assert (found.venue, found.confirmed_by) == ("kraken", "bitstamp")


def test_a_venue_that_is_switched_off_neither_tells_nor_confirms_the_history(asked: Feed, server: VenueServer) -> None:
    serve_history(server, coinbase=closing_price, kraken=closing_price, bitstamp=closing_price)
    found = asked.history(Pair.BTC_USD, count=31, today=TODAY, tolerance=TOLERANCE, off=("coinbase",))
    assert (found.venue, found.confirmed_by) == ("kraken", "bitstamp")
    with pytest.raises(ClosesUnavailable, match="kraken: it is switched off; bitstamp: it is switched off") as refused:
        asked.history(Pair.BTC_USD, count=31, today=TODAY, tolerance=TOLERANCE, off=("kraken", "bitstamp"))
    assert refused.value.figures["heard"] == ["coinbase"]


def test_without_a_second_opinion_there_is_no_history(asked: Feed, server: VenueServer) -> None:
    serve_history(server, coinbase=wrong, kraken=closing_price, bitstamp=None)
    with pytest.raises(ClosesUnavailable) as refused:
        asked.history(Pair.BTC_USD, count=31, today=TODAY, tolerance=TOLERANCE)
    assert refused.value.figures["heard"] == ["coinbase", "kraken"]
    assert refused.value.figures["venues"] == {
        "kraken": "it differs from coinbase on 2026-02-22",
        "bitstamp": "HTTP 404",
        "binance": "HTTP 404",
    }


def test_a_venue_without_the_pair_is_not_asked_for_its_history(asked: Feed, server: VenueServer) -> None:
    with pytest.raises(ClosesUnavailable, match="heard from none"):
        asked.history(Pair.STX_USD, count=31, today=TODAY, tolerance=TOLERANCE)
    assert all("bitstamp" not in each.path for each in server.requests)


def test_every_call_of_a_venue_is_named_after_the_task_that_wants_the_price(asked: Feed) -> None:
    points: list[str] = []
    with watched_by(points.append), doing("prices.fetch"):
        asked.price(Pair.BTC_USD, parameters=DEFAULTS)
    assert sorted(points) == 6 * ["prices.fetch::call.after"] + 6 * ["prices.fetch::call.before"]
