"""Each venue's own JSON, good and bad, over a real socket."""

import json
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from registry.domain.closes import ClosesUnavailable
from registry.domain.prices import Pair
from registry.market.binance import Binance
from registry.market.bitstamp import Bitstamp
from registry.market.coinbase import Coinbase
from registry.market.http import Http
from registry.market.kraken import Kraken
from registry.market.pyth import FEEDS, Pyth
from registry.market.venue import CandleVenue, Venue, VenueError
from tests.unit.market.recorded import (
    BINANCE_TICKER,
    BITSTAMP_TICKER,
    COINBASE_TETHER,
    COINBASE_TICKER,
    KRAKEN_ERROR,
    KRAKEN_TICKER,
    NOON,
    PYTH_UPDATE,
    TODAY,
    binance_candles,
    bitstamp_candles,
    closing_price,
    coinbase_candles,
    days_to,
    kraken_candles,
)
from tests.unit.market.venue_server import Reply, Request, Route, VenueServer, as_json, text

Change = Callable[[Any], object]

COINBASE_PATH = "/products/BTC-USD/ticker"
KRAKEN_PATH = "/0/public/Ticker"
BITSTAMP_PATH = "/api/v2/ticker/btcusd/"
BINANCE_PATH = "/api/v3/ticker/24hr"
PYTH_PATH = "/v2/updates/price/latest"
RECORDED = {
    "coinbase": (COINBASE_PATH, COINBASE_TICKER),
    "kraken": (KRAKEN_PATH, KRAKEN_TICKER),
    "bitstamp": (BITSTAMP_PATH, BITSTAMP_TICKER),
    "binance": (BINANCE_PATH, BINANCE_TICKER),
    "pyth": (PYTH_PATH, PYTH_UPDATE),
}


def venues(http: Http, url: str) -> dict[str, Venue]:
    coinbase = Coinbase(http, url)
    return {
        "coinbase": coinbase,
        "kraken": Kraken(http, url),
        "bitstamp": Bitstamp(http, url),
        "binance": Binance(http, [coinbase], url),
        "pyth": Pyth(http, url),
    }


def serve(server: VenueServer) -> None:
    server.routes |= {path: text(body) for path, body in RECORDED.values()}
    server.routes["/products/USDT-USD/ticker"] = text(COINBASE_TETHER)


def reason(venue: Venue, pair: Pair = Pair.BTC_USD) -> str:
    with pytest.raises(VenueError) as refused:
        venue.latest(pair)
    assert refused.value.figures["venue"] == venue.name
    return str(refused.value.figures["reason"])


@pytest.mark.parametrize(
    ("name", "price", "age"),
    [
        ("coinbase", 5_001_012_345_678, 1.876544),
        ("kraken", 5_000_510_000_000, 0),  # says no time: that of the fetch
        ("bitstamp", 4_999_500_000_000, 3),
        ("binance", 5_000_999_994_000, 2.5),
        ("pyth", 5_000_800_000_000, 2),
    ],
)
def test_a_venue_is_read_in_its_own_words(http: Http, server: VenueServer, name: str, price: int, age: float) -> None:
    serve(server)
    found = venues(http, server.url)[name].latest(Pair.BTC_USD)
    assert (found.venue, found.pair, found.price) == (name, Pair.BTC_USD, price)
    assert found.source_time == NOON - timedelta(seconds=age)
    assert found.fetched_at == NOON
    assert found.excluded is None


@pytest.mark.parametrize("name", RECORDED)
def test_an_old_quote_is_told_with_its_age_for_the_oracle_to_judge(http: Http, server: VenueServer, name: str) -> None:
    serve(server)
    path, body = RECORDED[name]
    seconds = str(int(NOON.timestamp()))[:-3]
    older = str(int(seconds) - 1)
    server.routes[path] = text(body.replace(seconds, older).replace("2026-03-01T", "2026-02-28T"))
    found = venues(http, server.url)[name].latest(Pair.BTC_USD)
    assert (NOON - found.source_time > timedelta(seconds=900)) is (name != "kraken")


