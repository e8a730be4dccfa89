/** Faults: what becomes of a request that one strikes, and that the same seed strikes the same ones. */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Account } from './account.mjs';
import { Devnet } from './devnet.mjs';

const [alice, bob] = ['alice', 'bob'].map((name) => new Account(name));
let devnet;

before(async () => {
  devnet = await Devnet.start();
  await devnet.mint(alice.address, 1_000_000n);
});
afterEach(() => faults({}));
after(() => devnet.stop());

const faults = (told) => devnet.post('/devnet/faults', told);
const strike = (on, fault, more = {}) => faults({ rules: [{ on, fault, ...more }] });
const signed = (nonce) => alice.transfer(bob.address, 1n, { nonce: BigInt(nonce) });
const info = () => devnet.request('/v2/info');

async function isCut(request) {
  await assert.rejects(request, TypeError);
}

test('an API that limits says for how long', async () => {
  await strike('node', 'limit', { retry_after: 7 });
  const answer = await fetch(`${devnet.url}/v2/info`);
  assert.equal(answer.status, 429);
  assert.equal(answer.headers.get('retry-after'), '7');
});

test('errors, pages of a proxy and garbage come as such, and nothing was done', async () => {
  const transfer = await signed(0);
  for (const [fault, status, type] of [
    ['error', 503, 'application/json'],
    ['html', 200, 'text/html'],
    ['garbage', 400, 'text/plain'],
  ]) {
    await strike('broadcast', fault);
    const answer = await devnet.send(transfer.serializeBytes());
    assert.deepEqual([answer.status, answer.type], [status, type]);
  }
  assert.equal((await devnet.get('/devnet/status')).pending_transactions, 0);
});

test('a reset comes before the request is done, a lost answer after it', async () => {
  const transfer = await signed(0);
  await strike('broadcast', 'reset');
  await isCut(devnet.send(transfer.serializeBytes()));
  assert.equal((await devnet.get('/devnet/status')).pending_transactions, 0);
  await strike('broadcast', 'lose_answer');
  await isCut(devnet.send(transfer.serializeBytes()));
  assert.equal((await devnet.get('/devnet/status')).pending_transactions, 1);
  await devnet.mine();
});

test('what is silently not stored is answered as if it were', async () => {
  const transfer = await signed(1);
  await strike('broadcast', 'not_stored');
  const [txid] = await devnet.submit(transfer);
  assert.equal(txid, `0x${transfer.txid()}`);
  assert.equal((await devnet.request(`/extended/v3/transactions/${txid}`)).status, 404);
});

test('a delay is a delay, and a time-out ends without an answer', async () => {
  await strike('node', 'delay', { ms: 80 });
  const began = performance.now();
  assert.equal((await info()).status, 200);
  assert.ok(performance.now() - began >= 75);
  await strike('node', 'timeout', { ms: 20 });
  await isCut(info());
});

test('a rule strikes as often as it was told, and its surface alone', async () => {
  await strike('api', 'error', { times: 2, status: 502 });
  assert.equal((await info()).status, 200);
  const asked = [];
  for (let time = 0; time < 4; time += 1) asked.push((await devnet.request('/extended/v2/blocks')).status);
  assert.deepEqual(asked, [502, 502, 200, 200]);
  const { rules } = await devnet.get('/devnet/faults');
  assert.equal(rules[0].struck, 2);
});

test('the same seed strikes the same requests, another one others', async () => {
  const struck = async (seed) => {
    await faults({ seed, rules: [{ on: 'node', fault: 'error', share: '0.5' }] });
    const answers = [];
    for (let time = 0; time < 24; time += 1) answers.push((await info()).status);
    return answers.join();
  };
  const first = await struck(7);
  assert.equal(await struck(7), first);
  assert.notEqual(await struck(8), first);
  assert.ok(first.includes('503') && first.includes('200'));
});

test('an unsynced node says so, and a lagging API shows the chain as it was', async () => {
  const transfer = await signed(1);
  const [txid] = await devnet.submit(transfer);
  const before = (await devnet.get('/extended/v2/blocks/latest')).height;
  await devnet.mine(2);
  await faults({ lag: 2, unsynced: true });
  assert.equal((await info()).body.is_fully_synced, false);
  assert.equal((await devnet.get('/extended/v2/blocks/latest')).height, before);
  assert.equal((await devnet.get('/extended/v2/blocks?limit=1')).results[0].height, before);
  assert.equal((await devnet.request(`/extended/v2/blocks/${before + 1}`)).status, 404);
  assert.equal((await devnet.transaction(txid)).status, 'pending');
  assert.equal((await devnet.get(`/extended/v1/address/${alice.address}/nonces`)).possible_next_nonce, 2);
  assert.equal((await devnet.get(`/extended/v1/address/${alice.address}/nonces`)).last_executed_tx_nonce, 0);
  const waiting = await devnet.get(`/extended/v3/principals/${alice.address}/mempool/transactions`);
  assert.deepEqual(waiting.results.map(({ tx_id: id }) => id), [txid]);
  await faults({});
  assert.equal((await devnet.get(`/extended/v1/address/${alice.address}/nonces`)).last_executed_tx_nonce, 1);
  assert.equal((await info()).body.is_fully_synced, true);
  assert.equal((await devnet.transaction(txid)).status, 'success');
});

test('a rule that cannot be meant is refused, and the others stay', async () => {
  await strike('node', 'error');
  for (const wrong of [
    { rules: [{ on: 'nowhere', fault: 'error' }] },
    { rules: [{ on: 'toString', fault: 'error' }] },
    { rules: [{ on: 'node', fault: 'mood' }] },
    { rules: [{ on: 'node', fault: 'not_stored' }] },
    { rules: [{ on: 'node', fault: 'error', share: 0.5 }] },
    { rules: [{ on: 'node', fault: 'error', share: '1.5' }] },
    { rules: [{ on: 'node', fault: 'error', status: 404 }] },
    { rules: [{ on: 'node', fault: 'error', tmies: 1 }] },
    { rules: 'all' },
    { lag: -1 },
    { unsynced: 'yes' },
    { lagg: 1 },
  ]) {
    const answer = await devnet.request('/devnet/faults', { method: 'POST', body: JSON.stringify(wrong) });
    assert.equal(answer.status, 400, JSON.stringify(wrong));
  }
  assert.equal((await info()).status, 503);
  assert.equal((await devnet.get('/devnet/health')).ready, true);
});
