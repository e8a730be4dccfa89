/** The venues: each one's real JSON, at prices that are set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HttpError, Router } from '../http.mjs';
import { BadPrice, BadVenue, Market } from '../market.mjs';
import { addBinance } from '../venues/binance.mjs';
import { addBitstamp } from '../venues/bitstamp.mjs';
import { addCoinbase } from '../venues/coinbase.mjs';
import { addKraken } from '../venues/kraken.mjs';
import { addPyth } from '../venues/pyth.mjs';

const DAY_S = 86_400;
const BTC_FEED = 'e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43';
const STX_FEED = 'ec7a775f46379b5e943c3526b1c8d54cd49749176b0b98e02dde68d1bd335c17';
const KEY = { authorization: 'Bearer anything' };

function venues(market = new Market()) {
  const router = new Router();
  for (const addVenue of [addBinance, addBitstamp, addCoinbase, addKraken, addPyth]) addVenue(router, market);
  return (path, headers = {}) => {
    try {
      const { status, type, content } = router.answer('GET', `/venues${path}`, headers, Buffer.alloc(0));
      return { status, body: type === 'application/json' ? JSON.parse(content) : content };
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return { status: error.answer.status, body: error.answer.content };
    }
  };
}

const isRecent = (milliseconds) => Math.abs(milliseconds - Date.now()) < 5000;
const today = () => Math.floor(Date.now() / 1000 / DAY_S) * DAY_S;

test('Coinbase: a ticker with strings and a time in microseconds', () => {
  const { status, body } = venues()('/coinbase/products/BTC-USD/ticker');
  assert.equal(status, 200);
  assert.deepEqual([body.price, body.bid, body.ask], ['50000.00', '49999.50', '50000.50']);
  assert.match(body.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  assert.ok(isRecent(Date.parse(body.time)));
  assert.equal(typeof body.trade_id, 'number');
  assert.equal(venues()('/coinbase/products/STX-USD/ticker').body.price, '2.0000');
  assert.equal(venues()('/coinbase/products/USDT-USD/ticker').body.price, '1.00000');
  assert.equal(venues()('/coinbase/products/ETH-USD/ticker').status, 404);
});

test('Coinbase: candles newest first as time, low, high, open, close, 300 at most', () => {
  const { body } = venues()('/coinbase/products/BTC-USD/candles?granularity=86400');
  assert.equal(body.length, 300);
  assert.deepEqual([body[0][0], body[1][0]], [today(), today() - DAY_S]);
  for (const [, low, high, open, close] of body) assert.ok(low < Math.min(open, close) && high > Math.max(open, close));
  const [[, , , todaysOpen], [, , , , yesterdaysClose]] = body;
  assert.equal(todaysOpen, yesterdaysClose);
  assert.equal(yesterdaysClose, 50000);
});

test('Coinbase: start and end bound the candles, and more than 300 are refused', () => {
  const ask = venues();
  const path = '/coinbase/products/BTC-USD/candles?granularity=86400';
  const [from, to] = [today() - 399 * DAY_S, today() - 300 * DAY_S];
  const { body } = ask(`${path}&start=${new Date(from * 1000).toISOString()}&end=${to}`);
  assert.deepEqual([body.length, body.at(-1)[0], body[0][0]], [100, from, to]);
  const { status, body: refused } = ask(`${path}&start=${from}&end=${today()}`);
  assert.equal(status, 400);
  assert.match(refused, /exceeds 300/);
  assert.equal(ask('/coinbase/products/BTC-USD/candles?granularity=7').status, 400);
});

test('Kraken: one result under another name, prices in lists of strings', () => {
  const { body } = venues()('/kraken/0/public/Ticker?pair=XBTUSD');
  assert.deepEqual(body.error, []);
  assert.deepEqual(Object.keys(body.result), ['XXBTZUSD']);
  const ticker = body.result.XXBTZUSD;
  assert.deepEqual(Object.keys(ticker).sort(), ['a', 'b', 'c', 'h', 'l', 'o', 'p', 't', 'v']);
  assert.equal(ticker.c[0], '50002.00000');
  assert.equal(ticker.a.length, 3);
  assert.equal(venues()('/kraken/0/public/Ticker?pair=USDTUSD').body.result.USDTZUSD.c[0], '1.00004000');
  assert.equal(venues()('/kraken/0/public/Ticker?pair=STXUSD').body.result.STXUSD.c[0], '2.000080');
});

test('Kraken: an unknown pair is an error with status 200', () => {
  const { status, body } = venues()('/kraken/0/public/Ticker?pair=XYZUSD');
  assert.deepEqual([status, body], [200, { error: ['EQuery:Unknown asset pair'] }]);
});

test("Kraken: candles oldest first as strings, today's last and not yet committed", () => {
  const { body } = venues()('/kraken/0/public/OHLC?pair=XBTUSD&interval=1440');
  const rows = body.result.XXBTZUSD;
  assert.equal(rows.length, 401);
  assert.equal(rows.at(-1)[0], today());
  assert.equal(body.result.last, today() - DAY_S);
  assert.equal(rows[0].length, 8);
  assert.deepEqual(
    rows[0].map((field) => typeof field),
    ['number', ...Array(6).fill('string'), 'number'],
  );
  const since = venues()(`/kraken/0/public/OHLC?pair=XBTUSD&interval=1440&since=${today() - 3 * DAY_S}`);
  assert.equal(since.body.result.XXBTZUSD.length, 3);
});

test('Bitstamp: everything is a string, and there is no STX', () => {
  const { body } = venues()('/bitstamp/api/v2/ticker/btcusd/');
  assert.deepEqual([body.last, body.bid, body.ask], ['49998.00', '49997.50', '49998.50']);
  assert.ok(isRecent(Number(body.timestamp) * 1000));
  assert.ok(Object.values(body).every((field) => typeof field === 'string'));
  assert.equal(venues()('/bitstamp/api/v2/ticker/stxusd/').status, 404);
});

test('Bitstamp: candles oldest first, as many as asked, 1000 at most', () => {
  const { body } = venues()('/bitstamp/api/v2/ohlc/btcusd/?step=86400&limit=2');
  assert.equal(body.data.pair, 'BTC/USD');
  assert.deepEqual(
    body.data.ohlc.map(({ timestamp }) => timestamp),
    [String(today() - DAY_S), String(today())],
  );
  assert.deepEqual(Object.keys(body.data.ohlc[0]).sort(), ['close', 'high', 'low', 'open', 'timestamp', 'volume']);
  assert.equal(venues()('/bitstamp/api/v2/ohlc/btcusd/?step=86400&limit=1000').body.data.ohlc.length, 401);
  assert.equal(venues()('/bitstamp/api/v2/ohlc/btcusd/?step=86400&limit=1001').status, 400);
  assert.equal(venues()('/bitstamp/api/v2/ohlc/btcusd/?step=86400').status, 400);
});

test('Binance: prices in USDT, times in milliseconds', () => {
  const market = new Market();
  market.setPrices({ binance: { 'BTC/USD': '50000', 'USDT/USD': '0.5' } });
  const { body } = venues(market)('/binance/api/v3/ticker/24hr?symbol=BTCUSDT');
  assert.deepEqual([body.symbol, body.lastPrice], ['BTCUSDT', '100000.00000000']);
  assert.ok(isRecent(body.closeTime));
  assert.equal(venues(market)('/binance/api/v3/ticker/price?symbol=BTCUSDT').body.price, '100000.00000000');
  assert.equal(venues()('/binance/api/v3/ticker/24hr?symbol=STXUSDT').body.lastPrice, '2.00000000');
  const unknown = venues()('/binance/api/v3/ticker/24hr?symbol=ETHUSDT');
  assert.deepEqual([unknown.status, unknown.body], [400, '{"code":-1121,"msg":"Invalid symbol."}']);
});

test('Binance: candles oldest first with twelve fields, 500 unless asked for', () => {
  const { body } = venues()('/binance/api/v3/klines?symbol=BTCUSDT&interval=1d');
  assert.equal(body.length, 401);
  assert.equal(body[0].length, 12);
  assert.deepEqual([body.at(-1)[0], body.at(-1)[6]], [today() * 1000, (today() + DAY_S) * 1000 - 1]);
  assert.equal(typeof body[0][4], 'string');
  assert.equal(venues()('/binance/api/v3/klines?symbol=BTCUSDT&interval=1d&limit=3').body.length, 3);
});

test('Pyth: whole numbers in strings with an exponent, for whoever has a key', () => {
  const path = `/pyth/v2/updates/price/latest?ids[]=${BTC_FEED}&ids[]=0x${STX_FEED}&parsed=true`;
  assert.equal(venues()(path).status, 401);
  const { status, body } = venues()(path, KEY);
  assert.equal(status, 200);
  assert.deepEqual(
    body.parsed.map(({ id }) => id),
    [BTC_FEED, STX_FEED],
  );
  const { price, conf, expo, publish_time: time } = body.parsed[0].price;
  assert.deepEqual([price, expo], ['4999900000000', -8]);
  assert.ok(BigInt(conf) > 0n && BigInt(conf) * 200n < BigInt(price));
  assert.ok(isRecent(time * 1000));
  assert.deepEqual(Object.keys(body.parsed[0]).sort(), ['ema_price', 'id', 'metadata', 'price']);
  assert.equal(body.binary.encoding, 'hex');
  assert.equal(venues()(`/pyth/v2/updates/price/latest?ids[]=${'ab'.repeat(32)}`, KEY).status, 404);
});

test('a price set for all shows everywhere within a ten-thousandth, one set for a venue exactly there', () => {
  const market = new Market();
  const shown = market.setPrices({ 'BTC/USD': '41234.56', kraken: { 'BTC/USD': '40000.12345678' } });
  for (const venue of ['coinbase', 'bitstamp', 'binance', 'pyth']) {
    assert.ok(Math.abs(Number(shown[venue]['BTC/USD']) / 41234.56 - 1) < 1e-4);
  }
  assert.equal(shown.kraken['BTC/USD'], '40000.12345678');
  assert.equal(venues(market)('/coinbase/products/BTC-USD/ticker').body.price, '41234.56');
  const [newest] = venues(market)('/coinbase/products/BTC-USD/candles?granularity=86400').body;
  assert.equal(newest[4], 41234.56);
});

test('a price that is none changes nothing', () => {
  const market = new Market();
  const shown = market.prices();
  for (const orders of [
    { 'BTC/USD': '-1' },
    { 'BTC/USD': '0' },
    { 'BTC/USD': '1e5' },
    { 'ETH/USD': '1' },
    { 'STX/USD': '3', 'BTC/USD': 'x' },
    { kraken: { 'ETH/USD': '1' } },
  ]) {
    assert.throws(() => market.setPrices(orders), BadPrice);
  }
  assert.deepEqual(market.prices(), shown);
});

test('a venue that is down answers 503 to everything until it is well again', () => {
  const market = new Market();
  assert.deepEqual(market.setVenues({ kraken: 'down' }).kraken, 'down');
  const ask = venues(market);
  assert.equal(ask('/kraken/0/public/Ticker?pair=XBTUSD').status, 503);
  assert.equal(ask('/kraken/0/public/OHLC?pair=XBTUSD&interval=1440').status, 503);
  assert.equal(ask('/coinbase/products/BTC-USD/ticker').status, 200);
  assert.equal(market.prices().kraken['BTC/USD'], '50002.00000000');
  market.setVenues({ kraken: 'ok' });
  assert.equal(ask('/kraken/0/public/Ticker?pair=XBTUSD').status, 200);
});

test('a stale venue shows the prices of the moment it fell behind, and calls them an hour old', () => {
  const market = new Market();
  market.setVenues({ coinbase: 'stale', bitstamp: 'stale', binance: 'stale', pyth: 'stale', kraken: 'stale' });
  market.setPrices({ 'BTC/USD': '40000' });
  const ask = venues(market);
  const coinbase = ask('/coinbase/products/BTC-USD/ticker').body;
  assert.equal(coinbase.price, '50000.00');
  assert.equal(ask('/kraken/0/public/Ticker?pair=XBTUSD').body.result.XXBTZUSD.c[0], '50002.00000');
  const times = [
    Date.parse(coinbase.time),
    ask('/bitstamp/api/v2/ticker/btcusd/').body.timestamp * 1000,
    ask('/binance/api/v3/ticker/24hr?symbol=BTCUSDT').body.closeTime,
    ask(`/pyth/v2/updates/price/latest?ids[]=${BTC_FEED}`, KEY).body.parsed[0].price.publish_time * 1000,
  ];
  for (const time of times) assert.ok(isRecent(time + 3_600_000));
  market.setVenues({ coinbase: 'ok' });
  assert.equal(ask('/coinbase/products/BTC-USD/ticker').body.price, '40000.00');
  assert.ok(isRecent(Date.parse(ask('/coinbase/products/BTC-USD/ticker').body.time)));
});

test('a factor is on every price of its venue, and cancels out of none', () => {
  const market = new Market();
  market.setVenues({ binance: { factor: '1.05' }, bitstamp: { factor: '0.9' } });
  const shown = market.setPrices({ 'BTC/USD': '40000', 'USDT/USD': '1' });
  assert.equal(shown.binance['BTC/USD'], '42000.84000000');
  assert.equal(Number(venues(market)('/binance/api/v3/ticker/24hr?symbol=BTCUSDT').body.lastPrice).toFixed(0), '42000');
  assert.equal(venues(market)('/bitstamp/api/v2/ticker/btcusd/').body.last, '35998.56');
});

test('an order for venues that makes no sense changes nothing', () => {
  const market = new Market();
  for (const orders of [
    { kraken: 'down', mtgox: 'down' },
    { kraken: 'asleep' },
    { kraken: null },
    { kraken: { factor: '0' } },
    { kraken: { factor: '-1' } },
  ]) {
    assert.throws(() => market.setVenues(orders), BadVenue);
  }
  assert.deepEqual(new Set(Object.values(market.venues())), new Set(['ok']));
});

test("closes can be set, and are yesterday's and the days' before", () => {
  const market = new Market();
  market.setCloses({ 'BTC/USD': ['100', '110', '120'] });
  const candles = market.candles('coinbase', 'BTC/USD');
  assert.deepEqual(
    candles.map(({ close }) => close),
    [10_000_000_000n, 11_000_000_000n, 12_000_000_000n, 5_000_000_000_000n],
  );
  assert.equal(candles.at(-2).time, today() - DAY_S);
  assert.throws(() => market.setCloses({ 'BTC/USD': [] }), BadPrice);
});

test('the closes at the start have the volatility they should, and are the same each time', () => {
  for (const [pair, volatility] of [
    ['BTC/USD', 0.6],
    ['STX/USD', 0.9],
  ]) {
    const closes = () =>
      new Market()
        .candles('coinbase', pair)
        .slice(0, -1)
        .map(({ close }) => Number(close));
    const all = closes();
    assert.deepEqual(closes(), all);
    assert.equal(all.length, 400);
    const recent = all.slice(-361);
    const returns = recent.slice(1).map((close, day) => Math.log(close / recent[day]));
    const mean = returns.reduce((sum, value) => sum + value, 0) / returns.length;
    const variance = returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (returns.length - 1);
    assert.ok(Math.abs(Math.sqrt(variance * 365) / volatility - 1) < 0.05, String(Math.sqrt(variance * 365)));
  }
});
