/** Prices as whole numbers of 10^-8, so that nothing is lost between what is set and what is shown. */

export const UNIT = 100_000_000n;
const DIGITS = 8;

/** "50000.12" → 5000012000000n; null for what is no positive number of at most 8 decimals. */
export function parseDecimal(text) {
  const [, whole, fraction = ''] = /^(\d{1,12})(?:\.(\d{1,8}))?$/.exec(text) ?? [];
  if (whole === undefined) return null;
  const units = BigInt(whole) * UNIT + BigInt(fraction.padEnd(DIGITS, '0'));
  return units > 0n ? units : null;
}

/** 5000012000000n, 2 → "50000.12"; half up. */
export function formatDecimal(units, digits) {
  const step = 10n ** BigInt(DIGITS - digits);
  const rounded = (units + step / 2n) / step;
  const text = rounded.toString().padStart(digits + 1, '0');
  return digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/** One 100 000th more or less of a price, `count` times. */
export function shifted(units, count) {
  return units + (units * BigInt(count)) / 100_000n;
}
