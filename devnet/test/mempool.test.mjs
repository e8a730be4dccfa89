/** The mempool's order: nonces in turn, then fees; gaps wait, used nonces are forgotten. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Mempool } from '../mempool.mjs';

let received = 0;

function pending(sender, nonce, fee, more = {}) {
  received += 1;
  return {
    txid: `${sender}${nonce}-${fee}`,
    sender,
    nonce: BigInt(nonce),
    fee: BigInt(fee),
    sponsor: null,
    minable: true,
    receivedAt: received,
    ...more,
  };
}

function holding(...transactions) {
  const mempool = new Mempool();
  for (const transaction of transactions) mempool.add(transaction);
  return mempool;
}

const fromZero = () => 0n;
const txids = (transactions) => transactions.map(({ txid }) => txid);

test("the higher fee goes first, but never before an account's earlier nonce", () => {
  const mempool = holding(pending('a', 1, 900), pending('a', 0, 100), pending('b', 0, 500));
  assert.deepEqual(txids(mempool.assemble(fromZero, 10)), ['b0-500', 'a0-100', 'a1-900']);
});

test('a block takes no more than its limit', () => {
  const mempool = holding(pending('a', 0, 1), pending('a', 1, 1), pending('a', 2, 1));
  assert.deepEqual(txids(mempool.assemble(fromZero, 2)), ['a0-1', 'a1-1']);
});

test('a gap holds its account up and nobody else, until it is filled', () => {
  const mempool = holding(pending('a', 1, 900), pending('b', 0, 1));
  assert.deepEqual(txids(mempool.assemble(fromZero, 10)), ['b0-1']);
  mempool.add(pending('a', 0, 1));
  assert.deepEqual(txids(mempool.assemble(fromZero, 10)), ['b0-1', 'a0-1', 'a1-900']);
});

test('what is not minable holds its account up', () => {
  const mempool = holding(pending('a', 0, 900, { minable: false }), pending('a', 1, 900));
  assert.deepEqual(mempool.assemble(fromZero, 10), []);
});

test("a sponsor's nonces are used in turn too", () => {
  const sponsored = (sender, nonce) => pending(sender, 0, 9, { sponsor: { address: 's', nonce: BigInt(nonce) } });
  const mempool = holding(sponsored('a', 1), sponsored('b', 0));
  assert.deepEqual(txids(mempool.assemble(fromZero, 10)), ['b0-9', 'a0-9']);
});

test("conflicts are those of the same sender's nonce and of the same sponsor's", () => {
  const sponsor = { address: 's', nonce: 4n };
  const mempool = holding(pending('a', 0, 1), pending('a', 1, 1), pending('b', 0, 1, { sponsor }), pending('s', 5, 1));
  assert.deepEqual(txids(mempool.conflicts(pending('a', 0, 2, { sponsor }))), ['a0-1', 'b0-1']);
});

test('stale are those below the next nonce of sender or sponsor', () => {
  const mempool = holding(
    pending('a', 0, 1),
    pending('a', 1, 1),
    pending('b', 7, 1, { sponsor: { address: 'a', nonce: 0n } }),
  );
  const next = (principal) => (principal === 'a' ? 1n : 7n);
  assert.deepEqual(txids(mempool.stale(next)), ['a0-1', 'b7-1']);
});

test('what is dropped tells why and by what it was replaced', () => {
  const gone = pending('a', 0, 1);
  const mempool = holding(gone);
  mempool.drop(gone, 'dropped_replace_by_fee', 'ff');
  assert.deepEqual([gone.status, gone.replacedBy, mempool.size], ['dropped_replace_by_fee', 'ff', 0]);
});
