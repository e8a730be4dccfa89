/** Amounts: the API's decimal strings of base units, and what people read. */
const PRICE_UNITS = 10n ** 8n;
/** Of a bitcoin. */
export const SATS = 100_000_000;
const TOKEN_DIGITS = { STX: 6, sBTC: 8 };

const dollars = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD', maximumFractionDigits: 0 });
const cents = new Intl.NumberFormat('en-US', { style: 'currency', currency: 'USD' });

/** @param {string} units USD × 10^8 @returns {number} dollars, near enough to be drawn and shown */
export function toUsd(units) {
  return Number(BigInt(units)) / Number(PRICE_UNITS);
}

/** @param {number} usd whole dollars @returns {string} USD × 10^8 */
export function fromUsd(usd) {
  return String(BigInt(usd) * PRICE_UNITS);
}

/** @param {number} usd */
export function usdText(usd) {
  return Math.abs(usd) < 100 ? cents.format(usd) : dollars.format(usd);
}

/** @param {string | bigint} sats */
export function btcText(sats) {
  return `${decimal(BigInt(sats), 8)} BTC`;
}

/** @param {string} units base units of a token @param {'STX' | 'sBTC'} token */
export function tokenText(units, token) {
  const digits = TOKEN_DIGITS[token];
  const value = BigInt(units);
  // more than cents of a large amount are noise
  const shown = token === 'STX' && value >= 10n ** 8n ? rounded(value, digits, 2) : decimal(value, digits);
  return `${shown} ${token}`;
}

/** @returns {string | null} base units of what a person wrote, null if it is no amount of the token */
export function fromToken(text, token) {
  const digits = TOKEN_DIGITS[token];
  const [, whole, fraction = ''] = /^\s*(\d{1,12})(?:[.,](\d+))?\s*$/.exec(text) ?? [];
  if (whole === undefined || fraction.length > digits) return null;
  return String(BigInt(whole + fraction.padEnd(digits, '0')));
}

/** A number of tokens, near enough to be drawn. */
export function toToken(units, token) {
  return Number(BigInt(units)) / 10 ** TOKEN_DIGITS[token];
}

/** @param {bigint} value */
function decimal(value, digits) {
  const text = String(value).padStart(digits + 1, '0');
  const fraction = text.slice(-digits).replace(/0+$/, '');
  const whole = grouped(text.slice(0, -digits));
  return fraction === '' ? whole : `${whole}.${fraction}`;
}

/** Rounded up: what is shown of a price is never less than it. */
function rounded(value, digits, kept) {
  const step = 10n ** BigInt(digits - kept);
  return decimal(((value + step - 1n) / step) * step, digits);
}

function grouped(whole) {
  return whole.replace(/\B(?=(\d{3})+$)/g, ',');
}

/** @param {string} principal */
export function shortPrincipal(principal) {
  return `${principal.slice(0, 6)}…${principal.slice(-4)}`;
}

const DAY = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium' });
const MOMENT = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** @param {string} iso */
export const dayText = (iso) => DAY.format(new Date(iso));
/** @param {string} iso */
export const momentText = (iso) => MOMENT.format(new Date(iso));
