/** The journal: what a devnet has answered for outlives its process. */
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import { replay } from '../replay.mjs';
import { Cl, FEE } from './account.mjs';
import { Devnet } from './devnet.mjs';
import { Place, deployer, furnished, probe, running } from './journaled.mjs';
import { accounts, dice, step } from './life.mjs';
import { sight } from './sight.mjs';

const STEPS = 40;
/** Reads the VM's own clock, which a replay must not take from the machine's. */
const WATCH_SOURCE = `
(define-data-var seen uint u0)
(define-public (look) (begin
  (var-set seen (unwrap-panic (get-stacks-block-info? time (- stacks-block-height u1))))
  (ok (var-get seen))))`;

const [alice, bob, carol] = accounts;
const place = new Place();
after(() => place.remove());

test('after a restart everything that can be seen of a long life is what it was', async () => {
  const journal = place.newPath();
  const [roll, sent] = [dice(11), new Map()];
  const seen = await running(journal, async (devnet) => {
    await furnished(devnet);
    const watch = `${deployer.address}.watch`;
    for (let at = 0; at < STEPS; at += 1) await step(devnet, probe, roll, sent);
    await devnet.submit(await deployer.deploy('watch', WATCH_SOURCE));
    await devnet.mine();
    const [look] = await devnet.submit(await deployer.call(watch, 'look', []));
    await devnet.mine();
    assert.equal((await devnet.transaction(look)).status, 'success');
    return sight(devnet, probe);
  });
  for (const restart of ['first', 'second']) {
    assert.deepEqual(await running(journal, (devnet) => sight(devnet, probe)), seen, `${restart} restart`);
  }
});

test('what waits, what was dropped or replaced, prices, venues and the clock outlive a restart', async () => {
  const journal = place.newPath();
  const [seen, gone] = await running(journal, async (devnet) => {
    await furnished(devnet);
    const put = (value, changes) => alice.call(probe, 'put', [Cl.uint(1), Cl.uint(value)], changes);
    const [replaced] = await devnet.submit(await put(1, { nonce: 0n }));
    await devnet.submit(await put(2, { nonce: 0n, fee: FEE + 5n }), await put(3, { nonce: 4n }));
    const [dropped] = await devnet.submit(await bob.transfer(alice.address, 5n, { nonce: 0n, memo: 'for you' }));
    await devnet.post('/devnet/drop', { txid: dropped, status: 'dropped_too_expensive' });
    await devnet.submit(await carol.transfer(alice.address, 5n, { nonce: 0n, memo: 'for you' }));
    await devnet.post('/devnet/burn-ahead', { blocks: 2 });
    await devnet.post('/devnet/prices', { 'BTC/USD': '41000.5', kraken: { 'STX/USD': '1.85' } });
    await devnet.post('/devnet/candles', { 'BTC/USD': ['40000', '40500'] });
    await devnet.post('/devnet/venues', { pyth: 'stale', bitstamp: { factor: '1.05' } });
    await devnet.post('/devnet/prices', { 'BTC/USD': '39000' });
    await devnet.post('/devnet/clock', { block_ms: 70, burn_block_ms: 0 });
    await devnet.post('/devnet/pause');
    return [await sight(devnet, probe), [replaced, dropped]];
  });
  await running(journal, async (devnet) => {
    assert.deepEqual(await sight(devnet, probe), seen);
    for (const txid of gone) assert.equal((await devnet.request(`/extended/v3/transactions/${txid}`)).status, 404);
    assert.equal((await devnet.get('/devnet/status')).pending_transactions, 3);
    const { transactions } = await devnet.mine();
    assert.equal(transactions.length, 2);
  });
});

