/** Terms: what is proposed, what is sold, and the steps that a policy is shown on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AMOUNTS, requestOf, satsOf, strikeRange, unsold } from '../src/quoting.js';
import { sentenceOf } from '../src/sentences.js';
import { statusOf, stepsOf } from '../src/words.js';

const OFFERS = [
  { from_percent: 70, to_percent: 80, up_to_days: 30 },
  { from_percent: 80, to_percent: 90, up_to_days: 60 },
  { from_percent: 90, to_percent: 100, up_to_days: 90 },
];
const STATUSES = [
  ...['PendingCreation', 'Active', 'Settling', 'Settled', 'Expiring', 'Expired', 'FailedCreation', 'FailedSettlement'],
  ...['FailedExpiration', 'Quarantined'],
];

test('every strike that the slider has is within what somebody is sold', () => {
  assert.deepEqual(strikeRange(50_000, OFFERS), { lowest: 35_000, highest: 50_000 });
  assert.deepEqual(strikeRange(50_049, OFFERS), { lowest: 35_100, highest: 50_000 });
});

test('both ends of a tier belong to it', () => {
  const isSold = (strike, days) => unsold({ strike, days }, 50_000, OFFERS) === null;
  assert.ok(isSold(35_000, 30) && isSold(40_000, 30) && isSold(40_000, 60) && isSold(45_000, 90) && isSold(50_000, 90));
  assert.ok(!isSold(35_000, 31) && !isSold(44_900, 61) && !isSold(50_100, 7) && !isSold(34_900, 7));
});

test('what is not sold is said with what is', () => {
  assert.equal(
    unsold({ strike: 44_900, days: 61 }, 50_000, OFFERS),
    '$44,900 is not sold for 61 days. At today’s price: up to 30 days $35,000 to $40,000; ' +
      'up to 60 days $40,000 to $45,000; up to 90 days $45,000 to $50,000.',
  );
});

test('amounts go from a hundredth to ten bitcoin, and are asked for in sats', () => {
  assert.deepEqual([AMOUNTS[0], AMOUNTS.at(-1)], [1, 1000]);
  assert.deepEqual(
    AMOUNTS,
    [...new Set(AMOUNTS)].sort((a, b) => a - b),
  );
  assert.equal(satsOf(1000), '1000000000');
  const request = requestOf({ token: 'STX', style: 'american', strike: 45_000, amount: 10, days: 30 });
  assert.equal(request.protected_amount_sats, '10000000');
  assert.equal(request.protected_value_price_feed_units, '4500000000000');
});

test('every status has a name and exactly one place on the way', () => {
  for (const status of STATUSES) {
    assert.notEqual(statusOf(status).name, status === 'Active' ? '' : status);
    const steps = stepsOf(status);
    assert.equal(steps.filter(({ state }) => state === 'current').length, 1, status);
    assert.equal(steps.find(({ state }) => state === 'current').status, status);
  }
});

test('figures in base units are said as people count, other refusals in their own words', () => {
  const figures = { price: '4000000000000', strike: '3600000000000' };
  assert.match(sentenceOf({ code: 'not_in_the_money', figures }), /Bitcoin is at \$40,000, not below \$36,000/);
  assert.equal(sentenceOf({ code: 'quote_over', figures: {}, message: 'it is over; look' }), 'It is over; look.');
});
