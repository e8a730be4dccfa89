/** What a node refuses, with which reason and which figures, and in which order. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as stacks from '@stacks/transactions';
import { Account, Cl, FEE, Pc, PROBE_SOURCE, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';

const deployer = new Account('deployer');
const alice = new Account('alice');
const bob = new Account('bob');
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const MAINNET_ADDRESS = 'SP000000000000000000002Q6VF78';
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer, alice, bob);
});
after(() => devnet.stop());

/** A call that is good but for `changes`; its nonce is not used up. */
function put(changes = {}) {
  return alice.call(probe, 'put', [Cl.uint(1), Cl.uint(1)], { nonce: alice.nonce, ...changes });
}

async function refusal(transaction) {
  const raw = transaction.serializeBytes?.() ?? transaction;
  const { status, body } = await devnet.send(raw);
  assert.equal(status, 400, JSON.stringify(body));
  assert.equal(body.error, 'transaction rejected');
  assert.match(body.txid, /^[0-9a-f]{64}$/);
  return { reason: body.reason, data: body.reason_data };
}

test('bytes that are no transaction are refused in plain text', async () => {
  const good = Buffer.from((await put()).serializeBytes());
  for (const raw of [Buffer.from('80', 'hex'), good.subarray(0, -1), Buffer.concat([good, Buffer.from([0])])]) {
    const { status, type, body } = await devnet.send(raw);
    assert.deepEqual([status, type], [400, 'text/plain']);
    assert.match(body, /^Failed to deserialize posted transaction/);
  }
});

test('only octet-stream and JSON are taken', async () => {
  const body = (await put()).serializeBytes();
  for (const headers of [{}, { 'content-type': 'text/plain' }]) {
    const answer = await devnet.request('/v2/transactions', { method: 'POST', body, headers });
    assert.deepEqual([answer.status, answer.type], [400, 'text/plain']);
  }
});

test('JSON with something else than hex is refused in plain text', async () => {
  for (const body of ['{', '{}', '{"tx": "xyz"}']) {
    const headers = { 'content-type': 'application/json' };
    const answer = await devnet.request('/v2/transactions', { method: 'POST', body, headers });
    assert.deepEqual([answer.status, answer.type], [400, 'text/plain']);
  }
});

test('a mainnet transaction is BadTransactionVersion', async () => {
  assert.deepEqual(await refusal(await put({ network: 'mainnet' })), {
    reason: 'BadTransactionVersion',
    data: undefined,
  });
});

test('a changed signature, the high-S twin and another chain id are SignatureValidation', async () => {
  const tampered = await put();
  tampered.auth.spendingCondition.fee += 1n;
  const twin = await put();
  const { signature } = twin.auth.spendingCondition;
  const s = (ORDER - BigInt(`0x${signature.data.slice(66)}`)).toString(16).padStart(64, '0');
  const flipped = (Number.parseInt(signature.data.slice(0, 2), 16) ^ 1).toString(16).padStart(2, '0');
  signature.data = flipped + signature.data.slice(2, 66) + s;
  const elsewhere = await unsigned();
  elsewhere.chainId = 0x80000001;
  new stacks.TransactionSigner(elsewhere).signOrigin(alice.key);
  for (const [transaction, message] of [
    [tampered, /hash/i],
    [twin, /low-S/],
    [elsewhere, /chain ID/],
  ]) {
    const { reason, data } = await refusal(transaction);
    assert.equal(reason, 'SignatureValidation');
    assert.match(data.message, message);
  }
});

function unsigned() {
  const [contractAddress, contractName] = probe.split('.');
  return stacks.makeUnsignedContractCall({
    contractAddress,
    contractName,
    functionName: 'put',
    functionArgs: [Cl.uint(1), Cl.uint(1)],
    publicKey: stacks.privateKeyToPublic(alice.key),
    network: 'testnet',
    nonce: alice.nonce,
    fee: FEE,
  });
}

test('less than a micro-STX a byte is FeeTooLow', async () => {
  const size = (await put()).serializeBytes().length;
  assert.deepEqual(await refusal(await put({ fee: BigInt(size - 1) })), {
    reason: 'FeeTooLow',
    data: { expected: size, actual: size - 1 },
  });
});

