/** Kraken: errors come with status 200, and a result goes by another name than was asked for. */
import { formatDecimal } from '../decimals.mjs';
import { json } from '../http.mjs';

const PAIRS = {
  XBTUSD: ['XXBTZUSD', 'BTC/USD', 5],
  XXBTZUSD: ['XXBTZUSD', 'BTC/USD', 5],
  STXUSD: ['STXUSD', 'STX/USD', 6],
  USDTUSD: ['USDTZUSD', 'USDT/USD', 8],
  USDTZUSD: ['USDTZUSD', 'USDT/USD', 8],
};
const DAY_MINUTES = 1440;
const MOST_CANDLES = 720;

export function addKraken(router, market) {
  router.on('GET', '/venues/kraken/0/public/Ticker', ({ query }) => json(200, ticker(market, query)));
  router.on('GET', '/venues/kraken/0/public/OHLC', ({ query }) => json(200, candles(market, query)));
}

function ticker(market, query) {
  const found = PAIRS[query.get('pair')];
  if (found === undefined) return { error: ['EQuery:Unknown asset pair'] };
  const [name, pair, digits] = found;
  const shown = (units) => formatDecimal(units, digits);
  const [price, today] = [market.price('kraken', pair), market.candles('kraken', pair).at(-1)];
  const result = {
    a: [shown(market.ask('kraken', pair)), '1', '1.000'],
    b: [shown(market.bid('kraken', pair)), '1', '1.000'],
    c: [shown(price), '0.00100000'],
    v: ['1245.12345678', '2345.12345678'],
    p: [shown(price), shown(price)],
    t: [14218, 24218],
    l: [shown(today.low), shown(today.low)],
    h: [shown(today.high), shown(today.high)],
    o: shown(today.open),
  };
  return { error: [], result: { [name]: result } };
}

function candles(market, query) {
  const found = PAIRS[query.get('pair')];
  if (found === undefined) return { error: ['EQuery:Unknown asset pair'] };
  if (Number(query.get('interval') ?? 1) !== DAY_MINUTES) return { error: ['EGeneral:Invalid arguments'] };
  const [name, pair, digits] = found;
  const shown = (units) => formatDecimal(units, digits);
  const since = Number(query.get('since') ?? 0);
  const all = market.candles('kraken', pair);
  const rows = all
    .filter(({ time }) => time > since)
    .slice(-MOST_CANDLES)
    .map(({ time, open, high, low, close, volume }) => [
      time,
      ...[open, high, low, close, close].map(shown),
      `${volume}.00000000`,
      volume,
    ]);
  return { error: [], result: { [name]: rows, last: all.at(-2)?.time ?? 0 } };
}
