/** Daily closes that look like a market's and are the same each time. */

const DAYS_A_YEAR = 365;

/**
 * A geometric random walk that ends at `last`; its daily log returns have exactly the asked volatility and no drift.
 * @param {{seed: number, days: number, last: number, volatility: number}} walk volatility per year, 0.6 for 60 %
 * @returns {number[]} oldest first
 */
export function dailyCloses({ seed, days, last, volatility }) {
  const returns = standardised(normals(seed, days - 1)).map((z) => (z * volatility) / Math.sqrt(DAYS_A_YEAR));
  const closes = [last];
  for (const change of returns) closes.push(closes.at(-1) / Math.exp(change));
  return closes.reverse();
}

function standardised(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));
  return values.map((value) => (value - mean) / deviation);
}

/** By Box and Muller. */
function normals(seed, count) {
  const uniform = uniforms(seed);
  return Array.from({ length: count }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    return radius * Math.cos(2 * Math.PI * uniform());
  });
}

/** In [0, 1), from a linear congruential generator (Numerical Recipes' constants). */
function uniforms(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
