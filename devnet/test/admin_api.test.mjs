/** The admin API: what it answers, and what it refuses without changing anything. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Account } from './account.mjs';
import { Devnet } from './devnet.mjs';

const alice = new Account('alice');
const MOST_STX = BigInt(Number.MAX_SAFE_INTEGER);
let devnet;

before(async () => {
  devnet = await Devnet.start();
});
after(() => devnet.stop());

async function refusal(path, body) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await devnet.request(path, { method: 'POST', body: text });
  return answer.status;
}

test('new STX is there at once', async () => {
  await devnet.mint(alice.address, 5n);
  assert.deepEqual(await devnet.mint(alice.address, 7n), { recipient: alice.address, balance: '12' });
  assert.deepEqual(await devnet.account(alice.address), { balance: 12n, nonce: 0 });
  await devnet.mine();
  assert.equal((await devnet.account(alice.address)).balance, 12n);
});

test('never more STX than numbers can tell apart, none for contracts, none for nobody', async () => {
  for (const body of [
    { recipient: alice.address, amount: String(MOST_STX) },
    { recipient: alice.address, amount: '0' },
    { recipient: alice.address, amount: '1.5' },
    { recipient: `${alice.address}.pool`, amount: '1' },
    { recipient: 'nobody', amount: '1' },
    {},
    '{',
  ]) {
    assert.equal(await refusal('/devnet/mint', body), 400);
  }
  assert.equal((await devnet.account(alice.address)).balance, 12n);
});

test('orders that make no sense are 400', async () => {
  for (const [path, body] of [
    ['mine', { blocks: 0 }],
    ['mine', { blocks: 1.5 }],
    ['burn', { blocks: -1 }],
    ['burn-ahead', {}],
    ['clock', { block_ms: -1 }],
    ['clock', { burn_block_ms: 'x' }],
    ['reorg', {}],
    ['reorg', { depth: 99 }],
    ['reorg', { depth: 1, transactions: 'lose' }],
    ['drop', { txid: '0x', status: 'lost' }],
    ['prices', { 'BTC/USD': 'x' }],
    ['candles', { 'BTC/USD': [] }],
    ['venues', { kraken: 'asleep' }],
  ]) {
    assert.equal(await refusal(`/devnet/${path}`, body), 400, path);
  }
  assert.equal(await refusal('/devnet/drop', { txid: `0x${'ab'.repeat(32)}` }), 404);
});

test('status tells tip, clock, prices and memory', async () => {
  const status = await devnet.get('/devnet/status');
  assert.deepEqual(Object.keys(status).sort(), [
    'burn_ahead',
    'burn_block_height',
    'clock',
    'epoch',
    'height',
    'index_block_hash',
    'journal',
    'memory',
    'pending_transactions',
    'prices',
    'uptime_s',
    'venues',
  ]);
  assert.deepEqual(Object.keys(status.prices).sort(), ['binance', 'bitstamp', 'coinbase', 'kraken', 'pyth']);
  assert.ok(status.memory.rss > 0);
});

test('prices set by the admin show at the venues', async () => {
  await devnet.post('/devnet/prices', { 'BTC/USD': '45000.5', 'STX/USD': '1.85' });
  assert.equal((await devnet.get('/venues/coinbase/products/BTC-USD/ticker')).price, '45000.50');
  assert.equal((await devnet.get('/venues/coinbase/products/STX-USD/ticker')).price, '1.8500');
  await devnet.post('/devnet/candles', { 'BTC/USD': ['44000', '44500'] });
  const rows = await devnet.get('/venues/coinbase/products/BTC-USD/candles?granularity=86400');
  assert.deepEqual(
    rows.map(([, , , , close]) => close),
    [45000.5, 44500, 44000],
  );
});
