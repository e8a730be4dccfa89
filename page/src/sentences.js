/** Refusals whose figures are base units, said as people count; every other one says itself what is wrong. */
import { toUsd, tokenText, usdText } from './units.js';

const SENTENCES = {
  not_in_the_money: ({ price, strike }) =>
    `Bitcoin is at ${usdText(toUsd(price))}, not below ${usdText(toUsd(strike))}: there is nothing to pay out. The policy stays active.`,
  nothing_to_pay: () => 'At this price there is nothing to pay out. The policy stays active.',
  below_minimum: ({ payout, token, min_payout: least }) =>
    `It would pay ${tokenText(payout, token)}, less than the ${tokenText(least, token)} that you asked for. The policy stays active.`,
  no_capacity: ({ free, needed, token }) =>
    `The pool has ${tokenText(free, token)} free for this, the policy needs ${tokenText(needed, token)}. Choose less, the other token, or come back later.`,
  too_many_open_quotes: ({ open }) =>
    `You have ${open} quotes that you did not buy. Wait a few minutes until one of them has ended.`,
};

/** @param {Error} error what the API, the wallet or the network answered */
export function sentenceOf({ code, figures, message }) {
  const say = SENTENCES[code];
  return say === undefined || figures === undefined ? sentence(message) : say(figures);
}

function sentence(text) {
  const begun = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(begun) ? begun : `${begun}.`;
}
