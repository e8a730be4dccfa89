/** What every venue trades at: prices that are set, and daily candles that end in them. */
import { UNIT, formatDecimal, parseDecimal, shifted } from './decimals.mjs';
import { HttpError } from './http.mjs';
import { dailyCloses } from './random_walk.mjs';

const DAY_S = 86_400;
const DAYS = 400;

/** By pair: the price at the start, and the yearly volatility of the days before. */
const PAIRS = {
  'BTC/USD': { price: '50000', volatility: 0.6, seed: 1 },
  'STX/USD': { price: '2', volatility: 0.9, seed: 2 },
  'USDT/USD': { price: '1', volatility: 0.01, seed: 3 },
};

/** How far each venue stands from the price that is set for all, in 100 000ths. */
const SPREADS = { coinbase: 0, kraken: 4, bitstamp: -4, binance: 2, pyth: -2 };
/** From the last price to the best bid and ask, and from a day's open or close to its low and high. */
const HALF_SPREAD = 1;
const WICK = 400;
/** How old a stale venue's answers say they are. */
const STALE_MS = 3_600_000;
/** What Binance's prices are in: a factor on it would cancel out the one on the price. */
const UNIT_OF_PRICES = 'USDT/USD';

export class BadPrice extends Error {}
export class BadVenue extends Error {}

export class Market {
  #prices = new Map();
  #closes = new Map();
  #troubles = new Map();

  constructor() {
    for (const [pair, { price, volatility, seed }] of Object.entries(PAIRS)) {
      this.#setEverywhere(pair, parseDecimal(price));
      this.#closes.set(pair, dailyCloses({ seed, days: DAYS, last: Number(price), volatility }).map(unitsOf));
    }
  }

  /**
   * @param orders {"BTC/USD": "50000.12"} for all venues, {kraken: {"BTC/USD": "50100"}} for one
   * @returns what each venue now shows
   * @throws BadPrice; nothing has changed then
   */
  setPrices(orders) {
    const changes = Object.entries(orders).flatMap(([name, order]) =>
      name in SPREADS ? Object.entries(order).map(([pair, price]) => [pair, price, name]) : [[name, order, null]],
    );
    for (const [pair, price, venue] of changes.map(checked)) {
      if (venue === null) this.#setEverywhere(pair, price);
      else this.#prices.set(`${venue} ${pair}`, price);
    }
    return this.prices();
  }

  /** @param orders {"BTC/USD": ["49000", …]}: daily closes, the last of them yesterday's; 1 to 2000 of them */
  setCloses(orders) {
    const changes = Object.entries(orders).map(([pair, closes]) => {
      if (!Array.isArray(closes) || closes.length < 1 || closes.length > 2000) {
        throw new BadPrice('closes must be a list of 1 to 2000 prices');
      }
      return [pair, closes.map((close) => checked([pair, close, null])[1])];
    });
    for (const [pair, closes] of changes) this.#closes.set(pair, closes);
    return Object.fromEntries([...this.#closes].map(([pair, closes]) => [pair, closes.length]));
  }

  /**
   * What is wrong with venues from now on: "down" answers nothing but 503; "stale" shows the prices of this moment, an
   * hour old (Kraken tells no times); {factor: "1.05"} shows every price times that; "ok" ends it.
   * @param orders {kraken: "down", pyth: {factor: "1.05"}}
   * @returns how each venue now is
   * @throws BadVenue; nothing has changed then
   */
  setVenues(orders) {
    const changes = Object.entries(orders).map(([venue, order]) => [venue, troubleOf(venue, order)]);
    for (const [venue, trouble] of changes) {
      this.#troubles.set(venue, { ...trouble, frozen: this.#frozen(venue, trouble) });
    }
    return this.venues();
  }

  /** {venue: "ok" | "down" | "stale" | {factor: "1.05"}} */
  venues() {
    return Object.fromEntries(Object.keys(SPREADS).map((venue) => [venue, this.#troubles.get(venue)?.order ?? 'ok']));
  }

  /** {venue: {pair: "50000.00000000"}} */
  prices() {
    const shown = (venue) =>
      Object.fromEntries(Object.keys(PAIRS).map((pair) => [pair, formatDecimal(this.#shown(venue, pair), 8)]));
    return Object.fromEntries(Object.keys(SPREADS).map((venue) => [venue, shown(venue)]));
  }

  /** In 10^-8 dollars.
   * @throws HttpError for a venue that is down */
  price(venue, pair) {
    if (this.#troubles.get(venue)?.order === 'down') throw new HttpError(503, 'Service Unavailable');
    return this.#shown(venue, pair);
  }

  /** What a venue's answers say the time is, in ms. */
  now(venue) {
    return Date.now() - (this.#troubles.get(venue)?.order === 'stale' ? STALE_MS : 0);
  }

  bid(venue, pair) {
    return shifted(this.price(venue, pair), -HALF_SPREAD);
  }

  ask(venue, pair) {
    return shifted(this.price(venue, pair), HALF_SPREAD);
  }

  /** Oldest first, the last one today's and still open: {time (Unix s), open, high, low, close, volume}. */
  candles(venue, pair, now = Date.now()) {
    const today = Math.floor(now / 1000 / DAY_S) * DAY_S;
    const past = this.#closes.get(pair).map((close) => shifted(close, SPREADS[venue]));
    const closes = [...past, this.price(venue, pair)];
    return closes.map((close, day) =>
      candle(today - (closes.length - 1 - day) * DAY_S, closes[Math.max(0, day - 1)], close),
    );
  }

  #shown(venue, pair) {
    const { frozen, factor = UNIT } = this.#troubles.get(venue) ?? {};
    const price = frozen?.[pair] ?? this.#prices.get(`${venue} ${pair}`);
    return pair === UNIT_OF_PRICES ? price : (price * factor) / UNIT;
  }

  #frozen(venue, { order }) {
    if (order !== 'stale') return null;
    return Object.fromEntries(Object.keys(PAIRS).map((pair) => [pair, this.#prices.get(`${venue} ${pair}`)]));
  }

  #setEverywhere(pair, price) {
    for (const [venue, spread] of Object.entries(SPREADS)) this.#prices.set(`${venue} ${pair}`, shifted(price, spread));
  }
}

function troubleOf(venue, order) {
  if (!(venue in SPREADS)) throw new BadVenue(`unknown venue ${venue}: there are ${Object.keys(SPREADS).join(', ')}`);
  if (['ok', 'down', 'stale'].includes(order)) return { order };
  const factor = parseDecimal(String(order?.factor));
  if (factor === null) {
    throw new BadVenue(`${venue} can be ok, down, stale or {"factor": "1.05"}, not ${JSON.stringify(order)}`);
  }
  return { order: { factor: String(order.factor) }, factor };
}

function checked([pair, price, venue]) {
  if (!(pair in PAIRS)) throw new BadPrice(`unknown pair ${pair}: there are ${Object.keys(PAIRS).join(', ')}`);
  const units = parseDecimal(String(price));
  if (units === null) throw new BadPrice(`${pair} must be a positive number of at most 8 decimals, not ${price}`);
  return [pair, units, venue];
}

function candle(time, open, close) {
  const [lower, upper] = open < close ? [open, close] : [close, open];
  const volume = 1000 + (Math.floor(time / DAY_S) % 97);
  return { time, open, high: shifted(upper, WICK), low: shifted(lower, -WICK), close, volume };
}

function unitsOf(price) {
  return BigInt(Math.round(price * Number(UNIT)));
}