test('a used nonce is BadNonce', async () => {
  const used = await deployer.call(probe, 'put', [Cl.uint(1), Cl.uint(1)], { nonce: 0n });
  assert.deepEqual(await refusal(used), {
    reason: 'BadNonce',
    data: { expected: 1, actual: 0, principal: deployer.address, is_origin: true },
  });
});

test("a sponsor's used nonce is BadNonce with is_origin false", async () => {
  const transaction = await put({ sponsored: true, fee: 0n });
  const sponsor = { sponsorPrivateKey: deployer.key, fee: FEE, sponsorNonce: 0n, network: 'testnet' };
  assert.deepEqual(await refusal(await stacks.sponsorTransaction({ transaction, ...sponsor })), {
    reason: 'BadNonce',
    data: { expected: 1, actual: 0, principal: deployer.address, is_origin: false },
  });
});

test('27 nonces may wait and the 28th is TooMuchChaining', async () => {
  const next = alice.nonce;
  const { status, body } = await devnet.send((await put({ nonce: next + 26n })).serializeBytes());
  assert.equal(status, 200);
  await devnet.post('/devnet/drop', { txid: body });
  const { reason, data } = await refusal(await put({ nonce: next + 27n }));
  assert.equal(reason, 'TooMuchChaining');
  assert.equal(data.message, 'Nonce would exceed chaining limit in mempool');
  assert.deepEqual([data.expected, data.actual], [Number(next + 26n), Number(next + 27n)]);
});

test('a fee beyond the balance, and a transfer beyond balance less fee, are NotEnoughFunds in hex', async () => {
  const { balance } = await devnet.account(alice.address);
  const hex = (amount) => `0x${amount.toString(16).padStart(32, '0')}`;
  assert.deepEqual(await refusal(await put({ fee: balance + 1n })), {
    reason: 'NotEnoughFunds',
    data: { expected: hex(balance + 1n), actual: hex(balance) },
  });
  const transfer = await alice.transfer(bob.address, balance - FEE + 1n, { nonce: alice.nonce });
  assert.deepEqual(await refusal(transfer), {
    reason: 'NotEnoughFunds',
    data: { expected: hex(balance + 1n), actual: hex(balance) },
  });
});

test('a call has to be of a public function of a contract that exists', async () => {
  const missing = await alice.call(`${alice.address}.nothing`, 'put', [], { nonce: alice.nonce });
  assert.deepEqual(await refusal(missing), { reason: 'NoSuchContract', data: undefined });
  for (const functionName of ['nothing', 'hidden', 'get-burn-height']) {
    assert.deepEqual(await refusal(await put({ functionName, functionArgs: [] })), {
      reason: 'NoSuchPublicFunction',
      data: undefined,
    });
  }
});

test("arguments have to be of the function's types to the last tuple key", async () => {
  const terms = { amount: Cl.uint(1), kind: Cl.stringAscii('PUT') };
  const id = Cl.buffer(new Uint8Array(16));
  const bad = [
    [Cl.tuple(terms)],
    [Cl.tuple(terms), id, id],
    [Cl.tuple(terms), Cl.buffer(new Uint8Array(17))],
    [Cl.tuple({ ...terms, amount: Cl.int(1) }), id],
    [Cl.tuple({ ...terms, kind: Cl.stringAscii('CALLS') }), id],
    [Cl.tuple({ amount: Cl.uint(1) }), id],
    [Cl.tuple({ ...terms, more: Cl.uint(1) }), id],
  ];
  for (const functionArgs of bad) {
    const { reason, data } = await refusal(await put({ functionName: 'take-terms', functionArgs }));
    assert.equal(reason, 'BadFunctionArgument');
    assert.equal(typeof data.message, 'string');
  }
});

test('a contract cannot be deployed twice', async () => {
  const again = await deployer.deploy('probe', PROBE_SOURCE, { nonce: deployer.nonce });
  assert.deepEqual(await refusal(again), { reason: 'ContractAlreadyExists', data: { contract_identifier: probe } });
});

test('a transfer needs another recipient, of this network, and an amount', async () => {
  const { nonce } = alice;
  assert.deepEqual(await refusal(await alice.transfer(alice.address, 1n, { nonce })), {
    reason: 'TransferRecipientCannotEqualSender',
    data: { recipient: alice.address },
  });
  assert.deepEqual(await refusal(await alice.transfer(bob.address, 0n, { nonce })), {
    reason: 'TransferAmountMustBePositive',
    data: undefined,
  });
  assert.deepEqual(await refusal(await alice.transfer(MAINNET_ADDRESS, 1n, { nonce })), {
    reason: 'BadAddressVersionByte',
    data: undefined,
  });
});

