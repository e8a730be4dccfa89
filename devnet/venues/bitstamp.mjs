/** Bitstamp: bitcoin only; everything is a string. */
import { formatDecimal } from '../decimals.mjs';
import { HttpError, json } from '../http.mjs';

const PAIRS = { btcusd: 'BTC/USD', usdtusd: 'USDT/USD' };
const DIGITS = { 'BTC/USD': 2, 'USDT/USD': 5 };
const DAY_S = 86_400;
const MOST_CANDLES = 1000;

export function addBitstamp(router, market) {
  router.on('GET', '/venues/bitstamp/api/v2/ticker/:pair/', ({ params }) => json(200, ticker(market, params)));
  router.on('GET', '/venues/bitstamp/api/v2/ohlc/:pair/', ({ params, query }) =>
    json(200, candles(market, params, query)),
  );
}

function pairOf({ pair }) {
  const found = PAIRS[pair];
  if (found === undefined) throw new HttpError(404, { status: 'error', reason: 'Not found', code: 'API0001' });
  return found;
}

function ticker(market, params) {
  const pair = pairOf(params);
  const shown = (units) => formatDecimal(units, DIGITS[pair]);
  const today = market.candles('bitstamp', pair).at(-1);
  return {
    timestamp: String(Math.floor(market.now('bitstamp') / 1000)),
    open: shown(today.open),
    high: shown(today.high),
    low: shown(today.low),
    last: shown(market.price('bitstamp', pair)),
    volume: '1245.12345678',
    vwap: shown(today.close),
    bid: shown(market.bid('bitstamp', pair)),
    ask: shown(market.ask('bitstamp', pair)),
    side: '0',
    open_24: shown(today.open),
    percent_change_24: '0.00',
  };
}

function candles(market, params, query) {
  const pair = pairOf(params);
  const [step, limit] = [Number(query.get('step')), Number(query.get('limit'))];
  if (step !== DAY_S || !(limit >= 1 && limit <= MOST_CANDLES)) {
    const reason = { step: ['Only 86400 is offered.'], limit: [`Must be between 1 and ${MOST_CANDLES}.`] };
    throw new HttpError(400, { code: 'validation-error', errors: reason });
  }
  const shown = (units) => formatDecimal(units, DIGITS[pair]);
  const ohlc = market
    .candles('bitstamp', pair)
    .slice(-limit)
    .map(({ time, open, high, low, close, volume }) => ({
      timestamp: String(time),
      open: shown(open),
      high: shown(high),
      low: shown(low),
      close: shown(close),
      volume: `${volume}.00000000`,
    }));
  return { data: { pair, ohlc } };
}
