/** Coinbase Exchange: ticker, and candles newest first as [time, low, high, open, close, volume]. */
import { formatDecimal } from '../decimals.mjs';
import { HttpError, json } from '../http.mjs';

const PRODUCTS = {
  'BTC-USD': ['BTC/USD', 2],
  'STX-USD': ['STX/USD', 4],
  'USDT-USD': ['USDT/USD', 5],
};
const DAY_S = 86_400;
const MOST_CANDLES = 300;
const GRANULARITIES = [60, 300, 900, 3600, 21_600, DAY_S];

export function addCoinbase(router, market) {
  router.on('GET', '/venues/coinbase/products/:product/ticker', ({ params }) => json(200, ticker(market, params)));
  router.on('GET', '/venues/coinbase/products/:product/candles', ({ params, query }) =>
    json(200, candles(market, params, query)),
  );
}

function product({ product: name }) {
  const found = PRODUCTS[name];
  if (found === undefined) throw new HttpError(404, { message: 'NotFound' });
  return found;
}

function ticker(market, params) {
  const [pair, digits] = product(params);
  return {
    ask: formatDecimal(market.ask('coinbase', pair), digits),
    bid: formatDecimal(market.bid('coinbase', pair), digits),
    volume: '10245.12345678',
    trade_id: Math.floor(Date.now() / 1000),
    price: formatDecimal(market.price('coinbase', pair), digits),
    size: '0.01234567',
    time: `${new Date(market.now('coinbase')).toISOString().slice(0, -1)}000Z`,
    rfq_volume: '0.000000',
  };
}

function candles(market, params, query) {
  const [pair, digits] = product(params);
  const granularity = Number(query.get('granularity') ?? 60);
  if (!GRANULARITIES.includes(granularity)) throw new HttpError(400, { message: 'Unsupported granularity' });
  if (granularity !== DAY_S) return [];
  const [start, end] = [seconds(query.get('start')), seconds(query.get('end'))];
  if (start !== null && end !== null && (end - start) / granularity > MOST_CANDLES) {
    const message =
      'granularity too small for the requested time range. ' +
      `Count of aggregations requested exceeds ${MOST_CANDLES}`;
    throw new HttpError(400, { message });
  }
  const number = (units) => Number(formatDecimal(units, digits));
  return market
    .candles('coinbase', pair)
    .filter(({ time }) => (start === null || time >= start) && (end === null || time <= end))
    .slice(-MOST_CANDLES)
    .reverse()
    .map(({ time, open, high, low, close, volume }) => [
      time,
      number(low),
      number(high),
      number(open),
      number(close),
      volume,
    ]);
}

/** Unix seconds or ISO 8601; null for neither. */
function seconds(text) {
  if (text === null || text === '') return null;
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text) / 1000;
  if (Number.isNaN(time)) throw new HttpError(400, { message: 'Invalid start or end' });
  return time;
}
