"""What each venue answers, in its own words and shapes, at noon of one day."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TODAY = NOON.date()
NOON_SECONDS = int(NOON.timestamp())

COINBASE_TICKER = (
    '{"ask":"50010.01","bid":"50009.99","volume":"8123.91283721","trade_id":805423511,'
    '"price":"50010.12345678","size":"0.00124","time":"2026-03-01T11:59:58.123456Z","rfq_volume":"12.5"}'
)
COINBASE_TETHER = (
    '{"ask":"0.99902","bid":"0.99898","volume":"81239128.21","trade_id":15423511,'
    '"price":"0.999","size":"120.5","time":"2026-03-01T11:59:57.5Z","rfq_volume":"0"}'
)
KRAKEN_TICKER = (
    '{"error":[],"result":{"XXBTZUSD":{"a":["50005.10000","1","1.000"],"b":["50005.00000","3","3.000"],'
    '"c":["50005.10000","0.00012000"],"v":["812.1","2300.9"],"p":["49990.1","49800.2"],"t":[20123,51234],'
    '"l":["49100.0","48800.0"],"h":["50500.0","50900.0"],"o":"49500.00000"}}}'
)
KRAKEN_ERROR = '{"error":["EGeneral:Too many requests","EService:Busy"]}'
BITSTAMP_TICKER = (
    f'{{"timestamp":"{NOON_SECONDS - 3}","open":"49500","high":"50900","low":"48800","last":"49995",'
    '"volume":"1500.1","vwap":"49700","bid":"49994","ask":"49996","side":"0","open_24":"49400",'
    '"percent_change_24":"1.20"}'
)
BINANCE_TICKER = (
    '{"symbol":"BTCUSDT","priceChange":"600.00","priceChangePercent":"1.2","weightedAvgPrice":"49800.1",'
    '"prevClosePrice":"49450.0","lastPrice":"50060.06000000","lastQty":"0.001","bidPrice":"50060.05",'
    '"askPrice":"50060.07","openPrice":"49460.06","highPrice":"50950.0","lowPrice":"48850.0",'
    f'"volume":"21000.1","quoteVolume":"1045800000.1","openTime":{(NOON_SECONDS - 86_401) * 1000},'
    f'"closeTime":{(NOON_SECONDS - 1) * 1000},"firstId":1,"lastId":2,"count":2}}'
)
PYTH_BTC = "e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43"
PYTH_UPDATE = (
    '{"binary":{"encoding":"hex","data":["504e4155"]},"parsed":[{'
    f'"id":"{PYTH_BTC}",'
    f'"price":{{"price":"5000800000000","conf":"1500000000","expo":-8,"publish_time":{NOON_SECONDS - 2}}},'
    f'"ema_price":{{"price":"4999000000000","conf":"1600000000","expo":-8,"publish_time":{NOON_SECONDS - 2}}},'
    '"metadata":{"slot":1,"proof_available_time":1,"prev_publish_time":1}}]}'
)


def closing_price(day: date) -> int:
    """A price of that day in whole dollars; what it is does not matter, only that it is the same everywhere."""
    return 50_000 + 37 * (day.toordinal() % 101)


def midnight(day: date) -> int:
    return int(datetime.combine(day, time(0), tzinfo=UTC).timestamp())


def days_to(last: date, count: int) -> list[date]:
    return [last - timedelta(days=back) for back in range(count - 1, -1, -1)]


Price = Callable[[date], float]


def coinbase_candles(days: list[date], price: Price = closing_price) -> list[list[object]]:
    """Newest first; low, high, open, close."""
    return [[midnight(day), 1, 999_999, 48_000.5, price(day), 12.25] for day in reversed(days)]


def kraken_candles(days: list[date], price: Price = closing_price) -> dict[str, object]:
    rows = [[midnight(day), "1", "2", "0.5", str(price(day)), "1.1", "12.25", 9] for day in days]
    return {"error": [], "result": {"XXBTZUSD": rows, "last": midnight(days[-1])}}


def bitstamp_candles(days: list[date], price: Price = closing_price) -> dict[str, object]:
    rows = [
        {
            "timestamp": str(midnight(day)),
            "open": "1",
            "high": "2",
            "low": "0.5",
            "close": str(price(day)),
            "volume": "12.25",
        }
        for day in days
    ]
    return {"data": {"pair": "BTC/USD", "ohlc": rows}}


def binance_candles(days: list[date], price: Price = closing_price) -> list[list[object]]:
    return [
        [midnight(day) * 1000, "1", "2", "0.5", str(price(day)), "12.25", midnight(day) * 1000 + 86_399_999]
        for day in days
    ]
