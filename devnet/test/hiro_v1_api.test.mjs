/** The Hiro API of another time: v1 key by key, and no path that is newer than what is served. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BadOption, readOptions } from '../options.mjs';
import { Account, Cl, FEE, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';

const deployer = new Account('deployer');
const alice = new Account('alice');
const bob = new Account('bob');
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start('--api', 'v1');
  probe = await furnishByV1(devnet);
  for (const key of [1, 2, 3]) await devnet.submit(await put(key));
  await devnet.mine();
});
after(() => devnet.stop());

/** As `furnish`, which looks at v3. */
async function furnishByV1(started) {
  const seen = async (txid) => {
    const { tx_status: status, vm_error: error } = await started.get(`/extended/v1/tx/${txid}`);
    return { status, vm_error: error };
  };
  const account = {
    mint: (...given) => started.mint(...given),
    submit: (...given) => started.submit(...given),
    mine: () => started.mine(),
    transaction: seen,
  };
  return furnish(account, deployer, alice, bob);
}

function put(key, changes) {
  return alice.call(probe, 'put', [Cl.uint(key), Cl.uint(key)], changes);
}

async function mined(transaction) {
  const [txid] = await devnet.submit(await transaction);
  await devnet.mine();
  return txid;
}

const status = async (path) => (await devnet.request(path)).status;
const tip = async () => (await devnet.get('/extended/v1/block?limit=1')).results[0];

test('a path of a newer version is not there, and the answer names it', async () => {
  for (const path of ['/extended/v2/blocks/latest', '/extended/v3/transactions/0x00?include=result']) {
    const { status: code, body } = await devnet.request(path);
    assert.deepEqual([code, body], [
      404,
      { message: `Route GET:${path} not found`, error: 'Not Found', statusCode: 404 },
    ]);
  }
});

test('an API of v2 has v1 and v2 and no v3, a version never heard of is refused', async () => {
  const second = await Devnet.start('--api', 'v2');
  try {
    const { results } = await second.get('/extended/v1/block?limit=1');
    assert.equal((await second.get('/extended/v2/blocks/latest')).hash, results[0].hash);
    assert.equal((await second.request(`/extended/v3/principals/${alice.address}/nonces`)).status, 404);
  } finally {
    await second.stop();
  }
  assert.throws(() => readOptions(['--api', 'v4'], {}), BadOption);
});

test('a block has every key of v1, and neither its parent by index hash nor a lookup by it', async () => {
  const block = await tip();
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
    'microblock_tx_count',
    'microblocks_accepted',
    'microblocks_streamed',
    'miner_txid',
    'parent_block_hash',
    'parent_microblock_hash',
    'parent_microblock_sequence',
    'txs',
  ]);
  assert.deepEqual(await devnet.get(`/extended/v1/block/by_height/${block.height}`), block);
  assert.deepEqual(await devnet.get(`/extended/v1/block/${block.hash}`), block);
  assert.equal((await devnet.get(`/extended/v1/block/${block.parent_block_hash}`)).height, block.height - 1);
  for (const path of [block.index_block_hash, `by_height/${block.height + 1}`]) {
    const { status: code, body } = await devnet.request(`/extended/v1/block/${path}`);
    assert.deepEqual([code, body.error], [404, 'Not Found']);
    assert.ok(!body.message.includes('/extended'));
  }
  assert.equal(await status('/extended/v1/block?limit=31'), 400);
});

