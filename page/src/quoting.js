/** The terms that the sliders say, and what they would cost: asked a moment after the last change. */
import { sentenceOf } from './sentences.js';
import { fromUsd, toUsd, usdText } from './units.js';

const QUIET_MS = 250;
const AGAIN_MS = 30_000;
const STRIKE_STEP = 100;
const USUAL_STRIKE_SHARE = 0.9;

export const LEAST_DAYS = 7;
export const MOST_DAYS = 90;

/** Hundredths of a bitcoin: fine where amounts are small. */
export const AMOUNTS = [...stops(1, 10, 1), ...stops(15, 100, 5), ...stops(125, 1000, 25)];
const SATS_OF_A_HUNDREDTH = 1_000_000;

/** `amount` in hundredths of a bitcoin, strike in dollars; which strikes are sold is not known before the price is. */
export const FIRST_TERMS = { token: 'STX', style: 'american', strike: null, amount: 10, days: 30 };

function stops(from, to, step) {
  return Array.from({ length: (to - from) / step + 1 }, (_, index) => from + index * step);
}

/** @returns {string} sats */
export function satsOf(amount) {
  return String(amount * SATS_OF_A_HUNDREDTH);
}

/** @returns {{lowest: number, highest: number}} the strikes, in dollars, that somebody may be sold at a spot price */
export function strikeRange(spot, offers) {
  const least = Math.min(...offers.map(({ from_percent: percent }) => percent));
  const most = Math.max(...offers.map(({ to_percent: percent }) => percent));
  return strikesOf({ from_percent: least, to_percent: most }, spot);
}

function strikesOf({ from_percent: least, to_percent: most }, spot) {
  const lowest = Math.ceil((least * spot) / 100 / STRIKE_STEP) * STRIKE_STEP;
  return { lowest, highest: Math.max(lowest, Math.floor((most * spot) / 100 / STRIKE_STEP) * STRIKE_STEP) };
}

/** @returns {string | null} why terms are sold by no tier, and what would be */
export function unsold({ strike, days }, spot, offers) {
  const isSold = ({ from_percent: least, to_percent: most, up_to_days: longest }) =>
    days <= longest && least * spot <= 100 * strike && 100 * strike <= most * spot;
  if (offers.some(isSold)) return null;
  const sold = offers.map((offer) => {
    const { lowest, highest } = strikesOf(offer, spot);
    return `up to ${offer.up_to_days} days ${usdText(lowest)} to ${usdText(highest)}`;
  });
  return `${usdText(strike)} is not sold for ${days} days. At today’s price: ${sold.join('; ')}.`;
}

/** The body of a request for a policy. */
export function requestOf({ token, style, strike, amount, days }) {
  return {
    policy_type: 'PUT',
    protected_value_price_feed_units: fromUsd(strike),
    protected_amount_sats: satsOf(amount),
    duration_days: days,
    premium_token: token,
    exercise_style: style,
  };
}

/** @param {object} preview an answer of the API @returns {{spot: number, stx: number | null}} dollars */
export function pricesOf(preview) {
  const price = (pair) => preview.pricing.prices.find((each) => each.pair === pair)?.price;
  const stx = price('STX/USD');
  return { spot: toUsd(price('BTC/USD')), stx: stx === undefined ? null : toUsd(stx) };
}

export function createQuoting({ store, api }) {
  let timer;
  let isChosen = false;
  let asked = new AbortController();

  function later(milliseconds) {
    clearTimeout(timer);
    timer = setTimeout(ask, milliseconds);
  }

  async function ask() {
    asked.abort();
    asked = new AbortController();
    const { signal } = asked;
    const { terms, config, spot } = store.get();
    later(document.hidden ? 4 * AGAIN_MS : AGAIN_MS);
    const problem = terms.strike === null ? null : unsold(terms, spot, config.offers);
    if (problem !== null) return refused(problem);
    try {
      // a strike of a dollar is sold by nobody: the refusal says the price
      const body = requestOf({ ...terms, strike: terms.strike ?? 1 });
      const preview = await api.ask('POST', '/quotes/preview', { body, signal });
      store.set({ preview, previewProblem: null, isQuoting: false, ...pricesOf(preview) });
      settle(terms, pricesOf(preview));
    } catch (error) {
      if (!signal.aborted) failed(error, terms);
    }
    return undefined;
  }

  /** The first price is what was last known: what is proposed follows the real one, unless somebody chose. */
  function settle({ strike }, { spot }) {
    if (isChosen) return;
    isChosen = true;
    if (usualStrike(spot, store.get().config.offers) !== strike) propose(spot);
  }

  function failed(error, terms) {
    if (error.code !== 'outside_tiers') return refused(sentenceOf(error));
    const spot = toUsd(error.figures.spot);
    if (!isChosen) return propose(spot);
    store.set({ spot });
    return refused(unsold(terms, spot, store.get().config.offers) ?? sentenceOf(error));
  }

  function refused(previewProblem) {
    store.set({ preview: null, previewProblem, isQuoting: false });
  }

  function propose(spot) {
    store.set({ spot });
    change({ strike: usualStrike(spot, store.get().config.offers) });
  }

  function change(changes) {
    store.set(({ terms }) => ({ terms: { ...terms, ...changes }, isQuoting: true }));
    later(QUIET_MS);
  }

  return {
    change(changes) {
      isChosen = true;
      change(changes);
    },
    refresh: ask,
    /** @param {string | null} spot what a bitcoin cost last, USD × 10^8, if that is known */
    start: (spot) => (spot === null ? ask() : propose(toUsd(spot))),
  };
}

function usualStrike(spot, offers) {
  const { lowest, highest } = strikeRange(spot, offers);
  const usual = Math.round((spot * USUAL_STRIKE_SHARE) / STRIKE_STEP) * STRIKE_STEP;
  return Math.min(highest, Math.max(lowest, usual));
}