for (const fate of ['keep', 'drop']) {
  test(`a reorganisation that does ${fate} is done again, and one behind the restart is as good as before it`, async () => {
    const journal = place.newPath();
    const call = (probe, value) => alice.call(probe, 'put', [Cl.uint(1), Cl.uint(value)]);
    const seen = await running(journal, async (devnet) => {
      await furnished(devnet);
      for (const value of [1, 2, 3]) {
        await devnet.submit(await call(probe, value));
        await devnet.mine();
      }
      await devnet.post('/devnet/reorg', { depth: 2, transactions: fate });
      return sight(devnet, probe);
    });
      await running(journal, async (devnet) => {
      assert.deepEqual(await sight(devnet, probe), seen);
      const { orphaned, transactions } = await devnet.post('/devnet/reorg', { depth: 1, transactions: fate });
      assert.deepEqual([orphaned.length, transactions.length], [1, 1]);
      assert.equal((await devnet.account(alice.address)).nonce, 0);
      assert.equal((await devnet.mine()).transactions.length, fate === 'keep' ? 3 : 0);
    });
  });
}

test('what was answered before a kill -9 in the middle of traffic is there after it', async () => {
  const journal = place.newPath();
  const devnet = await Devnet.start('--journal', journal);
  await furnished(devnet);
  const calls = [];
  for (let at = 0; at < 150; at += 1) calls.push(await alice.call(probe, 'put', [Cl.uint(at % 7), Cl.uint(at)]));
  await devnet.post('/devnet/clock', { block_ms: 5, burn_block_ms: 20 });
  const known = { txids: [], tips: [], mints: 0 };
  const untilItEnds = async (work) => {
    try {
      for (;;) await work();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what fetch throws where nobody answers any more
    }
  };
  await Promise.all([
    untilItEnds(async () => {
      const { status, body } = await devnet.send(calls[known.txids.length].serializeBytes());
      if (status === 200) known.txids.push(`0x${body}`); // else the mempool has enough of this account
      if (known.txids.length === 100) devnet.process.kill('SIGKILL');
    }),
    untilItEnds(async () => {
      await devnet.mint(bob.address, 1n);
      known.mints += 1;
    }),
    untilItEnds(async () => known.tips.push(await devnet.get('/devnet/health'))),
  ]);
  await running(journal, async (again) => {
    for (const txid of known.txids) assert.equal((await again.transaction(txid)).tx_id, txid);
    for (const { height, index_block_hash: hash } of known.tips) {
      assert.equal((await again.get(`/extended/v2/blocks/${height}`)).index_block_hash, hash);
    }
    const minted = (await again.account(bob.address)).balance - 100_000_000n;
    assert.ok(minted === BigInt(known.mints) || minted === BigInt(known.mints) + 1n);
    assert.ok(known.tips.length > 0 && known.mints > 0);
  });
});

test('a replay says every two seconds how far it is, and lets signals through', async (context) => {
  let now = 0;
  context.mock.method(performance, 'now', () => (now += 30));
  const told = [];
  let taken = 0;
  const journal = {
    progress: 0.5,
    *entries() {
      for (; taken < 200; taken += 1) yield { order: 'wait' };
    },
    bad: (reason) => new Error(reason),
    resume() {},
  };
  const seen = [];
  const watching = setInterval(() => seen.push(taken), 0);
  const orders = { wait: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1) };
  await replay(journal, { chain: null, orders, log: { notice: (event, figures) => told.push([event, figures]) } });
  clearInterval(watching);
  assert.ok(seen.length > 10, 'timers and signals wait for the end');
  assert.ok(told.length >= 2);
  assert.deepEqual([told[0][0], told[0][1].percent], ['replaying', 50]);
});

test('the status tells how many operations were done again, and how many there are', async () => {
  const journal = place.newPath();
  await running(journal, (devnet) => devnet.mine(5));
  await running(journal, async (devnet) => {
    const { replay_ms: ms, ...figures } = (await devnet.get('/devnet/status')).journal;
    assert.deepEqual(figures, { operations: 5, replayed: 5, bytes: fs.statSync(journal).size });
    assert.ok(Number.isInteger(ms));
    await devnet.mine();
    assert.equal((await devnet.get('/devnet/status')).journal.operations, 6);
  });
});
