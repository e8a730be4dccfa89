/** The Hiro API's answers, key by key: v2 blocks and logs, v3 transactions and principals. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Account, Cl, FEE, Pc, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';

const deployer = new Account('deployer');
const alice = new Account('alice');
const bob = new Account('bob');
const HASH = /^0x[0-9a-f]{64}$/;
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer, alice, bob);
  for (const key of [1, 2, 3]) await devnet.submit(await put(key));
  await devnet.mine();
  await devnet.submit(await put(4));
  await devnet.mine();
});
after(() => devnet.stop());

function put(key, changes) {
  return alice.call(probe, 'put', [Cl.uint(key), Cl.uint(key)], changes);
}

async function mined(transaction) {
  const [txid] = await devnet.submit(await transaction);
  await devnet.mine();
  return txid;
}

const status = async (path) => (await devnet.request(path)).status;

test('a block has every key of v2 and is found by height, either hash, and as the latest', async () => {
  const block = await devnet.get('/extended/v2/blocks/latest');
  assert.deepEqual(Object.keys(block).sort(), [
    'block_time',
    'block_time_iso',
    'burn_block_hash',
    'burn_block_height',
    'burn_block_time',
    'burn_block_time_iso',
    'canonical',
    'execution_cost_read_count',
    'execution_cost_read_length',
    'execution_cost_runtime',
    'execution_cost_write_count',
    'execution_cost_write_length',
    'hash',
    'height',
    'index_block_hash',
    'miner_txid',
    'parent_block_hash',
    'parent_index_block_hash',
    'tenure_height',
    'tx_count',
  ]);
  for (const hash of ['hash', 'index_block_hash', 'parent_block_hash', 'parent_index_block_hash', 'burn_block_hash']) {
    assert.match(block[hash], HASH);
  }
  assert.equal(block.canonical, true);
  assert.ok(Math.abs(block.block_time - Date.now() / 1000) < 60);
  for (const name of [block.height, block.hash, block.index_block_hash]) {
    assert.deepEqual(await devnet.get(`/extended/v2/blocks/${name}`), block);
  }
  assert.equal(await status('/extended/v2/blocks/999999'), 404);
  assert.equal(await status(`/extended/v2/blocks/0x${'ab'.repeat(32)}`), 404);
});

test('blocks are listed newest first, by offset or cursor, thirty at most', async () => {
  const { height } = await devnet.get('/extended/v2/blocks/latest');
  const page = await devnet.get('/extended/v2/blocks?limit=2');
  assert.deepEqual(
    page.results.map((block) => block.height),
    [height, height - 1],
  );
  assert.deepEqual([page.limit, page.offset, page.total, page.next_cursor], [2, 0, height, null]);
  const second = await devnet.get('/extended/v2/blocks?limit=2&offset=2');
  const older = await devnet.get(`/extended/v2/blocks?limit=2&cursor=${page.prev_cursor}`);
  assert.deepEqual(older.results, second.results);
  assert.deepEqual([older.cursor, older.next_cursor], [page.prev_cursor, page.cursor]);
  assert.deepEqual(
    second.results.map((block) => block.height),
    [height - 2, height - 3],
  );
  assert.equal(await status('/extended/v2/blocks?limit=30'), 200);
  assert.equal(await status('/extended/v2/blocks?limit=31'), 400);
  assert.equal(await status('/extended/v2/blocks?limit=x'), 400);
});

test('a mined transaction has every key of v3', async () => {
  const txid = await mined(put(5));
  const transaction = await devnet.get(`/extended/v3/transactions/${txid}`);
  const { block, ...rest } = transaction;
  const at = await devnet.get('/extended/v2/blocks/latest');
  assert.deepEqual(block, {
    height: at.height,
    hash: at.hash,
    index_hash: at.index_block_hash,
    time: at.block_time,
    tx_index: 0,
  });
  assert.deepEqual(rest, {
    tx_id: txid,
    sender: { address: alice.address, nonce: Number(alice.nonce) - 1 },
    sponsor: null,
    fee_rate: String(FEE),
    bitcoin_block: { height: at.burn_block_height, time: at.burn_block_time },
    status: 'success',
    type: 'contract_call',
    contract_call: { contract_id: probe, function_name: 'put' },
    parent_block: { hash: at.parent_block_hash, index_hash: at.parent_index_block_hash },
    event_count: 1,
    execution_cost: { read_count: 0, read_length: 0, runtime: 0, write_count: 0, write_length: 0 },
    vm_error: null,
  });
  assert.deepEqual(await devnet.get(`/extended/v3/transactions/${txid.slice(2)}`), transaction);
});

test('result, arguments and conditions of a transaction come on request', async () => {
  const txid = await mined(put(5, { postConditions: [Pc.principal(alice.address).willSendLte(7n).ustx()] }));
  const include = 'include=result,function_args&include=post_conditions';
  const transaction = await devnet.get(`/extended/v3/transactions/${txid}?${include}`);
  assert.deepEqual(transaction.result, { hex: '0x070100000000000000000000000000000005', repr: '(ok u5)' });
  assert.deepEqual(
    transaction.contract_call.function_args.map(({ repr }) => repr),
    ['u5', 'u5'],
  );
  assert.equal(transaction.post_condition_mode, 'deny');
  assert.deepEqual(transaction.post_conditions, [
    {
      type: 'stx',
      principal: { type_id: 'principal_standard', address: alice.address },
      condition_code: 'sent_less_than_or_equal_to',
      amount: '7',
    },
  ]);
});

test('a pending transaction has its receipt and no block, an unknown one is 404', async () => {
  const [txid] = await devnet.submit(await put(6));
  const {
    receipt_time: time,
    receipt_block_height: height,
    ...rest
  } = await devnet.get(`/extended/v3/transactions/${txid}`);
  assert.ok(Math.abs(time - Date.now() / 1000) < 60);
  assert.equal(height, (await devnet.get('/v2/info')).stacks_tip_height);
  assert.deepEqual(rest, {
    tx_id: txid,
    sender: { address: alice.address, nonce: Number(alice.nonce) - 1 },
    sponsor: null,
    fee_rate: String(FEE),
    status: 'pending',
    type: 'contract_call',
    contract_call: { contract_id: probe, function_name: 'put' },
    replaced_by_tx_id: null,
  });
  assert.equal(await status(`/extended/v3/transactions/${txid}/events`), 404);
  await devnet.mine();
  assert.equal(await status(`/extended/v3/transactions/0x${'ab'.repeat(32)}`), 404);
});

test('a deployment shows its contract, version and on request its code', async () => {
  const code = '(define-read-only (one) u1)';
  const txid = await mined(deployer.deploy('one', code));
  const { type, smart_contract: contract } = await devnet.get(`/extended/v3/transactions/${txid}?include=source_code`);
  assert.equal(type, 'smart_contract');
  assert.deepEqual(contract, { clarity_version: 3, contract_id: `${deployer.address}.one`, source_code: code });
});

test("a contract's logs are newest first, by offset or cursor, a hundred at most", async () => {
  const path = `/extended/v2/smart-contracts/${probe}/logs`;
  const all = await devnet.get(`${path}?limit=100`);
  assert.deepEqual(Object.keys(all).sort(), [
    'cursor',
    'limit',
    'next_cursor',
    'offset',
    'prev_cursor',
    'results',
    'total',
  ]);
  assert.ok(all.total >= 6 && all.results.length === all.total);
  assert.deepEqual(Object.keys(all.results[0]).sort(), ['contract_log', 'event_index', 'event_type', 'tx_id']);
  assert.equal(all.results[0].event_type, 'smart_contract_log');
  assert.deepEqual(Object.keys(all.results[0].contract_log).sort(), ['contract_id', 'topic', 'value']);
  const firsts = all.results.slice(-4).map(({ contract_log: { value } }) => value.repr.match(/key (u\d)/)[1]);
  assert.deepEqual(firsts, ['u4', 'u3', 'u2', 'u1']);
  const page = await devnet.get(`${path}?limit=2&offset=1`);
  assert.deepEqual([page.results, page.offset], [all.results.slice(1, 3), 1]);
  assert.equal(page.next_cursor, null);
  const older = await devnet.get(`${path}?limit=2&cursor=${page.prev_cursor}`);
  assert.deepEqual(older.results, all.results.slice(3, 5));
  assert.equal(older.next_cursor, page.cursor);
  const newer = await devnet.get(`${path}?limit=2&cursor=${older.next_cursor}`);
  assert.deepEqual(newer.results, page.results);
  assert.equal(await status(`${path}?limit=101`), 400);
  assert.equal((await devnet.get(`/extended/v2/smart-contracts/${deployer.address}.nothing/logs`)).total, 0);
});

test("a block's transactions are listed last first", async () => {
  const block = await devnet.get('/extended/v2/blocks/3');
  const { results, total } = await devnet.get(`/extended/v3/blocks/${block.index_block_hash}/transactions`);
  assert.equal(total, 3);
  assert.deepEqual(
    results.map(({ block: { tx_index: index } }) => index),
    [2, 1, 0],
  );
  assert.deepEqual(await devnet.get('/extended/v3/blocks/3/transactions'), {
    ...(await devnet.get(`/extended/v3/blocks/${block.hash}/transactions`)),
  });
  assert.equal(await status('/extended/v3/blocks/3/transactions?limit=51'), 400);
  assert.equal(await status('/extended/v3/blocks/99999/transactions'), 404);
});

test("a principal's transactions are newest first, with what they did to it", async () => {
  await mined(alice.transfer(bob.address, 777n));
  const { results, cursor, total } = await devnet.get(`/extended/v3/principals/${alice.address}/transactions?limit=3`);
  assert.deepEqual(Object.keys(results[0]).sort(), [
    'affected_balances',
    'balance_changes',
    'involvement',
    'transaction',
  ]);
  assert.equal(results[0].involvement, 'sender');
  assert.equal(results[0].transaction.token_transfer.amount, '777');
  assert.deepEqual(results[0].balance_changes, {
    stx: { sent: String(777n + FEE), received: '0', net: String(-777n - FEE) },
  });
  const nonces = results.map(({ transaction: { sender } }) => sender.nonce);
  assert.deepEqual(
    nonces,
    [0, 1, 2].map((back) => Number(alice.nonce) - 1 - back),
  );
  const next = await devnet.get(`/extended/v3/principals/${alice.address}/transactions?cursor=${cursor.next}&limit=50`);
  assert.equal(next.results.length, total - 3);
  assert.equal(next.results[0].transaction.sender.nonce, Number(alice.nonce) - 4);
  const [received] = (await devnet.get(`/extended/v3/principals/${bob.address}/transactions`)).results;
  assert.equal(received.involvement, 'affected');
  assert.deepEqual(received.balance_changes, { stx: { sent: '0', received: '777', net: '777' } });
});

test('nonces: the next one ignores gaps, which are named', async () => {
  const nonces = () => devnet.get(`/extended/v3/principals/${bob.address}/nonces`);
  const pending = (nonce) => bob.call(probe, 'put', [Cl.uint(1), Cl.uint(1)], { nonce });
  assert.deepEqual(await nonces(), {
    next_nonce: 0,
    last_confirmed_nonce: null,
    mempool: { last_nonce: null, pending_nonces: [], missing_nonces: [] },
  });
  await devnet.submit(await pending(2n));
  assert.deepEqual(await nonces(), {
    next_nonce: 3,
    last_confirmed_nonce: null,
    mempool: { last_nonce: 2, pending_nonces: [2], missing_nonces: [] },
  });
  await devnet.submit(await pending(0n));
  await devnet.mine();
  assert.deepEqual(await nonces(), {
    next_nonce: 3,
    last_confirmed_nonce: 0,
    mempool: { last_nonce: 2, pending_nonces: [2], missing_nonces: [1] },
  });
  const { results, total } = await devnet.get(`/extended/v3/principals/${bob.address}/mempool/transactions`);
  assert.equal(total, 1);
  assert.deepEqual([results[0].sender.nonce, results[0].status], [2, 'pending']);
  assert.equal(typeof results[0].receipt_time, 'number');
  await devnet.submit(await pending(1n));
  await devnet.mine();
  assert.deepEqual((await nonces()).last_confirmed_nonce, 2);
});
