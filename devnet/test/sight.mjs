/** Everything there is to see of a devnet that does not depend on its process or on when it is asked. */
import { Cl, read } from './account.mjs';
import { KEYS, accounts } from './life.mjs';

const INCLUDED = 'function_args,source_code,post_conditions,result';

export async function sight(devnet, probe) {
  const { uptime_s: _uptime, memory: _memory, journal: _journal, ...status } = await devnet.get('/devnet/status');
  return {
    status,
    info: await devnet.get('/v2/info'),
    blocks: await all(range(status.height), (place) => blockSight(devnet, place + 1)),
    principals: await all([probe.split('.')[0], probe, ...accounts.map(({ address }) => address)], (principal) =>
      principalSight(devnet, principal),
    ),
    logs: await devnet.get(`/extended/v2/smart-contracts/${probe}/logs?limit=100`),
    contract: await devnet.get(`/v2/contracts/interface/${probe.replace('.', '/')}`),
    reads: await readsSight(devnet, probe),
    closes: (await devnet.get('/venues/coinbase/products/BTC-USD/candles?granularity=86400')).map((row) => row[4]),
  };
}

async function blockSight(devnet, height) {
  const { results } = await devnet.get(`/extended/v3/blocks/${height}/transactions?limit=50`);
  return {
    block: await devnet.get(`/extended/v2/blocks/${height}`),
    transactions: await all(results, async ({ tx_id: txid }) => ({
      transaction: await devnet.get(`/extended/v3/transactions/${txid}?include=${INCLUDED}`),
      events: await devnet.get(`/extended/v3/transactions/${txid}/events`),
    })),
  };
}

async function principalSight(devnet, principal) {
  const path = `/extended/v3/principals/${principal}`;
  return {
    account: await devnet.get(`/v2/accounts/${principal}?proof=0`),
    nonces: await devnet.get(`${path}/nonces`),
    transactions: await devnet.get(`${path}/transactions?limit=50`),
    waiting: await devnet.get(`${path}/mempool/transactions?limit=50`),
  };
}

/** As of the newest blocks, of which states are kept. */
async function readsSight(devnet, probe) {
  const { results } = await devnet.get('/extended/v2/blocks?limit=5');
  return all(results, async ({ height, index_block_hash: tip }) => {
    if (height < 2) return null; // before the contract
    const entries = await all(range(KEYS), (key) => read(devnet, probe, 'get-entry', [Cl.uint(key)], tip));
    const coins = await all(accounts, ({ address }) =>
      read(devnet, probe, 'get-coins', [Cl.principal(address)], tip),
    );
    return { entries, coins, burnHeight: await read(devnet, probe, 'get-burn-height', [], tip) };
  });
}

function range(count) {
  return [...Array(count).keys()];
}

function all(items, look) {
  return Promise.all(items.map(look));
}