test('a mined transaction has every key of v1', async () => {
  const txid = await mined(put(5));
  const at = await tip();
  const { function_args: args, ...called } = (await devnet.get(`/extended/v1/tx/${txid}`)).contract_call;
  assert.deepEqual(called, {
    contract_id: probe,
    function_name: 'put',
    function_signature: '(define-public (put (key uint) (value uint)))',
  });
  assert.deepEqual(args[0], { hex: '0x0100000000000000000000000000000005', repr: 'u5', name: 'key', type: 'uint' });
  const { contract_call: _, events, ...rest } = await devnet.get(`/extended/v1/tx/${txid}`);
  assert.deepEqual(
    events.map(({ event_index: index, event_type: type, tx_id: of }) => [index, type, of]),
    [[0, 'smart_contract_log', txid]],
  );
  assert.deepEqual(rest, {
    tx_id: txid,
    nonce: Number(alice.nonce) - 1,
    fee_rate: String(FEE),
    sender_address: alice.address,
    sponsored: false,
    post_condition_mode: 'deny',
    post_conditions: [],
    anchor_mode: 'any',
    tx_status: 'success',
    tx_type: 'contract_call',
    block_hash: at.hash,
    block_height: at.height,
    block_time: at.block_time,
    block_time_iso: at.block_time_iso,
    burn_block_time: at.burn_block_time,
    burn_block_time_iso: at.burn_block_time_iso,
    burn_block_height: at.burn_block_height,
    parent_burn_block_time: at.burn_block_time,
    parent_burn_block_time_iso: at.burn_block_time_iso,
    parent_block_hash: at.parent_block_hash,
    canonical: true,
    tx_index: 0,
    tx_result: { hex: '0x070100000000000000000000000000000005', repr: '(ok u5)' },
    event_count: 1,
    is_unanchored: false,
    microblock_hash: '',
    microblock_sequence: 2147483647,
    microblock_canonical: true,
    vm_error: null,
    execution_cost_read_count: 0,
    execution_cost_read_length: 0,
    execution_cost_runtime: 0,
    execution_cost_write_count: 0,
    execution_cost_write_length: 0,
  });
  assert.deepEqual((await devnet.get(`/extended/v1/tx/${txid}?event_limit=1&event_offset=1`)).events, []);
});

test('a transfer shows what moved', async () => {
  const txid = await mined(alice.transfer(bob.address, 777n));
  const { events, token_transfer: transfer } = await devnet.get(`/extended/v1/tx/${txid}`);
  assert.deepEqual([transfer.recipient_address, transfer.amount], [bob.address, '777']);
  const [{ event_type: type, asset }] = events;
  assert.equal(type, 'stx_asset');
  assert.deepEqual(asset, {
    asset_event_type: 'transfer',
    sender: alice.address,
    recipient: bob.address,
    amount: '777',
  });
});

test('a pending transaction has its receipt, a dropped one its reason, an unknown one is 404', async () => {
  const [txid] = await devnet.submit(await bob.call(probe, 'put', [Cl.uint(1), Cl.uint(1)]));
  const pending = await devnet.get(`/extended/v1/tx/${txid}`);
  assert.deepEqual([pending.tx_status, pending.block_hash, pending.replaced_by_tx_id], ['pending', undefined, null]);
  assert.equal(typeof pending.receipt_time, 'number');
  await devnet.post('/devnet/drop', { txid, status: 'dropped_too_expensive' });
  assert.equal((await devnet.get(`/extended/v1/tx/${txid}`)).tx_status, 'dropped_too_expensive');
  assert.equal(await status(`/extended/v1/tx/0x${'ab'.repeat(32)}`), 404);
  bob.nonce -= 1n;
});

test("a contract's events are newest first, by offset, fifty at most, and not counted", async () => {
  const path = `/extended/v1/contract/${probe}/events`;
  const all = await devnet.get(`${path}?limit=50`);
  assert.deepEqual(Object.keys(all).sort(), ['limit', 'offset', 'results']);
  assert.deepEqual(Object.keys(all.results[0]).sort(), ['contract_log', 'event_index', 'event_type', 'tx_id']);
  const firsts = all.results.slice(-3).map(({ contract_log: { value } }) => value.repr.match(/key (u\d)/)[1]);
  assert.deepEqual(firsts, ['u3', 'u2', 'u1']);
  assert.deepEqual((await devnet.get(`${path}?limit=2&offset=1`)).results, all.results.slice(1, 3));
  assert.equal(await status(`${path}?limit=51`), 400);
});

test("an account's transactions and nonces", async () => {
  const path = `/extended/v1/address/${alice.address}`;
  const { results, total } = await devnet.get(`${path}/transactions?limit=2`);
  assert.deepEqual(
    results.map(({ nonce }) => nonce),
    [Number(alice.nonce) - 1, Number(alice.nonce) - 2],
  );
  assert.ok(total >= 4);
  const next = Number(alice.nonce);
  await devnet.submit(await put(9, { nonce: alice.nonce + 1n }));
  assert.deepEqual(await devnet.get(`${path}/nonces`), {
    last_mempool_tx_nonce: next + 1,
    last_executed_tx_nonce: next - 1,
    possible_next_nonce: next + 2,
    detected_missing_nonces: [next],
    detected_mempool_nonces: [next + 1],
  });
});
