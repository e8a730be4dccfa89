/** The Hiro API's endpoints of v2 and v3, with v1 beside them: canonical only, newest first. */
import { isServed } from './api_versions.mjs';
import { addHiroV1Api } from './hiro_v1_api.mjs';
import { HttpError, json } from './http.mjs';
import { nonces } from './nonces.mjs';
import { cursorPage, limitOf, offsetOf, offsetPage } from './paging.mjs';
import * as shapes from './shapes.mjs';

const { NO_MICROBLOCK } = shapes;

const TRANSACTIONS = { otherwise: 20, most: 50 };
const EVENTS = { otherwise: 100, most: 100 };
const LOGS = { otherwise: 20, most: 100 };
const BLOCKS = { otherwise: 20, most: 30 };

/** Adds the routes for a chain: those of every version up to the newest that is served. */
export function addHiroApi(router, chain, newest) {
  addHiroV1Api(router, chain);
  if (isServed('v2', newest)) addV2(router, chain);
  if (isServed('v3', newest)) addV3(router, chain);
}

function addV2(router, chain) {
  router.on('GET', '/extended/v2/blocks', ({ query }) => json(200, blocks(chain, query)));
  router.on('GET', '/extended/v2/blocks/:block', ({ params }) => json(200, shapes.blockJson(block(chain, params))));
  router.on('GET', '/extended/v2/smart-contracts/:id/logs', ({ params, query }) =>
    json(200, logs(chain, params.id, query)),
  );
}

function addV3(router, chain) {
  router.on('GET', '/extended/v3/blocks/:block/transactions', ({ params, query }) =>
    json(200, blockTransactions(chain, params, query)),
  );
  router.on('GET', '/extended/v3/transactions/:txid', ({ params, query }) =>
    json(200, shapes.transactionJson(transaction(chain, params), included(query))),
  );
  router.on('GET', '/extended/v3/transactions/:txid/events', ({ params, query }) =>
    json(200, events(chain, params, query)),
  );
  router.on('GET', '/extended/v3/principals/:principal/nonces', ({ params }) =>
    json(200, principalNonces(chain, params.principal)),
  );
  router.on('GET', '/extended/v3/principals/:principal/transactions', ({ params, query }) =>
    json(200, principalTransactions(chain, params.principal, query)),
  );
  router.on('GET', '/extended/v3/principals/:principal/mempool/transactions', ({ params, query }) =>
    json(200, pendingTransactions(chain, params.principal, query)),
  );
}

function blocks(chain, query) {
  const limit = limitOf(query, BLOCKS);
  const cursor = query.get('cursor');
  const first = cursor === null ? chain.tip : chain.block(withoutPrefix(cursor));
  if (first === undefined) throw new HttpError(404, { error: 'Cursor not found' });
  const offset = chain.tip.height - first.height + offsetOf(query);
  const at = (place) => (place < 0 ? undefined : chain.newest(place, 1)[0]);
  const hashAt = (place) => (at(place) === undefined ? null : `0x${at(place).indexHash}`);
  return {
    limit,
    offset: offsetOf(query),
    total: chain.length,
    next_cursor: hashAt(offset - limit),
    prev_cursor: hashAt(offset + limit),
    cursor: hashAt(offset),
    results: chain.newest(offset, limit).map(shapes.blockJson),
  };
}

function block(chain, { block: named }) {
  const found = chain.block(named === 'latest' ? chain.tip.height : heightOrHash(named));
  if (found === undefined) throw new HttpError(404, { error: 'Block not found' });
  return found;
}

function heightOrHash(named) {
  return /^\d{1,15}$/.test(named) ? Number(named) : withoutPrefix(named);
}

function blockTransactions(chain, params, query) {
  const { transactions } = block(chain, params);
  const page = cursorPage(transactions.toReversed(), transactionCursor, query, TRANSACTIONS);
  return { ...page, results: page.results.map(shapes.summaryJson) };
}

function logs(chain, contractId, query) {
  const cursorOf = ({ transaction: { block: at, index }, eventIndex }) =>
    `${at.height}-${NO_MICROBLOCK}-${index}-${eventIndex}`;
  const page = offsetPage(chain.ledger.logsOf(contractId), cursorOf, query, LOGS);
  return {
    ...page,
    results: page.results.map(({ transaction: { txid }, eventIndex, data }) => ({
      event_index: eventIndex,
      event_type: 'smart_contract_log',
      tx_id: `0x${txid}`,
      contract_log: shapes.logJson(data),
    })),
  };
}

/** Dropped ones are not found, as in the API. */
function transaction(chain, { txid }) {
  const found = chain.find(withoutPrefix(txid));
  if (found === undefined) throw new HttpError(404, { error: 'Transaction not found' });
  return found;
}

function included(query) {
  return query.getAll('include').flatMap((names) => names.split(','));
}

function events(chain, params, query) {
  const found = transaction(chain, params);
  if (found.block === null) throw new HttpError(404, { error: 'Transaction not found' });
  const items = found.events.map(shapes.eventJson);
  return cursorPage(items, ({ event_index: index }) => String(index), query, EVENTS);
}

function principalNonces(chain, principal) {
  const { next, confirmed, last, pending, missing } = nonces(chain, principal);
  return {
    next_nonce: next,
    last_confirmed_nonce: confirmed,
    mempool: { last_nonce: last, pending_nonces: pending, missing_nonces: missing },
  };
}

function principalTransactions(chain, principal, query) {
  const page = cursorPage(chain.ledger.transactionsOf(principal), transactionCursor, query, TRANSACTIONS);
  return { ...page, results: page.results.map((item) => involvementJson(item, principal)) };
}

function pendingTransactions(chain, principal, query) {
  const cursorOf = ({ receivedAt, txid }) => `${receivedAt}:0x${txid}`;
  const page = cursorPage(chain.mempool.involving(principal), cursorOf, query, TRANSACTIONS);
  return { ...page, results: page.results.map(shapes.pendingSummaryJson) };
}

function involvementJson(item, principal) {
  const moved = (side, asset) =>
    item.events.filter(({ event, data }) => event.startsWith(`${asset}_`) && data[side] === principal);
  const sum = (list) => list.reduce((total, { data }) => total + BigInt(data.amount), 0n);
  const isAffected = (asset) => moved('sender', asset).length + moved('recipient', asset).length > 0;
  const fee = item.payer === principal ? item.fee : 0n;
  const sent = sum(moved('sender', 'stx')) + fee;
  const received = sum(moved('recipient', 'stx'));
  return {
    transaction: shapes.summaryJson(item),
    involvement: involvement(item, principal),
    balance_changes: {
      stx: { sent: String(sent), received: String(received), net: String(received - sent) },
    },
    affected_balances: { stx: sent + received > 0n, ft: isAffected('ft'), nft: isAffected('nft') },
  };
}

function involvement({ sender, sponsor }, principal) {
  if (sender === principal) return 'sender';
  return sponsor?.address === principal ? 'sponsor' : 'affected';
}

function transactionCursor({ block: at, index }) {
  return `${at.height}:${NO_MICROBLOCK}:${index}`;
}

function withoutPrefix(hash) {
  return hash.toLowerCase().replace(/^0x/, '');
}
