/** Binance: priced in USDT; times in milliseconds. */
import { UNIT, formatDecimal } from '../decimals.mjs';
import { HttpError, json } from '../http.mjs';

const SYMBOLS = { BTCUSDT: 'BTC/USD', STXUSDT: 'STX/USD' };
const DIGITS = 8;
const DAY_MS = 86_400_000;
const USUAL_CANDLES = 500;
const MOST_CANDLES = 1000;

export function addBinance(router, market) {
  router.on('GET', '/venues/binance/api/v3/ticker/24hr', ({ query }) => json(200, ticker(market, query)));
  router.on('GET', '/venues/binance/api/v3/ticker/price', ({ query }) => json(200, lastPrice(market, query)));
  router.on('GET', '/venues/binance/api/v3/klines', ({ query }) => json(200, candles(market, query)));
}

function symbolOf(query) {
  const symbol = query.get('symbol');
  if (SYMBOLS[symbol] === undefined) throw new HttpError(400, { code: -1121, msg: 'Invalid symbol.' });
  return [symbol, SYMBOLS[symbol]];
}

/** Dollars to USDT. */
function shownIn(market) {
  const dollars = market.price('binance', 'USDT/USD');
  return (units) => formatDecimal((units * UNIT) / dollars, DIGITS);
}

function lastPrice(market, query) {
  const [symbol, pair] = symbolOf(query);
  return { symbol, price: shownIn(market)(market.price('binance', pair)) };
}

function ticker(market, query) {
  const [symbol, pair] = symbolOf(query);
  const shown = shownIn(market);
  const price = shown(market.price('binance', pair));
  const today = market.candles('binance', pair).at(-1);
  const closeTime = market.now('binance');
  return {
    symbol,
    priceChange: '0.00000000',
    priceChangePercent: '0.000',
    weightedAvgPrice: price,
    prevClosePrice: shown(today.open),
    lastPrice: price,
    lastQty: '0.00100000',
    bidPrice: shown(market.bid('binance', pair)),
    bidQty: '1.00000000',
    askPrice: shown(market.ask('binance', pair)),
    askQty: '1.00000000',
    openPrice: shown(today.open),
    highPrice: shown(today.high),
    lowPrice: shown(today.low),
    volume: '12451.12345678',
    quoteVolume: '622556172.83900000',
    openTime: closeTime - DAY_MS,
    closeTime,
    firstId: 1,
    lastId: 24218,
    count: 24218,
  };
}

function candles(market, query) {
  const [, pair] = symbolOf(query);
  if (query.get('interval') !== '1d') throw new HttpError(400, { code: -1120, msg: 'Invalid interval.' });
  const limit = Number(query.get('limit') ?? USUAL_CANDLES);
  if (!(limit >= 1)) throw new HttpError(400, { code: -1100, msg: "Illegal characters found in parameter 'limit'." });
  const shown = shownIn(market);
  const [from, to] = [Number(query.get('startTime') ?? 0), Number(query.get('endTime') ?? Infinity)];
  return market
    .candles('binance', pair)
    .filter(({ time }) => time * 1000 >= from && time * 1000 <= to)
    .slice(-Math.min(limit, MOST_CANDLES))
    .map(({ time, open, high, low, close, volume }) => [
      time * 1000,
      ...[open, high, low, close].map(shown),
      `${volume}.00000000`,
      time * 1000 + DAY_MS - 1,
      '0.00000000',
      volume,
      '0.00000000',
      '0.00000000',
      '0',
    ]);
}
