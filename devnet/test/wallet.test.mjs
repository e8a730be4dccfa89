/** The wallet as a program: payload in, txid out, and an exit code for each kind of trouble. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import * as stacks from '@stacks/transactions';
import { Account, Cl, Pc, PROBE_SOURCE, furnish, read } from './account.mjs';
import { Devnet } from './devnet.mjs';

const WALLET = fileURLToPath(new URL('../wallet.mjs', import.meta.url));
const deployer = new Account('deployer');
const alice = new Account('alice');
const bob = new Account('bob');
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer, alice);
});
after(() => devnet.stop());

/** @returns {Promise<{code: number, answer: object}>} */
async function wallet(args, payload, { key = alice.key, node = devnet.url } = {}) {
  const child = spawn(process.execPath, [WALLET, ...args, '--node', node], {
    env: { PATH: process.env.PATH, WALLET_KEY: key },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(typeof payload === 'string' ? payload : JSON.stringify(payload));
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code, answer: JSON.parse(output) };
}

async function done(txid) {
  await devnet.mine();
  return devnet.transaction(`0x${txid}`);
}

const take = (amount, more = {}) => ({
  contract: probe,
  functionName: 'take-stx',
  functionArgs: [Cl.serialize(Cl.uint(amount))],
  postConditionMode: 'deny',
  network: 'testnet',
  ...more,
});

test('a call is signed as prepared, conditions as JSON or hex', async () => {
  const json = { type: 'stx-postcondition', address: alice.address, condition: 'eq', amount: '70' };
  const hex = stacks.postConditionToHex(Pc.principal(alice.address).willSendEq(70n).ustx());
  for (const condition of [json, hex]) {
    const { code, answer } = await wallet(['call'], take(70, { postConditions: [condition], address: alice.address }));
    assert.equal(code, 0);
    assert.match(answer.txid, /^[0-9a-f]{64}$/);
    const { status, fee_rate: fee } = await done(answer.txid);
    assert.deepEqual([status, fee], ['success', '3000']);
  }
  const { answer } = await wallet([], take(70, { postConditions: [] }));
  assert.equal((await done(answer.txid)).status, 'abort_by_post_condition');
});

test('a second call takes the nonce after the pending first, and fills a gap', async () => {
  const { nonce } = await devnet.account(alice.address);
  const nonceOf = async ({ answer }) => (await devnet.transaction(`0x${answer.txid}`)).sender.nonce;
  assert.equal(await nonceOf(await wallet(['call'], take(1))), nonce);
  assert.equal(await nonceOf(await wallet(['call'], take(1, { nonce: String(nonce + 2) }))), nonce + 2);
  assert.equal(await nonceOf(await wallet(['call'], take(1))), nonce + 1);
  assert.equal(await nonceOf(await wallet(['call'], take(1, { fee: '5000' }))), nonce + 3);
  await devnet.mine();
});

test('a deployment and a transfer, from a file too', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'wallet-'));
  const file = join(folder, 'payload.json');
  try {
    await writeFile(file, JSON.stringify({ name: 'probe', clarityCode: PROBE_SOURCE, clarityVersion: '3' }));
    const { answer } = await wallet(['deploy', file], '');
    assert.equal((await done(answer.txid)).status, 'success');
    assert.equal(await read(devnet, `${alice.address}.probe`, 'get-entry', [Cl.uint(1)]), 'none');
    const sent = await wallet(['transfer'], { recipient: bob.address, amount: '1234', memo: 'hello' });
    assert.equal((await done(sent.answer.txid)).status, 'success');
    assert.equal((await devnet.account(bob.address)).balance, 1234n);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a refusal ends with 4 and the node's own words", async () => {
  const { code, answer } = await wallet(['call'], take(1, { functionName: 'nothing', functionArgs: [] }));
  assert.equal(code, 4);
  assert.deepEqual([answer.error.error, answer.error.reason], ['transaction rejected', 'NoSuchPublicFunction']);
});

test('a node that does not answer ends with 3', async () => {
  const { code, answer } = await wallet(['call'], take(1), { node: 'http://127.0.0.1:1' });
  assert.equal(code, 3);
  assert.match(answer.error, /does not answer/);
});

test('a payload that is none or for somebody else, or no key, ends with 2', async () => {
  for (const [payload, more] of [
    ['{', {}],
    [{}, {}],
    [take(1, { address: bob.address }), {}],
    [take(1), { key: 'x' }],
  ]) {
    const { code, answer } = await wallet(['call'], payload, more);
    assert.equal(code, 2);
    assert.equal(typeof answer.error, 'string');
  }
});
