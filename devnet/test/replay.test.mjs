/** After any mix of failures, reorganisations and reads in the past, the chain is what its own blocks alone make. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account, Cl, Pc, furnish, read } from './account.mjs';
import { Devnet } from './devnet.mjs';

const STEPS = 120;
const KEYS = 5;
const deployer = new Account('deployer');
const accounts = ['alice', 'bob', 'carol'].map((name) => new Account(name));

/** In [0, limit), the same each run. */
function dice(seed) {
  let number = seed;
  return (limit) => {
    number = (Math.imul(number, 1664525) + 1013904223) >>> 0;
    return Math.floor((number / 2 ** 32) * limit);
  };
}

function randomCall(account, probe, roll, nonce) {
  const key = Cl.uint(roll(KEYS));
  const [functionName, args] = [
    ['put', [key, Cl.uint(roll(1000))]],
    ['put-and-refuse', [key]],
    ['put-and-divide', [key, Cl.uint(roll(2))]],
    ['take-stx', [Cl.uint(10 + roll(20))]],
    ['pay-out', [Cl.uint(1 + roll(30))]],
    ['mint', [Cl.uint(1 + roll(9))]],
  ][roll(6)];
  const postConditions = [
    Pc.principal(account.address).willSendLte(20n).ustx(),
    Pc.principal(probe).willSendLte(15n).ustx(),
  ];
  return account.call(probe, functionName, args, { nonce, postConditions, fee: 1000n + BigInt(roll(100)) });
}

async function step(devnet, probe, roll, sent) {
  const kind = roll(10);
  if (kind === 0) return devnet.post('/devnet/burn', { blocks: 1 + roll(4) });
  if (kind === 1) {
    const { height } = await devnet.get('/devnet/health');
    const depth = Math.min(1 + roll(4), height - 2);
    return depth > 0 && devnet.post('/devnet/reorg', { depth, transactions: roll(2) ? 'keep' : 'drop' });
  }
  if (kind === 2) {
    const { results } = await devnet.get('/extended/v2/blocks?limit=10');
    return read(devnet, probe, 'get-burn-height', [], results[roll(results.length - 1)].index_block_hash);
  }
  for (const account of accounts) {
    const { next_nonce: next } = await devnet.get(`/extended/v3/principals/${account.address}/nonces`);
    for (let more = roll(3); more > 0; more -= 1) {
      const call = await randomCall(account, probe, roll, BigInt(next + more - 1));
      const { status, body } = await devnet.send(call.serializeBytes());
      if (status === 200) sent.set(`0x${body}`, call);
    }
  }
  return devnet.mine();
}

/** Everything there is to see of the state. */
async function state(devnet, probe) {
  const entries = [...Array(KEYS).keys()].map((key) => read(devnet, probe, 'get-entry', [Cl.uint(key)]));
  const coins = accounts.map(({ address }) => read(devnet, probe, 'get-coins', [Cl.principal(address)]));
  const balances = [...accounts.map(({ address }) => address), probe].map((principal) => devnet.account(principal));
  return Promise.all([...entries, ...coins, ...balances, read(devnet, probe, 'get-burn-height')]);
}

async function blocksOf(devnet) {
  const { height } = await devnet.get('/devnet/health');
  const blocks = [];
  for (let at = 3; at <= height; at += 1) {
    const { burn_block_height: burnHeight } = await devnet.get(`/extended/v2/blocks/${at}`);
    const { results } = await devnet.get(`/extended/v3/blocks/${at}/transactions?limit=50`);
    const full = results.reverse().map(({ tx_id: txid }) => devnet.transaction(txid));
    blocks.push({ burnHeight, transactions: await Promise.all(full) });
  }
  return blocks;
}

const outcome = ({ tx_id: txid, status, result, event_count: events }) => ({ txid, status, result, events });

test('a chain with a past equals one without', async () => {
  const roll = dice(7);
  const [lived, fresh] = await Promise.all([Devnet.start(), Devnet.start()]);
  try {
    const probe = await furnish(lived, deployer, ...accounts);
    deployer.nonce = 0n;
    await furnish(fresh, deployer, ...accounts);
    const sent = new Map();
    for (let at = 0; at < STEPS; at += 1) await step(lived, probe, roll, sent);
    let burnHeight = 1;
    for (const block of await blocksOf(lived)) {
      for (const { tx_id: txid } of block.transactions) await fresh.submit(sent.get(txid));
      if (block.burnHeight === burnHeight) await fresh.mine();
      else await fresh.post('/devnet/burn', { blocks: block.burnHeight - burnHeight });
      burnHeight = block.burnHeight;
      const again = await Promise.all(block.transactions.map(({ tx_id: txid }) => fresh.transaction(txid)));
      assert.deepEqual(again.map(outcome), block.transactions.map(outcome));
    }
    assert.deepEqual(await state(fresh, probe), await state(lived, probe));
  } finally {
    await Promise.all([lived.stop(), fresh.stop()]);
  }
});