@pytest.mark.parametrize("name", RECORDED)
@pytest.mark.parametrize(
    ("route", "told"),
    [
        (Reply(status=429, headers={"Retry-After": "30"}), "HTTP 429, retry after 30 s"),
        (Reply(status=500, body=b"oops"), "HTTP 500"),
        (text("<html>"), "its answer is not JSON (JSONDecodeError)"),
        (text("[" + " " * 300_000 + "]"), "its answer is over 200000 bytes"),
    ],
)
def test_a_broken_venue_says_why(http: Http, server: VenueServer, name: str, route: Route, told: str) -> None:
    serve(server)
    server.routes[RECORDED[name][0]] = route
    assert reason(venues(http, server.url)[name]) == told


@pytest.mark.parametrize("name", RECORDED)
def test_a_silent_venue_times_out(impatient: Http, server: VenueServer, name: str) -> None:
    server.routes[RECORDED[name][0]] = Reply(silent=True)
    assert reason(venues(impatient, server.url)[name]) == "it timed out"


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("coinbase", lambda it: it.pop("price"), "the answer has no 'price'"),
        ("coinbase", lambda it: it.pop("time"), "the answer has no 'time'"),
        ("coinbase", lambda it: it.update(price="0"), "the answer.price is not a positive price"),
        ("coinbase", lambda it: it.update(price="1e9"), "the answer.price is not a decimal number"),
        ("coinbase", lambda it: it.update(price=None), "the answer.price is not a number"),
        ("coinbase", lambda it: it.update(time="now"), "the answer.time is not an ISO 8601 time"),
        ("kraken", lambda it: it.pop("error"), "the answer has no 'error'"),
        ("kraken", lambda it: it["result"].clear(), "the answer.result has 0 entries, not one"),
        (
            "kraken",
            lambda it: it["result"].update(XETHZUSD=it["result"].pop("XXBTZUSD")),
            "the answer.result.XETHZUSD is not BTC/USD",
        ),
        (
            "kraken",
            lambda it: it["result"].update(XXBTZEUR=it["result"].pop("XXBTZUSD")),
            "the answer.result.XXBTZEUR is not BTC/USD",
        ),
        (
            "kraken",
            lambda it: it["result"]["XXBTZUSD"].update(c=[]),
            "the answer.result.XXBTZUSD.c has 0 elements, no [0]",
        ),
        ("bitstamp", lambda it: it.pop("last"), "the answer has no 'last'"),
        ("bitstamp", lambda it: it.update(last="-1"), "the answer.last is not a positive price"),
        ("bitstamp", lambda it: it.update(timestamp="soon"), "the answer.timestamp is not a decimal number"),
        ("binance", lambda it: it.update(symbol="ETHUSDT"), "the answer.symbol is not BTCUSDT"),
        ("binance", lambda it: it.pop("closeTime"), "the answer has no 'closeTime'"),
        ("binance", lambda it: it.update(lastPrice="0.00000000"), "the answer.lastPrice is not a positive price"),
        ("pyth", lambda it: it.update(parsed=[]), "the answer.parsed has 0 elements, no [0]"),
        ("pyth", lambda it: it.update(parsed=None), "the answer.parsed is not a list"),
        (
            "pyth",
            lambda it: it["parsed"][0].update(id=FEEDS[Pair.STX_USD]),
            "the answer.parsed[0].id is not the feed of BTC/USD",
        ),
        (
            "pyth",
            lambda it: it["parsed"][0]["price"].update(price="-5000800000000"),
            "the answer.parsed[0].price.conf is 1500000000 for a price of -5000800000000, over 5000 ppm of it",
        ),
        (
            "pyth",
            lambda it: it["parsed"][0]["price"].update(conf="25004000001"),
            "the answer.parsed[0].price.conf is 25004000001 for a price of 5000800000000, over 5000 ppm of it",
        ),
        ("pyth", lambda it: it["parsed"][0]["price"].update(expo=1), "the answer.parsed[0].price.expo is 1"),
        ("pyth", lambda it: it["parsed"][0]["price"].update(expo=-31), "the answer.parsed[0].price.expo is -31"),
        (
            "pyth",
            lambda it: it["parsed"][0]["price"].update(price="0", conf="0"),
            "the answer.parsed[0].price.price is not a positive price",
        ),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_as_documented_is_refused_by_place(
    http: Http, server: VenueServer, name: str, change: Change, told: str
) -> None:
    serve(server)
    path, body = RECORDED[name]
    answer = json.loads(body)
    change(answer)
    server.routes[path] = as_json(answer)
    assert reason(venues(http, server.url)[name]) == told


