/** The Hiro API's v1 endpoints: paged by offset, and showing dropped transactions. */
import { HttpError, json } from './http.mjs';
import { nonces } from './nonces.mjs';
import { limitOf, offsetOf } from './paging.mjs';
import * as shapes from './shapes_v1.mjs';

const BLOCKS = { otherwise: 20, most: 30 };
const TRANSACTIONS = { otherwise: 20, most: 50 };
const CONTRACT_EVENTS = { otherwise: 20, most: 50 };
const EVENTS = { otherwise: 96, most: 100 };

/** Adds the routes for a chain. */
export function addHiroV1Api(router, chain) {
  const on = (path, answer) =>
    router.on('GET', `/extended/v1/${path}`, ({ params, query }) => json(200, answer(chain, params, query)));
  on('block', blocks);
  on('block/by_height/:height', (_, { height }) => blockJson(chain.block(Number(height)), 'block by height'));
  on('block/:hash', (_, { hash }) => blockJson(blockByHash(chain, hash), 'block by hash'));
  on('tx/:txid', transaction);
  on('contract/:id/events', contractEvents);
  on('address/:principal/nonces', addressNonces);
  on('address/:principal/transactions', addressTransactions);
}

function blocks(chain, _, query) {
  const [limit, offset] = [limitOf(query, BLOCKS), offsetOf(query)];
  return { limit, offset, total: chain.length, results: chain.newest(offset, limit).map(shapes.blockJson) };
}

function blockJson(block, what) {
  return shapes.blockJson(found(block, what));
}

/** By its own hash only: v1 does not look for index block hashes. */
function blockByHash(chain, named) {
  const hash = withoutPrefix(named);
  const block = chain.block(hash);
  return block?.hash === hash ? block : undefined;
}

function transaction(chain, { txid }, query) {
  const known = found(chain.known(withoutPrefix(txid)), 'transaction by ID');
  const [limit, offset] = [limitOf(query, EVENTS, 'event_limit'), offsetOf(query, 'event_offset')];
  return transactionJson(chain, known, eventsOf(known).slice(offset, offset + limit));
}

function contractEvents(chain, { id }, query) {
  const page = cut(chain.ledger.logsOf(id), query, CONTRACT_EVENTS);
  const events = page.results.map((log) => shapes.eventJson({ ...log, event: 'print_event' }));
  return { limit: page.limit, offset: page.offset, results: events };
}

function addressNonces(chain, { principal }) {
  const { next, confirmed, last, pending, missing } = nonces(chain, principal);
  return {
    last_mempool_tx_nonce: last,
    last_executed_tx_nonce: confirmed,
    possible_next_nonce: next,
    detected_missing_nonces: missing,
    detected_mempool_nonces: pending,
  };
}

function addressTransactions(chain, { principal }, query) {
  const page = cut(chain.ledger.transactionsOf(principal), query, TRANSACTIONS);
  return { ...page, results: page.results.map((item) => transactionJson(chain, item, [])) };
}

function transactionJson(chain, item, events) {
  return shapes.transactionJson(item, { contract: (id) => chain.contract(id), events });
}

function eventsOf(item) {
  return item.events.map(({ event, data }, eventIndex) => ({ transaction: item, eventIndex, event, data }));
}

function cut(items, query, limits) {
  const [limit, offset] = [limitOf(query, limits), offsetOf(query)];
  return { limit, offset, total: items.length, results: items.slice(offset, offset + limit) };
}

function found(item, what) {
  if (item === undefined) throw new HttpError(404, { error: 'Not Found', message: `cannot find ${what}` });
  return item;
}

function withoutPrefix(hash) {
  return hash.toLowerCase().replace(/^0x/, '');
}
