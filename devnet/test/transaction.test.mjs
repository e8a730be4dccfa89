/** Decoding and verifying, against vectors made by another library. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Transaction, Undecodable } from '../transaction.mjs';
import { verifySignatures } from '../signature.mjs';

const vectors = JSON.parse(readFileSync(new URL('../../tests/vectors/stacks_vectors.json', import.meta.url), 'utf8'));

for (const { id, raw, txid, network, sender, nonce, fee } of vectors.transactions) {
  test(`vector ${id} decodes to what was signed`, () => {
    const transaction = new Transaction(Buffer.from(raw, 'hex'));
    verifySignatures(transaction.wire);
    assert.equal(transaction.txid, txid);
    assert.equal(String(transaction.nonce), nonce);
    if (network === 'testnet') assert.equal(transaction.sender, sender);
    if (transaction.sponsor === null) assert.equal(String(transaction.fee), fee);
  });
}

test('a bit changed anywhere is another signer, no transaction or no good signature', () => {
  const raw = Buffer.from(vectors.transactions[0].raw, 'hex');
  for (let at = 1; at < raw.length; at += 1) {
    const changed = Buffer.from(raw);
    changed[at] ^= 1;
    assert.throws(() => verifySignatures(new Transaction(changed).wire), `byte ${at}`);
  }
});

test('half a transaction is Undecodable', () => {
  const raw = Buffer.from(vectors.transactions[0].raw, 'hex');
  for (let length = 0; length < raw.length; length += 1) {
    assert.throws(() => new Transaction(raw.subarray(0, length)), Undecodable);
  }
});