def test_krakens_errors_come_with_status_200(http: Http, server: VenueServer) -> None:
    server.routes[KRAKEN_PATH] = text(KRAKEN_ERROR)
    assert reason(Kraken(http, server.url)) == ("the answer is an error: EGeneral:Too many requests, EService:Busy")


def test_bitstamp_does_not_list_stx(http: Http, server: VenueServer) -> None:
    assert reason(Bitstamp(http, server.url), Pair.STX_USD) == "it does not list STX/USD"
    assert server.requests == []


def test_a_confidence_of_exactly_the_limit_is_narrow_enough(http: Http, server: VenueServer) -> None:
    answer = json.loads(PYTH_UPDATE)
    answer["parsed"][0]["price"]["conf"] = "25004000000"
    del answer["parsed"][0]["metadata"]
    server.routes[PYTH_PATH] = as_json(answer)
    assert Pyth(http, server.url).latest(Pair.BTC_USD).price == 5_000_800_000_000


def test_pyth_is_shown_the_key_and_nobody_else(http: Http, server: VenueServer) -> None:
    serve(server)
    pyth = Pyth(http, server.url, "hidden")
    pyth.latest(Pair.BTC_USD)
    Coinbase(http, server.url).latest(Pair.BTC_USD)
    asked, after = server.requests
    assert asked.headers["Authorization"] == "Bearer hidden"
    assert asked.params == {"ids[]": FEEDS[Pair.BTC_USD], "parsed": "true"}
    assert "Authorization" not in after.headers
    assert "hidden" not in repr(pyth)


def test_binance_is_converted_by_the_first_venue_that_prices_usdt(http: Http, server: VenueServer) -> None:
    serve(server)
    dollars: list[CandleVenue] = [Kraken(http, server.url), Coinbase(http, server.url)]
    server.routes[KRAKEN_PATH] = text(KRAKEN_ERROR)
    found = Binance(http, dollars, server.url).latest(Pair.BTC_USD)
    assert found.price == 5_000_999_994_000  # 50 060.06 × 0.999
    assert found.source_time == NOON - timedelta(seconds=2.5)  # USDT/USD is the older of the two


def test_without_usdt_binance_has_no_vote(http: Http, server: VenueServer) -> None:
    serve(server)
    server.routes["/products/USDT-USD/ticker"] = Reply(status=503)
    told = "there is no USDT/USD to convert it by (coinbase: HTTP 503)"
    assert reason(Binance(http, [Coinbase(http, server.url)], server.url)) == told
    told = "there is no USDT/USD to convert it by (no venue to ask)"
    assert reason(Binance(http, [], server.url)) == told


def candle_venues(http: Http, url: str) -> dict[str, CandleVenue]:
    coinbase = Coinbase(http, url)
    return {
        "coinbase": coinbase,
        "kraken": Kraken(http, url),
        "bitstamp": Bitstamp(http, url),
        "binance": Binance(http, [coinbase], url),
    }


