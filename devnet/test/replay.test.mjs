/** After any mix of failures, reorganisations and reads in the past, the chain is what its own blocks alone make. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Account, Cl, furnish, read } from './account.mjs';
import { Devnet } from './devnet.mjs';
import { KEYS, accounts, dice, step } from './life.mjs';

const STEPS = 120;
const deployer = new Account('deployer');

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