test('staking conditions are refused before epoch 4.0', async () => {
  const staking = { type: 'staking-postcondition', address: alice.address, condition: 'lte', amount: '1' };
  assert.equal((await refusal(await put({ postConditions: [staking] }))).reason, 'ServerFailureOther');
});

test('the same nonce again is ConflictingNonceInMempool unless the fee is higher', async () => {
  const nonce = bob.nonce;
  const pending = (fee) => bob.call(probe, 'put', [Cl.uint(1), Cl.uint(2)], { nonce, fee });
  const [first] = await devnet.submit(await pending(FEE));
  const same = await bob.call(probe, 'put', [Cl.uint(9), Cl.uint(9)], { nonce, fee: FEE });
  for (const late of [same, await pending(FEE - 1n)]) {
    assert.deepEqual(await refusal(late), { reason: 'ConflictingNonceInMempool', data: undefined });
  }
  const [second] = await devnet.submit(await pending(FEE + 1n));
  assert.equal((await devnet.request(`/extended/v3/transactions/${first}`)).status, 404);
  assert.equal((await devnet.transaction(second)).status, 'pending');
  await devnet.post('/devnet/drop', { txid: second });
});

test('the version is asked before the signature, the signature before the fee, the fee before the nonce', async () => {
  const bad = { nonce: alice.nonce + 100n, fee: 1n };
  const tampered = async (changes) => {
    const transaction = await put(changes);
    transaction.auth.spendingCondition.fee += 1n;
    return transaction;
  };
  assert.equal((await refusal(await tampered({ ...bad, network: 'mainnet' }))).reason, 'BadTransactionVersion');
  assert.equal((await refusal(await tampered(bad))).reason, 'SignatureValidation');
  assert.equal((await refusal(await put(bad))).reason, 'FeeTooLow');
  const rich = { ...bad, fee: 10n ** 12n };
  assert.equal((await refusal(await put(rich))).reason, 'TooMuchChaining');
  assert.equal(
    (await refusal(await put({ ...rich, nonce: alice.nonce, functionName: 'nothing' }))).reason,
    'NotEnoughFunds',
  );
});

test('bytes that are known are accepted again and change nothing, pending or mined', async () => {
  const raw = (await put()).serializeBytes();
  const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const first = await devnet.send(raw);
  assert.deepEqual([first.status, first.type], [200, 'application/json']);
  assert.match(first.body, /^[0-9a-f]{64}$/);
  assert.deepEqual(await devnet.send(raw), first);
  await devnet.mine();
  const hex = Buffer.from(raw).toString('hex');
  assert.deepEqual(await devnet.request('/v2/transactions', { ...json, body: JSON.stringify({ tx: hex }) }), first);
  assert.deepEqual(
    await devnet.request('/v2/transactions', { ...json, body: JSON.stringify({ tx: `0x${hex}` }) }),
    first,
  );
  assert.equal((await devnet.account(alice.address)).nonce, Number(alice.nonce + 1n));
  alice.nonce += 1n;
});

test('a guarded transfer is let in but never mined', async () => {
  const guarded = await alice.transfer(bob.address, 1n, { nonce: alice.nonce });
  guarded.postConditions = stacks.createLPList([
    stacks.postConditionToWire(Pc.principal(alice.address).willSendEq(1n).ustx()),
  ]);
  guarded.auth.spendingCondition.signature = stacks.emptyMessageSignature();
  new stacks.TransactionSigner(guarded).signOrigin(alice.key);
  const [txid] = await devnet.submit(guarded);
  await devnet.mine(2);
  assert.equal((await devnet.transaction(txid)).status, 'pending');
});

test('originator mode is refused before epoch 3.4', async () => {
  const older = await Devnet.start('--epoch', '3.3');
  try {
    const { status, body } = await older.send((await put({ postConditionMode: 'originator' })).serializeBytes());
    assert.deepEqual([status, body.reason], [400, 'SignatureValidation']);
  } finally {
    await older.stop();
  }
});
