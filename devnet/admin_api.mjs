/** What no node offers: blocks on demand, new STX, dropped transactions, reorganisations, prices. */
import { validateStacksAddress } from '@stacks/transactions';
import { TooDeep } from './chain.mjs';
import { BadFault } from './faults.mjs';
import { HttpError, json, parseJson } from './http.mjs';
import { BadPrice, BadVenue } from './market.mjs';
import { blockJson } from './shapes.mjs';
import { CannotMint } from './vm.mjs';

const DROPPED = [
  'dropped_replace_by_fee',
  'dropped_replace_across_fork',
  'dropped_too_expensive',
  'dropped_stale_garbage_collect',
  'dropped_problematic',
];
/** A full one takes some 100 ms, in which nothing else is answered. */
const MOST_BLOCKS = 100;
const MOST_BURN_BLOCKS = 10_000;
const MOST_MINUTES = 100_000;

/**
 * What changes something and comes to the same end when it is done again: by name. Blocks are not here, since each
 * has its own time; they are journaled by the chain.
 */
export function ordersOf({ chain, clock, market }) {
  return {
    'burn-ahead': ({ blocks }) => burnAhead(chain, blocks),
    clock: (periods) => setClock(clock, periods),
    pause: () => clockJson(clock, 'pause'),
    resume: () => clockJson(clock, 'resume'),
    mint: ({ recipient, amount }) => mint(chain, recipient, amount),
    drop: (order) => drop(chain, order),
    age: ({ minutes }) => ({ dropped: chain.age(count('minutes', minutes, MOST_MINUTES)).map((txid) => `0x${txid}`) }),
    reorg: ({ depth, transactions = 'keep' }) => reorganise(chain, depth, transactions),
    prices: (prices) => market.setPrices(prices),
    candles: (closes) => market.setCloses(closes),
    venues: (orders) => market.setVenues(orders),
  };
}

/** @returns what does one of them by name, and then has it written down */
export function orderTaker(devnet) {
  const orders = ordersOf(devnet);
  return (name, figures) => {
    const answer = orders[name](figures);
    devnet.journal.record({ order: name, figures });
    return answer;
  };
}

export function addAdminApi(router, { chain, clock, market, faults, observers, journal }) {
  const post = (path, order) => router.on('POST', `/devnet/${path}`, ({ body }) => obeyed(order, parseJson(body)));
  router.on('GET', '/devnet/health', () => json(200, { ready: true, ...tipJson(chain) }));
  router.on('GET', '/devnet/status', () => json(200, status({ chain, clock, market, journal })));
  post('mine', ({ blocks = 1 }) => mine(chain, count('blocks', blocks, MOST_BLOCKS)));
  post('burn', ({ blocks = 1 }) => minedJson([chain.mine(count('blocks', blocks, MOST_BURN_BLOCKS))]));
  // what becomes of requests is no part of the chain: the journal is not told
  post('faults', (figures) => faults.set(figures));
  post('observers', (figures) => observers.set(figures));
  router.on('GET', '/devnet/observers', () => json(200, observers.told()));
  router.on('GET', '/devnet/faults', () => json(200, faults.told()));
  const order = orderTaker({ chain, clock, market, journal });
  for (const name of Object.keys(ordersOf({ chain, clock, market }))) post(name, (figures) => order(name, figures));
}

function obeyed(order, figures) {
  try {
    return json(200, order(figures));
  } catch (error) {
    const isRefusal = [TooDeep, CannotMint, BadPrice, BadVenue, BadFault].some((type) => error instanceof type);
    throw isRefusal ? new HttpError(400, { error: error.message }) : error;
  }
}

function status({ chain, clock, market, journal }) {
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    ...tipJson(chain),
    epoch: chain.epoch,
    burn_ahead: chain.burnAhead,
    pending_transactions: chain.mempool.size,
    clock: periodsJson(clock),
    prices: market.prices(),
    venues: market.venues(),
    journal: journal.figures,
    uptime_s: Math.round(process.uptime()),
    memory: { rss, heap_used: heapUsed, external },
  };
}

function tipJson({ tip }) {
  return { height: tip.height, burn_block_height: tip.burnHeight, index_block_hash: `0x${tip.indexHash}` };
}

function mine(chain, blocks) {
  return minedJson(Array.from({ length: blocks }, () => chain.mine()));
}

/** Only the last block is told in full: there may be thousands. */
function minedJson(blocks) {
  return {
    blocks: blocks.length,
    transactions: blocks.flatMap(({ transactions }) => transactions.map(({ txid }) => `0x${txid}`)),
    tip: blockJson(blocks.at(-1)),
  };
}

function burnAhead(chain, blocks) {
  if (!Number.isInteger(blocks) || blocks < 0) throw new HttpError(400, { error: 'blocks must not be negative' });
  chain.burnAhead = blocks;
  return { burn_ahead: blocks };
}

function setClock(clock, { block_ms: blockMs, burn_block_ms: burnBlockMs }) {
  for (const period of [blockMs, burnBlockMs]) {
    if (period !== undefined && (!Number.isInteger(period) || period < 0)) {
      throw new HttpError(400, { error: 'block_ms and burn_block_ms must be whole milliseconds, 0 for none' });
    }
  }
  clock.set({ blockMs, burnBlockMs });
  return periodsJson(clock);
}

function clockJson(clock, order) {
  clock[order]();
  return periodsJson(clock);
}

function periodsJson({ paused, blockMs, burnBlockMs }) {
  return { paused, block_ms: blockMs, burn_block_ms: burnBlockMs };
}

function mint(chain, recipient, amount) {
  if (typeof recipient !== 'string' || !validateStacksAddress(recipient.split('.')[0])) {
    throw new HttpError(400, { error: 'recipient must be an address' });
  }
  if (!/^\d+$/.test(String(amount))) throw new HttpError(400, { error: 'amount must be micro-STX in digits' });
  chain.mintStx(recipient, BigInt(amount));
  return { recipient, balance: String(chain.stxBalance(recipient)) };
}

function drop(chain, { txid, status: reason = 'dropped_stale_garbage_collect' }) {
  if (!DROPPED.includes(reason)) throw new HttpError(400, { error: `status must be one of ${DROPPED.join(', ')}` });
  if (typeof txid !== 'string' || !chain.drop(txid.replace(/^0x/, ''), reason)) {
    throw new HttpError(404, { error: 'no such pending transaction' });
  }
  return { txid, status: reason };
}

function reorganise(chain, depth, fate) {
  if (!['keep', 'drop'].includes(fate)) throw new HttpError(400, { error: 'transactions must be keep or drop' });
  const { orphaned, transactions } = chain.reorganise(count('depth', depth, Infinity), fate);
  return {
    orphaned: orphaned.map(({ height, indexHash }) => ({ height, index_block_hash: `0x${indexHash}` })),
    transactions: transactions.map(({ txid }) => `0x${txid}`),
    tip: blockJson(chain.tip),
  };
}

function count(name, given, most) {
  if (!Number.isInteger(given) || given < 1 || given > most) {
    throw new HttpError(400, { error: `${name} must be a whole number from 1 to ${most}` });
  }
  return given;
}
