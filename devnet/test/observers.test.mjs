/** Observers: what a node and a hook post of blocks, of forks, and what the network makes of it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { Account, Cl, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';

const [deployer, alice] = ['deployer', 'alice'].map((name) => new Account(name));
let devnet;
let probe;
let consumer;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer, alice);
  consumer = await Consumer.listen();
});
afterEach(async () => {
  await devnet.post('/devnet/observers', {});
  consumer.heard.length = 0;
});
after(async () => {
  consumer.server.close();
  await devnet.stop();
});

/** Keeps what is posted to it. */
class Consumer {
  heard = [];
  status = 200;

  static async listen() {
    const consumer = new Consumer();
    consumer.server = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { url, headers } = request;
      response.writeHead(consumer.status).end();
      consumer.heard.push({ url, headers, body: JSON.parse(Buffer.concat(chunks)) });
      consumer.server.emit('heard');
    });
    consumer.server.listen(0, '127.0.0.1');
    await once(consumer.server, 'listening');
    consumer.url = `http://127.0.0.1:${consumer.server.address().port}/events`;
    return consumer;
  }

  async hears(count) {
    while (this.heard.length < count) await once(this.server, 'heard', { signal: AbortSignal.timeout(5000) });
    return this.heard;
  }
}

const observe = (told) => devnet.post('/devnet/observers', { observers: [{ url: consumer.url, ...told }] });

async function printed() {
  const [txid] = await devnet.submit(await alice.call(probe, 'put', [Cl.uint(1), Cl.uint(2)]));
  await devnet.mine();
  return txid;
}

test("a node posts each block whole, and Bitcoin's apart", async () => {
  await observe({ kind: 'node', secret: 'hush' });
  const txid = await printed();
  const [{ url, headers, body }] = await consumer.hears(1);
  assert.deepEqual([url, headers.authorization], ['/events/new_block', 'Bearer hush']);
  const tip = await devnet.get('/extended/v2/blocks/latest');
  assert.equal(body.index_block_hash, tip.index_block_hash);
  assert.equal(body.parent_index_block_hash, tip.parent_index_block_hash);
  assert.deepEqual([body.block_height, body.burn_block_height], [tip.height, tip.burn_block_height]);
  assert.deepEqual([body.transactions[0].txid, body.transactions[0].status], [txid, 'success']);
  const { results } = await devnet.get(`/extended/v2/smart-contracts/${probe}/logs`);
  const event = body.events.find(({ type }) => type === 'contract_event');
  assert.equal(event.contract_event.raw_value, results[0].contract_log.value.hex);
  assert.deepEqual([event.txid, event.committed], [txid, true]);
  await devnet.post('/devnet/burn', { blocks: 3 });
  const heard = await consumer.hears(3);
  assert.equal(heard[2].url, '/events/new_burn_block');
  assert.equal(heard[2].body.burn_block_height, heard[1].body.burn_block_height);
});

test('a node tells a fork only by a parent that is not the block before', async () => {
  await devnet.mine();
  await observe({ kind: 'node' });
  await devnet.mine();
  await devnet.post('/devnet/reorg', { depth: 1 });
  await devnet.mine();
  const [{ body: lost }, { body: won }] = await consumer.hears(2);
  assert.equal(won.parent_index_block_hash, lost.parent_index_block_hash);
  assert.notEqual(won.index_block_hash, lost.index_block_hash);
});

for (const [kind, listsOf, eventOf] of [
  ['chainhook-v1', (body) => body, ({ metadata }) => metadata.receipt.events[0].data.raw_value],
  ['chainhook-v2', (body) => body.event, ({ operations }) => operations[0].metadata.value],
]) {
  test(`${kind} shows what its contract printed, and takes back newest first before it applies`, async () => {
    await observe({ kind, contract: probe });
    const txid = await printed();
    await devnet.mine();
    await devnet.post('/devnet/reorg', { depth: 2 });
    await devnet.mine();
    const [first, second, third] = (await consumer.hears(3)).map(({ body }) => listsOf(body));
    const [transaction] = first.apply[0].transactions;
    assert.equal(transaction.transaction_identifier.hash, txid);
    assert.match(eventOf(transaction), /^0x0c/);
    assert.deepEqual(second.apply[0].transactions, []);
    const taken = third.rollback.map(({ block_identifier: { hash } }) => hash);
    assert.deepEqual(taken, [second, first].map(({ apply }) => apply[0].block_identifier.hash));
    assert.deepEqual(third.rollback[1].transactions, first.apply[0].transactions);
    assert.equal(third.apply[0].transactions[0].transaction_identifier.hash, txid);
    assert.equal(third.apply[0].block_identifier.index, first.apply[0].block_identifier.index);
  });
}

test('two forks before the next block are taken back in one delivery, newest first', async () => {
  await devnet.mine(3);
  await observe({ kind: 'chainhook-v2', contract: probe });
  const top = (await devnet.get('/extended/v2/blocks/latest')).height;
  await devnet.post('/devnet/reorg', { depth: 1 });
  await devnet.post('/devnet/reorg', { depth: 2 });
  await devnet.mine();
  const [{ body }] = await consumer.hears(1);
  const taken = body.event.rollback.map(({ block_identifier: { index } }) => index);
  assert.deepEqual(taken, [top, top - 1, top - 2]);
});

test('what is repeated comes twice, what is lost never, and both are counted', async () => {
  await observe({ kind: 'node', repeat: '1' });
  await devnet.mine();
  const heard = await consumer.hears(2);
  assert.deepEqual(heard[0].body, heard[1].body);
  await observe({ kind: 'node', lose: '1' });
  await devnet.mine();
  const { observers } = await devnet.get('/devnet/observers');
  assert.deepEqual([observers[0].lost, observers[0].waiting], [1, 0]);
  assert.equal(consumer.heard.length, 2);
});

test('a consumer that refuses is asked three times, and holds up no block', async () => {
  consumer.status = 503;
  await observe({ kind: 'node' });
  await devnet.mine(3);
  const heard = await consumer.hears(9);
  consumer.status = 200;
  assert.deepEqual([...new Set(heard.slice(0, 3).map(({ body }) => body.block_height))].length, 1);
});

test('an observer that cannot be meant is refused, a secret is never shown', async () => {
  await observe({ kind: 'node', secret: 'hush' });
  for (const wrong of [
    { url: 'http://example.com/', kind: 'node' },
    { url: consumer.url, kind: 'someone' },
    { url: consumer.url, kind: 'node', repeat: 1 },
    { url: consumer.url, kind: 'node', sercet: 'x' },
  ]) {
    const init = { method: 'POST', body: JSON.stringify({ observers: [wrong] }) };
    assert.equal((await devnet.request('/devnet/observers', init)).status, 400, JSON.stringify(wrong));
  }
  const told = JSON.stringify(await devnet.get('/devnet/observers'));
  assert.ok(!told.includes('hush') && told.includes(consumer.url));
});

test('what waits too long is dropped as too old', async () => {
  const [txid] = await devnet.submit(await alice.call(probe, 'put', [Cl.uint(3), Cl.uint(4)]));
  assert.deepEqual((await devnet.post('/devnet/age', { minutes: 2559 })).dropped, []);
  assert.deepEqual((await devnet.post('/devnet/age', { minutes: 1 })).dropped, [txid]);
  assert.equal((await devnet.get(`/extended/v1/tx/${txid}`)).tx_status, 'dropped_stale_garbage_collect');
});
