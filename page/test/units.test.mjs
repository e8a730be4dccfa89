/** Amounts, from base units to what people read and back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { btcText, fromToken, fromUsd, toToken, toUsd, tokenText, usdText } from '../src/units.js';

test('dollars are whole from a hundred on, and a strike comes back as it was', () => {
  assert.equal(usdText(45_000), '$45,000');
  assert.equal(usdText(16.268), '$16.27');
  assert.equal(fromUsd(45_000), '4500000000000');
  assert.equal(toUsd(fromUsd(45_000)), 45_000);
});

test('no digit of an amount is lost that is worth anything', () => {
  assert.equal(tokenText('94758911', 'STX'), '94.758911 STX');
  assert.equal(tokenText('10000000', 'STX'), '10 STX');
  assert.equal(tokenText('1', 'sBTC'), '0.00000001 sBTC');
  assert.equal(
    tokenText('340282366920938463463374607431768211455', 'sBTC'),
    '3,402,823,669,209,384,634,633,746,074,317.68211455 sBTC',
  );
  assert.equal(btcText('1000000'), '0.01 BTC');
});

test('of a large amount of STX cents are shown, rounded up', () => {
  assert.equal(tokenText('4050000001', 'STX'), '4,050.01 STX');
  assert.equal(tokenText('999999999999', 'STX'), '1,000,000 STX');
});

test('what a person writes is an amount of the token or nothing', () => {
  assert.equal(fromToken('1.5', 'STX'), '1500000');
  assert.equal(fromToken(' 1,5 ', 'STX'), '1500000');
  assert.equal(fromToken('0.00000001', 'sBTC'), '1');
  for (const text of ['', 'x', '-1', '1e3', '1.0000001', '1.5.5', '1 000'])
    assert.equal(fromToken(text, 'STX'), null, text);
  assert.equal(toToken('1500000', 'STX'), 1.5);
});
