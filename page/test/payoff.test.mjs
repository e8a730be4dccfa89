/** What a policy comes to at a price: as the contract pays, capped by what is locked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capPrice, payoffOf, payoffText } from '../src/payoff.js';

const STX = { strike: 45_000, btc: 0.1, premium: '95000000', most: '4050000000', token: 'STX', spot: 50_000, stx: 2 };
const SBTC = { strike: 45_000, btc: 0.1, premium: '380000', most: '10800000', token: 'sBTC', spot: 50_000, stx: null };

test('from the strike on it pays nothing', () => {
  for (const terms of [STX, SBTC]) {
    const { payout } = payoffOf(terms);
    assert.equal(payout(45_000), 0);
    assert.equal(payout(60_000), 0);
    assert.ok(payout(44_999) > 0);
  }
});

test('below it pays the difference', () => {
  assert.equal(payoffOf(STX).payout(40_000), 500);
  assert.equal(payoffOf(SBTC).payout(40_000), 500);
});

test('it never pays more than what is locked, which is worth less the farther bitcoin falls', () => {
  const { payout } = payoffOf(SBTC);
  // 10 800 000 sats at 10 000 dollars
  assert.ok(Math.abs(payout(10_000) - 1080) < 1e-6);
  const half = payoffOf(STX).payout(10_000);
  // 4 050 STX at 40 cents, a fifth of today's as bitcoin is
  assert.ok(Math.abs(half - 1620) < 1e-6);
});

test('the price down to which it makes up for all of the fall lies where both sides are equal', () => {
  for (const terms of [STX, SBTC]) {
    const payoff = payoffOf(terms);
    const price = capPrice(payoff);
    assert.equal(payoff.isCapped(price - 1), true);
    assert.equal(payoff.isCapped(price + 1), false);
  }
});

test('it is said in words too', () => {
  const text = payoffText(payoffOf(STX));
  assert.match(text, /Above \$45,000 the policy pays nothing and costs the premium of \$190/);
  assert.match(text, /\$2,000 if bitcoin falls to \$25,000/);
});
