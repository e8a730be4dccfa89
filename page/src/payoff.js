/** What a policy comes to at each price of bitcoin: the arithmetic, and its drawing. */
import { svg } from 'lit-html';
import { toToken, toUsd, usdText } from './units.js';

const FROM_SHARE = 0.25;
const TO_SHARE = 1.25;
const POINTS = 120;
const SIZE = { width: 640, height: 300, left: 16, right: 16, top: 34, bottom: 34 };

/**
 * @param {{strike: number, btc: number, premium: string, most: string, token: 'STX' | 'sBTC', spot: number,
 *   stx: number | null}} terms premium and most in base units, prices in dollars
 * @returns the same in dollars, with `payout(price)`
 */
export function payoffOf({ strike, btc, premium, most, token, spot, stx }) {
  const today = token === 'STX' ? stx : spot;
  const cap = toToken(most, token);
  return {
    strike,
    spot,
    premium: toToken(premium, token) * today,
    // STX is drawn as if it fell with bitcoin: what is locked is worth less the farther both fall
    payout: (price) => Math.min(Math.max(0, strike - price) * btc, (cap * today * price) / spot),
    isCapped: (price) => (strike - price) * btc > (cap * today * price) / spot,
  };
}

/** The lowest price down to which the policy makes up for all of the fall. */
export function capPrice({ isCapped, strike, spot }) {
  let [low, high] = [0, Math.min(strike, spot)];
  for (let step = 0; step < 40; step += 1) {
    const middle = (low + high) / 2;
    if (isCapped(middle)) low = middle;
    else high = middle;
  }
  return high;
}

/** What the drawing shows, in words. */
export function payoffText(payoff) {
  const { strike, premium, payout } = payoff;
  const cap = capPrice(payoff);
  const half = payoff.spot / 2;
  return (
    `Above ${usdText(strike)} the policy pays nothing and costs the premium of ${usdText(premium)}. ` +
    `Below, it pays the difference: ${usdText(payout(half))} if bitcoin falls to ${usdText(half)}. ` +
    `Under about ${usdText(cap)} what is locked for it no longer covers all of the fall.`
  );
}

/** @param payoff of payoffOf */
export function payoffChart(payoff) {
  const { strike, spot, premium, payout } = payoff;
  const [from, to] = [spot * FROM_SHARE, spot * TO_SHARE];
  const prices = Array.from({ length: POINTS + 1 }, (_, index) => from + ((to - from) * index) / POINTS);
  const cap = capPrice(payoff);
  const nets = [...new Set([...prices, strike, cap])]
    .sort((a, b) => a - b)
    .map((price) => [price, payout(price) - premium]);
  const scale = scaleOf(nets, from, to);
  const line = nets.map(([price, net]) => `${scale.x(price)},${scale.y(net)}`).join(' ');
  const zero = scale.y(0);
  const area = `${scale.x(from)},${zero} ${line} ${scale.x(to)},${zero}`;
  return svg`
    <svg class="chart" viewBox="0 0 ${SIZE.width} ${SIZE.height}" role="img" aria-labelledby="payoff-title payoff-text">
      <title id="payoff-title">What the policy comes to at each price of bitcoin</title>
      <desc id="payoff-text">${payoffText(payoff)}</desc>
      <clipPath id="gain"><rect x="0" y="0" width=${SIZE.width} height=${zero} /></clipPath>
      <clipPath id="cost"><rect x="0" y=${zero} width=${SIZE.width} height=${SIZE.height - zero} /></clipPath>
      <polygon class="gain" points=${area} clip-path="url(#gain)" />
      <polygon class="cost" points=${area} clip-path="url(#cost)" />
      <line class="zero" x1=${SIZE.left} x2=${SIZE.width - SIZE.right} y1=${zero} y2=${zero} />
      ${upright('today', { at: scale.x(spot), label: `today ${usdText(spot)}`, y: SIZE.height - 10 })}
      ${upright('strike', { at: scale.x(strike), label: `protected ${usdText(strike)}`, y: 18 })}
      <polyline class="net" points=${line} />
      ${peak({ at: scale.x(cap), y: scale.y(payout(cap) - premium), label: `up to ${usdText(payout(cap))}` })}
      <text class="label" x=${scale.x(to)} y=${zero - 8} text-anchor="end">premium −${usdText(premium)}</text>
    </svg>
  `;
}

function scaleOf(nets, from, to) {
  const values = nets.map(([, net]) => net);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const span = most - least || 1;
  const width = SIZE.width - SIZE.left - SIZE.right;
  const height = SIZE.height - SIZE.top - SIZE.bottom - 16;
  return {
    x: (price) => round(SIZE.left + ((price - from) / (to - from)) * width),
    y: (net) => round(SIZE.top + ((most - net) / span) * height),
  };
}

function upright(name, { at, label, y }) {
  return svg`
    <line class="upright ${name}" x1=${at} x2=${at} y1=${SIZE.top - 8} y2=${SIZE.height - SIZE.bottom + 6} />
    <text class="label ${name}" x=${at} y=${y} text-anchor=${anchorAt(at)}>${label}</text>
  `;
}

function peak({ at, y, label }) {
  return svg`
    <circle class="peak" cx=${at} cy=${y} r="5" />
    <text class="label" x=${at} y=${y - 12} text-anchor=${anchorAt(at)}>${label}</text>
  `;
}

/** Near an edge a label stays inside. */
function anchorAt(at) {
  if (at > SIZE.width * 0.85) return 'end';
  return at < SIZE.width * 0.15 ? 'start' : 'middle';
}

function round(value) {
  return Math.round(value * 10) / 10;
}
