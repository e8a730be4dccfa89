/** Blocks: on demand, back again, read at, and burnt through. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Account, Cl, FEE, furnish, read } from './account.mjs';
import { Devnet } from './devnet.mjs';

const SNAPSHOTS = 12;
const deployer = new Account('deployer');
const alice = new Account('alice');
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start('--snapshots', String(SNAPSHOTS), '--transactions-per-block', '3');
  probe = await furnish(devnet, deployer, alice);
});
after(() => devnet.stop());

function put(key, value, changes) {
  return alice.call(probe, 'put', [Cl.uint(key), Cl.uint(value)], changes);
}

const entryAt = (key, tip) => read(devnet, probe, 'get-entry', [Cl.uint(key)], tip);

test('a block takes as many as the setting says and leaves the rest waiting', async () => {
  const txids = await devnet.submit(...(await Promise.all([1, 2, 3, 4].map((key) => put(key, key)))));
  const { transactions, tip } = await devnet.mine();
  assert.deepEqual(transactions, txids.slice(0, 3));
  assert.equal(tip.tx_count, 3);
  assert.deepEqual((await devnet.mine()).transactions, txids.slice(3));
});

test('blocks are numbered one by one and linked by hash, burn heights rise with burn blocks only', async () => {
  await devnet.mine(2);
  await devnet.post('/devnet/burn', { blocks: 3 });
  const { results } = await devnet.get('/extended/v2/blocks?limit=4');
  for (const [newer, older] of [
    [0, 1],
    [1, 2],
    [2, 3],
  ].map((pair) => pair.map((place) => results[place]))) {
    assert.equal(newer.height, older.height + 1);
    assert.equal(newer.parent_index_block_hash, older.index_block_hash);
    assert.equal(newer.parent_block_hash, older.hash);
  }
  assert.deepEqual(
    results.map(({ burn_block_height: height }) => height - results[1].burn_block_height),
    [3, 0, 0, 0],
  );
  assert.notEqual(results[0].burn_block_hash, results[1].burn_block_hash);
  assert.equal(results[1].burn_block_hash, results[2].burn_block_hash);
});

test('a jump of n burn blocks seals one block, and contracts see the new height in it', async () => {
  const earlier = await devnet.get('/v2/info');
  await devnet.submit(await put(5, 5));
  const { blocks, transactions, tip } = await devnet.post('/devnet/burn', { blocks: 144 });
  const later = await devnet.get('/v2/info');
  assert.equal(blocks, 1);
  assert.equal(later.stacks_tip_height, earlier.stacks_tip_height + 1);
  assert.equal(later.burn_block_height, earlier.burn_block_height + 144);
  assert.equal(tip.burn_block_height, later.burn_block_height);
  assert.equal(await read(devnet, probe, 'get-burn-height'), `u${later.burn_block_height}`);
  const { results } = await devnet.get(`/extended/v3/transactions/${transactions[0]}/events`);
  assert.match(results[0].contract_log.value.repr, new RegExp(`\\(burn-height u${later.burn_block_height}\\)`));
});

test('/v2/info may be ahead of the tip by burn blocks that no block has seen yet', async () => {
  const { burn_block_height: height } = await devnet.get('/v2/info');
  await devnet.post('/devnet/burn-ahead', { blocks: 2 });
  assert.equal((await devnet.get('/v2/info')).burn_block_height, height + 2);
  assert.equal((await devnet.get('/extended/v2/blocks/latest')).burn_block_height, height);
  await devnet.post('/devnet/burn-ahead', { blocks: 0 });
});

test('a read at an older block sees its state, whatever order blocks are asked in', async () => {
  const tips = [];
  for (const value of [70, 71, 72]) {
    await devnet.submit(await put(7, value));
    tips.push((await devnet.mine()).tip.index_block_hash);
  }
  const older = (await devnet.get(`/extended/v2/blocks/${tips[0]}`)).parent_index_block_hash;
  assert.equal(await entryAt(7, tips[0]), '(some u70)');
  assert.equal(await entryAt(7, tips[2].slice(2)), '(some u72)');
  assert.equal(await entryAt(7, older), 'none');
  assert.equal(await entryAt(7, tips[1]), '(some u71)');
  assert.equal(await entryAt(7, null), '(some u72)');
  await devnet.submit(await put(7, 73));
  await devnet.mine();
  assert.equal(await entryAt(7, tips[1]), '(some u71)');
  assert.equal(await entryAt(7, null), '(some u73)');
});

test('a tip that is unknown, orphaned or forgotten is 404', async () => {
  const status = async (tip) => {
    const [address, name] = probe.split('.');
    const body = JSON.stringify({ sender: address, arguments: [] });
    const path = `/v2/contracts/call-read/${address}/${name}/get-burn-height?tip=${tip}`;
    return (await devnet.request(path, { method: 'POST', body })).status;
  };
  const {
    tip: { index_block_hash: orphan },
  } = await devnet.mine();
  assert.equal(await status(orphan), 200);
  await devnet.post('/devnet/reorg', { depth: 1 });
  assert.equal(await status(orphan), 404);
  assert.equal(await status('ab'.repeat(32)), 404);
  const {
    tip: { index_block_hash: old },
  } = await devnet.mine();
  await devnet.mine(SNAPSHOTS - 1);
  assert.equal(await status(old), 200);
  await devnet.mine();
  assert.equal(await status(old), 404);
});

test('a reorganisation that keeps them gives the transactions back to the mempool and to the next blocks', async () => {
  const base = await devnet.get('/extended/v2/blocks/latest');
  const { balance, nonce } = await devnet.account(alice.address);
  const [first] = await devnet.submit(await put(8, 80));
  await devnet.mine();
  const [second] = await devnet.submit(await put(8, 81));
  const { tip: orphan } = await devnet.mine();
  const orphaned = await devnet.transaction(second);
  const answer = await devnet.post('/devnet/reorg', { depth: 2, transactions: 'keep' });
  assert.deepEqual(
    answer.orphaned.map(({ height }) => height),
    [base.height + 2, base.height + 1],
  );
  assert.deepEqual(answer.transactions, [second, first]);
  assert.equal(answer.tip.index_block_hash, base.index_block_hash);
  assert.equal((await devnet.transaction(second)).status, 'pending');
  assert.equal(await entryAt(8, null), 'none');
  assert.deepEqual(await devnet.account(alice.address), { balance, nonce });
  assert.equal((await devnet.request(`/extended/v2/blocks/${orphan.index_block_hash}`)).status, 404);
  await devnet.mine();
  const again = await devnet.transaction(second);
  assert.equal(again.status, 'success');
  assert.notEqual(again.block.index_hash, orphaned.block.index_hash);
  assert.equal(await entryAt(8, null), '(some u81)');
  assert.deepEqual(await devnet.account(alice.address), { balance: balance - 2n * FEE, nonce: nonce + 2 });
});

test('after a reorganisation other bytes may take the nonce for a higher fee', async () => {
  const nonce = alice.nonce;
  const [mined] = await devnet.submit(await put(9, 90));
  await devnet.mine();
  await devnet.post('/devnet/reorg', { depth: 1 });
  const [bumped] = await devnet.submit(await put(9, 91, { nonce, fee: FEE + 1n }));
  await devnet.mine();
  assert.equal((await devnet.request(`/extended/v3/transactions/${mined}`)).status, 404);
  assert.equal((await devnet.transaction(bumped)).status, 'success');
  assert.equal(await entryAt(9, null), '(some u91)');
});

test('a reorganisation that drops them forgets transactions, logs and contracts', async () => {
  const logs = () => devnet.get(`/extended/v2/smart-contracts/${probe}/logs`);
  const sent = () => devnet.get(`/extended/v3/principals/${alice.address}/transactions`);
  const [{ total: logged }, { total: listed }] = [await logs(), await sent()];
  const [gone, child] = await devnet.submit(
    await put(10, 1),
    await deployer.deploy('child', '(define-read-only (f) u1)'),
  );
  await devnet.mine();
  assert.deepEqual([(await logs()).total, (await sent()).total], [logged + 1, listed + 1]);
  await devnet.post('/devnet/reorg', { depth: 1, transactions: 'drop' });
  alice.nonce -= 1n;
  deployer.nonce -= 1n;
  await devnet.mine();
  for (const txid of [gone, child]) {
    assert.equal((await devnet.request(`/extended/v3/transactions/${txid}`)).status, 404);
  }
  assert.deepEqual([(await logs()).total, (await sent()).total], [logged, listed]);
  assert.equal((await devnet.request(`/v2/contracts/interface/${deployer.address}/child`)).status, 404);
});

test('the same bytes may be sent again after they were dropped', async () => {
  const transaction = await put(11, 1);
  const [txid] = await devnet.submit(transaction);
  await devnet.post('/devnet/drop', { txid, status: 'dropped_too_expensive' });
  assert.equal((await devnet.request(`/extended/v3/transactions/${txid}`)).status, 404);
  await devnet.submit(transaction);
  await devnet.mine();
  assert.equal((await devnet.transaction(txid)).status, 'success');
});

test('a reorganisation deeper than the states kept changes nothing', async () => {
  const { index_block_hash: tip } = await devnet.get('/extended/v2/blocks/latest');
  const body = JSON.stringify({ depth: SNAPSHOTS + 1 });
  const {
    status,
    body: { error },
  } = await devnet.request('/devnet/reorg', { method: 'POST', body });
  assert.equal(status, 400);
  assert.match(error, /cannot go back/);
  assert.equal((await devnet.get('/extended/v2/blocks/latest')).index_block_hash, tip);
});

test('the clock makes blocks and burn blocks until it is paused', async () => {
  const { height, burn_block_height: burnHeight } = await devnet.get('/extended/v2/blocks/latest');
  await devnet.post('/devnet/clock', { block_ms: 20, burn_block_ms: 40 });
  const deadline = Date.now() + 10_000;
  let tip;
  do tip = await devnet.get('/extended/v2/blocks/latest');
  while ((tip.height < height + 4 || tip.burn_block_height < burnHeight + 2) && Date.now() < deadline);
  await devnet.post('/devnet/pause');
  const { tip: paused } = await devnet.mine();
  assert.ok(paused.height > height + 4 && paused.burn_block_height >= burnHeight + 2);
  const { clock } = await devnet.get('/devnet/status');
  assert.deepEqual(clock, { paused: true, block_ms: 20, burn_block_ms: 40 });
  await devnet.post('/devnet/clock', { block_ms: 0, burn_block_ms: 0 });
  await devnet.post('/devnet/resume');
  assert.equal((await devnet.get('/extended/v2/blocks/latest')).height, paused.height);
});
