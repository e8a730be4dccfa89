/** A devnet's life by dice: calls that succeed and fail, blocks, burn blocks, reorganisations, reads in the past. */
import { Account, Cl, Pc, read } from './account.mjs';

export const KEYS = 5;
export const accounts = ['alice', 'bob', 'carol'].map((name) => new Account(name));

/** In [0, limit), the same each run. */
export function dice(seed) {
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

/** @param sent gets every transaction that was let in, by txid */
export async function step(devnet, probe, roll, sent) {
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
