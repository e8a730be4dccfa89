"""Whatever JSON a venue sends, it is a positive price, or a typed refusal that names the venue."""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry.domain.closes import ClosesUnavailable
from registry.domain.prices import Pair
from registry.domain.units import BIGINT_MAX
from registry.market.binance import Binance
from registry.market.bitstamp import Bitstamp
from registry.market.coinbase import Coinbase
from registry.market.http import Http
from registry.market.kraken import Kraken
from registry.market.pyth import Pyth
from registry.market.venue import CandleVenue, Venue, VenueError
from tests.unit.market import recorded
from tests.unit.market.venue_server import VenueServer, as_json, running, text

DAYS = recorded.days_to(recorded.TODAY, 3)
TETHER = "/products/USDT-USD/ticker"
TICKERS = {
    "coinbase": ("/products/BTC-USD/ticker", json.loads(recorded.COINBASE_TICKER)),
    "kraken": ("/0/public/Ticker", json.loads(recorded.KRAKEN_TICKER)),
    "bitstamp": ("/api/v2/ticker/btcusd/", json.loads(recorded.BITSTAMP_TICKER)),
    "binance": ("/api/v3/ticker/24hr", json.loads(recorded.BINANCE_TICKER)),
    "pyth": ("/v2/updates/price/latest", json.loads(recorded.PYTH_UPDATE)),
}
CANDLES = {
    "coinbase": ("/products/BTC-USD/candles", recorded.coinbase_candles(DAYS)),
    "kraken": ("/0/public/OHLC", recorded.kraken_candles(DAYS)),
    "bitstamp": ("/api/v2/ohlc/btcusd/", recorded.bitstamp_candles(DAYS)),
}

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.from_regex(r"-?[0-9]{1,30}(\.[0-9]{1,30})?", fullmatch=True),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in a JSON value, the whole first."""
    yield path
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from places(each, (*path, key))


@st.composite
def damaged(draw: st.DrawFn, answers: Mapping[str, tuple[str, object]]) -> tuple[str, object]:
    """A venue's name and its answer with one place replaced by anything, or taken out."""
    name = draw(st.sampled_from(sorted(answers)))
    whole: Any = copy.deepcopy(answers[name][1])
    *path, last = draw(st.sampled_from(list(places(whole))[1:]))
    parent = whole
    for key in path:
        parent = parent[key]
    if draw(st.booleans()):
        parent[last] = draw(anything)
    else:
        del parent[last]
    return name, whole


@pytest.fixture(scope="module")
def server() -> Iterator[VenueServer]:
    with running() as server:
        yield server


@pytest.fixture(scope="module")
def http() -> Iterator[Http]:
    client = Http(clock=lambda: recorded.NOON)
    yield client
    client.close()


def venues(http: Http, url: str) -> dict[str, Venue]:
    coinbase = Coinbase(http, url)
    return {
        "coinbase": coinbase,
        "kraken": Kraken(http, url),
        "bitstamp": Bitstamp(http, url),
        "binance": Binance(http, [coinbase], url),
        "pyth": Pyth(http, url),
    }


def check_latest(http: Http, server: VenueServer, *, name: str, answer: object) -> None:
    """Ask the venue that answers so; any other exception than its own is a bug."""
    server.routes = {TICKERS[name][0]: as_json(answer), TETHER: text(recorded.COINBASE_TETHER)}
    refused: VenueError | None = None
    try:
        found = venues(http, server.url)[name].latest(Pair.BTC_USD)
        assert 0 < found.price <= BIGINT_MAX
    except VenueError as error:
        refused = error
    if refused:
        assert refused.figures["venue"] == name
        assert json.dumps(refused.as_json())


@settings(deadline=None)  # sockets on a busy machine
@given(answer=damaged(TICKERS))
@example(answer=("pyth", {"parsed": [{"id": recorded.PYTH_BTC, "price": {"price": 1, "conf": 0, "expo": -30}}]}))
def test_a_damaged_ticker_is_a_price_or_a_typed_refusal(
    http: Http, server: VenueServer, answer: tuple[str, object]
) -> None:
    check_latest(http, server, name=answer[0], answer=answer[1])


@settings(deadline=None)  # sockets on a busy machine
@given(name=st.sampled_from(sorted(TICKERS)), answer=anything)
def test_any_json_at_all_is_a_typed_refusal(http: Http, server: VenueServer, name: str, answer: object) -> None:
    check_latest(http, server, name=name, answer=answer)


@settings(deadline=None)  # sockets on a busy machine
@given(answer=damaged(CANDLES))
def test_damaged_candles_are_closes_or_a_typed_refusal(
    http: Http, server: VenueServer, answer: tuple[str, object]
) -> None:
    name, candles = answer
    server.routes = {CANDLES[name][0]: as_json(candles)}
    candle_venues: dict[str, CandleVenue] = {
        "coinbase": Coinbase(http, server.url),
        "kraken": Kraken(http, server.url),
        "bitstamp": Bitstamp(http, server.url),
    }
    try:
        closes = candle_venues[name].daily_closes(Pair.BTC_USD, count=2, today=recorded.TODAY)
    except (VenueError, ClosesUnavailable):
        return
    assert [each.day for each in closes] == DAYS[:-1]
    assert all(0 < each.price <= BIGINT_MAX for each in closes)