def coinbase_page(request: Request, price: Callable[[date], float] = closing_price) -> Reply:
    """The days from start to end, and what Coinbase says to more than 300 of them."""
    first, last = (date.fromisoformat(request.params[name][:10]) for name in ("start", "end"))
    days = days_to(last, (last - first).days + 1)
    if len(days) > 300:
        return text('{"message":"granularity too small for the requested time range"}', 400)
    return as_json(coinbase_candles(days, price))


def serve_candles(server: VenueServer, days: list[date]) -> None:
    server.routes |= {
        "/products/BTC-USD/candles": coinbase_page,
        "/products/USDT-USD/candles": lambda request: coinbase_page(request, lambda _: 0.999),
        "/0/public/OHLC": as_json(kraken_candles(days)),
        "/api/v2/ohlc/btcusd/": as_json(bitstamp_candles(days)),
        "/api/v3/klines": as_json(binance_candles(days)),
    }


@pytest.mark.parametrize("count", [1, 31, 300, 301, 361])
@pytest.mark.parametrize("name", ["coinbase", "kraken", "bitstamp", "binance"])
def test_the_closes_before_today_come_oldest_first(http: Http, server: VenueServer, name: str, count: int) -> None:
    serve_candles(server, days_to(TODAY, count + 5))  # today's unfinished candle and older ones too
    found = candle_venues(http, server.url)[name].daily_closes(Pair.BTC_USD, count=count, today=TODAY)
    assert [each.day for each in found] == days_to(TODAY - timedelta(days=1), count)
    scale = 99_900_000 if name == "binance" else 100_000_000
    assert [each.price for each in found] == [closing_price(each.day) * scale for each in found]


@pytest.mark.parametrize("name", ["kraken", "bitstamp", "binance"])
def test_a_history_that_is_too_short_is_said_to_be(http: Http, server: VenueServer, name: str) -> None:
    serve_candles(server, days_to(TODAY, 31))  # 30 finished days
    with pytest.raises(ClosesUnavailable, match="1 of 31 days"):
        candle_venues(http, server.url)[name].daily_closes(Pair.BTC_USD, count=31, today=TODAY)


def test_a_candle_that_opens_at_noon_is_no_daily_candle(http: Http, server: VenueServer) -> None:
    server.routes["/0/public/OHLC"] = as_json(
        {"error": [], "result": {"XXBTZUSD": [[int(NOON.timestamp()), "1", "1", "1", "1", "1", "1", 1]], "last": 1}}
    )
    with pytest.raises(VenueError, match="not at midnight UTC"):
        Kraken(http, server.url).daily_closes(Pair.BTC_USD, count=1, today=TODAY)


def test_each_venue_is_asked_in_its_own_terms(http: Http, server: VenueServer) -> None:
    serve_candles(server, days_to(TODAY, 32))
    for venue in candle_venues(http, server.url).values():
        venue.daily_closes(Pair.BTC_USD, count=31, today=TODAY)
    asked = [(each.path, each.params) for each in server.requests]
    span = {"granularity": "86400", "start": "2026-01-29T00:00:00Z", "end": "2026-02-28T00:00:00Z"}
    assert asked == [
        ("/products/BTC-USD/candles", span),
        ("/0/public/OHLC", {"pair": "XBTUSD", "interval": "1440"}),
        ("/api/v2/ohlc/btcusd/", {"step": "86400", "limit": "32"}),
        ("/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1d", "limit": "32"}),
        ("/products/USDT-USD/candles", span),
    ]


def test_without_closes_of_usdt_binance_has_no_history(http: Http, server: VenueServer) -> None:
    serve_candles(server, days_to(TODAY, 32))
    server.routes["/products/USDT-USD/candles"] = Reply(status=500)
    with pytest.raises(VenueError, match=r"no USDT/USD to convert it by \(coinbase: HTTP 500\)"):
        candle_venues(http, server.url)["binance"].daily_closes(Pair.BTC_USD, count=31, today=TODAY)
