/** The node's answers, key by key. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import * as stacks from '@stacks/transactions';
import { Account, Cl, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';

const deployer = new Account('deployer');
const HASH = /^[0-9a-f]{64}$/;
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer);
});
after(() => devnet.stop());

test("info has every key of a node, hashes without 0x, and the testnet's id", async () => {
  const info = await devnet.get('/v2/info');
  assert.deepEqual(Object.keys(info).sort(), [
    'burn_block_height',
    'exit_at_block_height',
    'genesis_chainstate_hash',
    'is_fully_synced',
    'last_pox_anchor',
    'network_id',
    'node_public_key',
    'node_public_key_hash',
    'parent_network_id',
    'peer_version',
    'pox_consensus',
    'server_version',
    'stable_burn_block_height',
    'stable_pox_consensus',
    'stackerdbs',
    'stacks_tip',
    'stacks_tip_consensus_hash',
    'stacks_tip_height',
    'tenure_height',
    'unanchored_seq',
    'unanchored_tip',
  ]);
  assert.equal(info.network_id, 2147483648);
  assert.match(info.stacks_tip, HASH);
  assert.match(info.pox_consensus, /^[0-9a-f]{40}$/);
  const block = await devnet.get('/extended/v2/blocks/latest');
  assert.equal(`0x${info.stacks_tip}`, block.hash);
  assert.equal(info.stacks_tip_height, block.height);
});

test('an account is balances in 16 hex bytes and a nonce, for contracts and strangers too', async () => {
  const account = await devnet.get(`/v2/accounts/${deployer.address}?proof=0`);
  assert.deepEqual(Object.keys(account).sort(), ['balance', 'locked', 'nonce', 'unlock_height']);
  assert.match(account.balance, /^0x[0-9a-f]{32}$/);
  assert.deepEqual([account.locked, account.nonce, account.unlock_height], [`0x${'0'.repeat(32)}`, 1, 0]);
  for (const principal of [probe, new Account('nobody').address]) {
    const { balance, nonce } = await devnet.get(`/v2/accounts/${principal}`);
    assert.deepEqual([BigInt(balance), nonce], [0n, 0]);
  }
  assert.equal((await devnet.request('/v2/accounts/ST1')).status, 404);
});

test('the fee rate is a bare number', async () => {
  assert.equal(await devnet.get('/v2/fees/transfer'), 1);
});

test('a fee estimate has three levels, none below a micro-STX a byte', async () => {
  const call = await deployer.call(probe, 'put', [Cl.uint(1), Cl.uint(1)], { nonce: 9n });
  const payload = Buffer.from(stacks.serializePayloadBytes(call.payload)).toString('hex');
  const estimate = await devnet.post('/v2/fees/transaction', {
    transaction_payload: `0x${payload}`,
    estimated_len: 300,
  });
  assert.deepEqual(Object.keys(estimate).sort(), [
    'cost_scalar_change_by_byte',
    'estimated_cost',
    'estimated_cost_scalar',
    'estimations',
  ]);
  assert.deepEqual(Object.keys(estimate.estimated_cost).sort(), [
    'read_count',
    'read_length',
    'runtime',
    'write_count',
    'write_length',
  ]);
  const fees = estimate.estimations.map(({ fee }) => fee);
  assert.equal(fees.length, 3);
  assert.ok(fees[0] >= 300 && fees[0] <= fees[1] && fees[1] <= fees[2]);
});

test('for a contract nobody knows there is no estimate', async () => {
  const call = await deployer.call(`${deployer.address}.unknown`, 'put', [], { nonce: 9n });
  const payload = Buffer.from(stacks.serializePayloadBytes(call.payload)).toString('hex');
  const { status, body } = await devnet.request('/v2/fees/transaction', {
    method: 'POST',
    body: JSON.stringify({ transaction_payload: payload }),
  });
  assert.deepEqual([status, body.reason], [400, 'NoEstimateAvailable']);
  assert.equal(typeof body.reason_data.message, 'string');
});

async function callRead(functionName, args, contract = probe) {
  const [address, name] = contract.split('.');
  const path = `/v2/contracts/call-read/${address}/${name}/${functionName}`;
  return devnet.post(path, { sender: deployer.address, arguments: args });
}

test('a read answers its value in hex', async () => {
  assert.deepEqual(await callRead('get-entry', [`0x${Cl.serialize(Cl.uint(1))}`]), { okay: true, result: '0x09' });
});

test('a read that cannot be done is okay: false with a cause', async () => {
  const cause = async (...call) => {
    const { okay, cause: text } = await callRead(...call);
    assert.equal(okay, false);
    return text;
  };
  assert.equal(await cause('put', []), 'NotReadOnly');
  assert.match(await cause('nothing', []), /UndefinedFunction/);
  assert.match(await cause('hidden', []), /UndefinedFunction/);
  assert.match(await cause('get-entry', [], `${deployer.address}.nothing`), /NoSuchContract/);
  assert.match(await cause('divide', [Cl.serialize(Cl.uint(0))]), /DivisionByZero/);
});

test('a read with a broken body or argument is 400', async () => {
  const [address, name] = probe.split('.');
  const path = `/v2/contracts/call-read/${address}/${name}/get-entry`;
  for (const body of ['{', '{}', JSON.stringify({ sender: deployer.address, arguments: ['zz'] })]) {
    assert.equal((await devnet.request(path, { method: 'POST', body })).status, 400);
  }
});

test('an interface lists functions with types as the node does', async () => {
  const [address, name] = probe.split('.');
  const { functions, maps, fungible_tokens: tokens } = await devnet.get(`/v2/contracts/interface/${address}/${name}`);
  assert.deepEqual(
    functions.find((one) => one.name === 'take-terms'),
    {
      name: 'take-terms',
      access: 'public',
      args: [
        {
          name: 'terms',
          type: {
            tuple: [
              { name: 'amount', type: 'uint128' },
              { name: 'kind', type: { 'string-ascii': { length: 4 } } },
            ],
          },
        },
        { name: 'id', type: { buffer: { length: 16 } } },
      ],
      outputs: { type: { response: { ok: 'uint128', error: 'none' } } },
    },
  );
  assert.deepEqual(maps, [{ name: 'entries', key: 'uint128', value: 'uint128' }]);
  assert.deepEqual(tokens, [{ name: 'coin' }]);
});

test('a source is what was deployed, to the letter', async () => {
  const [address, name] = probe.split('.');
  const { source } = await devnet.get(`/v2/contracts/source/${address}/${name}`);
  assert.equal(source, readFileSync(new URL('probe.clar', import.meta.url), 'utf8'));
  assert.equal((await devnet.request(`/v2/contracts/source/${address}/nothing`)).status, 404);
});

test('unknown paths are 404 and wrong methods 405', async () => {
  assert.equal((await devnet.request('/v2/nothing')).status, 404);
  assert.equal((await devnet.request('/v2/info', { method: 'POST', body: '{}' })).status, 405);
});
