/** What a block does with its transactions: effects, failures, conditions, fees. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Account, Cl, FEE, Pc, furnish, read } from './account.mjs';
import { Devnet } from './devnet.mjs';

const deployer = new Account('deployer');
const alice = new Account('alice');
const bob = new Account('bob');
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer, alice, bob);
});
after(() => devnet.stop());

/** Submits, mines one block, and tells what became of each. */
async function run(...transactions) {
  const txids = await devnet.submit(...(await Promise.all(transactions)));
  await devnet.mine();
  return Promise.all(txids.map((txid) => devnet.transaction(txid)));
}

function entry(key) {
  return read(devnet, probe, 'get-entry', [Cl.uint(key)]);
}

test('a call takes effect, tells its result and prints', async () => {
  const [put] = await run(alice.call(probe, 'put', [Cl.uint(1), Cl.uint(11)]));
  assert.equal(put.status, 'success');
  assert.deepEqual(put.result, { hex: '0x07010000000000000000000000000000000b', repr: '(ok u11)' });
  assert.equal(put.event_count, 1);
  assert.equal(await entry(1), '(some u11)');
});

test('an err answer undoes everything but fee and nonce', async () => {
  const earlier = await devnet.account(alice.address);
  const [refused] = await run(alice.call(probe, 'put-and-refuse', [Cl.uint(2)]));
  const later = await devnet.account(alice.address);
  assert.equal(refused.status, 'abort_by_response');
  assert.equal(refused.result.repr, '(err u42)');
  assert.equal(refused.event_count, 0);
  assert.equal(await entry(2), 'none');
  assert.deepEqual(later, { balance: earlier.balance - FEE, nonce: earlier.nonce + 1 });
});

test('a runtime error is (err none) with the reason in vm_error, and undoes everything but fee and nonce', async () => {
  const earlier = await devnet.account(alice.address);
  const [broken] = await run(alice.call(probe, 'put-and-divide', [Cl.uint(3), Cl.uint(0)]));
  const later = await devnet.account(alice.address);
  assert.equal(broken.status, 'abort_by_response');
  assert.equal(broken.result.repr, '(err none)');
  assert.match(broken.vm_error, /DivisionByZero/);
  assert.equal(await entry(3), 'none');
  assert.deepEqual(later, { balance: earlier.balance - FEE, nonce: earlier.nonce + 1 });
});

test('of several in a block the failing ones leave nothing behind and the others everything', async () => {
  const put = (who, key, more) => who.call(probe, 'put', [Cl.uint(key), Cl.uint(key)], more);
  const earlier = await devnet.account(bob.address);
  const outcomes = await run(
    put(alice, 10),
    alice.call(probe, 'put-and-divide', [Cl.uint(11), Cl.uint(0)]),
    alice.call(probe, 'take-stx', [Cl.uint(5000)]),
    put(alice, 12),
    put(bob, 13),
    bob.call(probe, 'put-and-divide', [Cl.uint(14), Cl.uint(0)]),
    bob.call(probe, 'put-and-divide', [Cl.uint(14), Cl.uint(0)]),
    put(bob, 15),
  );
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    [
      'success',
      'abort_by_response',
      'abort_by_post_condition',
      'success',
      'success',
      'abort_by_response',
      'abort_by_response',
      'success',
    ],
  );
  assert.equal(new Set(outcomes.map(({ block }) => block.index_hash)).size, 1);
  const kept = await Promise.all([10, 11, 12, 13, 14, 15].map(entry));
  assert.deepEqual(kept, ['(some u10)', 'none', '(some u12)', '(some u13)', 'none', '(some u15)']);
  assert.equal((await devnet.account(probe)).balance, 0n);
  assert.equal((await devnet.account(bob.address)).balance, earlier.balance - 4n * FEE);
});

test('what only works without the failed one is judged without it', async () => {
  // Bob may pay out 700 only if what Alice paid in, and then took back by her condition, had stayed.
  const [paidIn, paidOut] = await run(
    alice.call(probe, 'take-stx', [Cl.uint(700)], { fee: FEE + 1n }),
    bob.call(probe, 'pay-out', [Cl.uint(700)], { postConditionMode: 'allow' }),
  );
  assert.equal(paidIn.status, 'abort_by_post_condition');
  assert.equal(paidOut.status, 'abort_by_response');
  assert.equal(paidOut.result.repr, '(err u1)');
});

test('fees come first, and who cannot pay one any more waits', async () => {
  const carol = new Account('carol');
  await devnet.mint(carol.address, 10_000n);
  const everything = 10_000n - FEE;
  const send = () =>
    carol.call(probe, 'send-stx', [Cl.uint(everything), Cl.principal(bob.address)], {
      postConditions: [Pc.principal(carol.address).willSendEq(everything).ustx()],
    });
  const put = carol.call(probe, 'put', [Cl.uint(20), Cl.uint(1)], { nonce: 1n });
  const [sent, waiting] = await run(send(), put);
  assert.equal(sent.status, 'success');
  assert.equal(waiting.status, 'pending');
  assert.deepEqual(await devnet.account(carol.address), { balance: 0n, nonce: 1 });
  await devnet.mint(carol.address, FEE);
  await devnet.mine();
  assert.equal((await devnet.transaction(waiting.tx_id)).status, 'success');
});

test('a transfer moves the amount, takes the fee and tells its memo', async () => {
  const [from, to] = [await devnet.account(alice.address), await devnet.account(bob.address)];
  const [sent] = await run(alice.transfer(bob.address, 1234n, { memo: 'hello' }));
  const { results } = await devnet.get(`/extended/v3/transactions/${sent.tx_id}/events`);
  assert.equal(sent.status, 'success');
  assert.equal((await devnet.account(alice.address)).balance, from.balance - 1234n - FEE);
  assert.equal((await devnet.account(bob.address)).balance, to.balance + 1234n);
  assert.deepEqual(results, [
    {
      event_index: 0,
      type: 'stx_asset',
      stx_asset: {
        type: 'transfer',
        sender: alice.address,
        recipient: bob.address,
        amount: '1234',
        memo: { hex: `0x${Buffer.from('hello').toString('hex').padEnd(68, '0')}`, repr: 'hello' },
      },
    },
  ]);
});

test('a deployment that does not type-check is (err none) and deploys nothing', async () => {
  const [broken] = await run(deployer.deploy('broken', '(define-public (f) (+ 1 true))'));
  assert.equal(broken.status, 'abort_by_response');
  assert.equal(broken.result.repr, '(err none)');
  assert.match(broken.vm_error, /expecting expression of type/);
  const [address] = probe.split('.');
  assert.equal((await devnet.request(`/v2/contracts/interface/${address}/broken`)).status, 404);
});

test('a deployment obeys its conditions too', async () => {
  const code = `(stx-transfer? u5000 tx-sender '${bob.address})`;
  const [denied] = await run(deployer.deploy('gift', `${code} (define-read-only (f) u1)`));
  assert.equal(denied.status, 'abort_by_post_condition');
  assert.equal(denied.result.repr, '(ok true)');
  const [allowed] = await run(
    deployer.deploy('gift', `${code} (define-read-only (f) u1)`, {
      postConditions: [Pc.principal(deployer.address).willSendEq(5000n).ustx()],
    }),
  );
  assert.equal(allowed.status, 'success');
});

test('of two deployments of one name only the first is mined', async () => {
  const code = '(define-read-only (f) u1)';
  const [first, second] = await run(deployer.deploy('twin', code), deployer.deploy('twin', code));
  assert.equal(first.status, 'success');
  assert.equal(second.status, 'pending');
  deployer.nonce -= 1n;
  const again = await deployer.call(probe, 'put', [Cl.uint(30), Cl.uint(1)], { fee: 20_000n });
  assert.equal((await run(again))[0].status, 'success');
});

const coin = () => `${probe}`;
const card = () => `${probe}`;

/** [what is promised, function, arguments, conditions, mode, is it kept] */
const CONDITIONS = [
  ['STX eq', 'take-stx', () => [Cl.uint(50)], (a) => [a.willSendEq(50n).ustx()], 'deny', true],
  ['STX eq, one more sent', 'take-stx', () => [Cl.uint(51)], (a) => [a.willSendEq(50n).ustx()], 'deny', false],
  ['STX gt', 'take-stx', () => [Cl.uint(51)], (a) => [a.willSendGt(50n).ustx()], 'deny', true],
  ['STX gt, as much sent', 'take-stx', () => [Cl.uint(50)], (a) => [a.willSendGt(50n).ustx()], 'deny', false],
  ['STX ge', 'take-stx', () => [Cl.uint(50)], (a) => [a.willSendGte(50n).ustx()], 'deny', true],
  ['STX lt', 'take-stx', () => [Cl.uint(49)], (a) => [a.willSendLt(50n).ustx()], 'deny', true],
  ['STX lt, as much sent', 'take-stx', () => [Cl.uint(50)], (a) => [a.willSendLt(50n).ustx()], 'deny', false],
  ['STX le', 'take-stx', () => [Cl.uint(50)], (a) => [a.willSendLte(50n).ustx()], 'deny', true],
  ['STX le, more sent', 'take-stx', () => [Cl.uint(51)], (a) => [a.willSendLte(50n).ustx()], 'deny', false],
  ['nothing, in deny mode', 'take-stx', () => [Cl.uint(50)], () => [], 'deny', false],
  ['nothing, in allow mode', 'take-stx', () => [Cl.uint(50)], () => [], 'allow', true],
  ['nothing, in originator mode', 'take-stx', () => [Cl.uint(50)], () => [], 'originator', false],
  ['nothing, in originator mode, and the contract sends', 'pay-out', () => [Cl.uint(50)], () => [], 'originator', true],
  ['nothing, in deny mode, and the contract sends', 'pay-out', () => [Cl.uint(50)], () => [], 'deny', false],
  [
    'the contract le',
    'pay-out',
    () => [Cl.uint(50)],
    () => [Pc.principal(probe).willSendLte(50n).ustx()],
    'deny',
    true,
  ],
  [
    'the contract le, more sent',
    'pay-out',
    () => [Cl.uint(51)],
    () => [Pc.principal(probe).willSendLte(50n).ustx()],
    'deny',
    false,
  ],
  ['a mint is not sent', 'mint', () => [Cl.uint(1000)], () => [], 'deny', true],
  [
    'coins eq',
    'send-coin',
    () => [Cl.uint(5), Cl.principal(bob.address)],
    (a) => [a.willSendEq(5n).ft(coin(), 'coin')],
    'deny',
    true,
  ],
  [
    'coins eq, more sent',
    'send-coin',
    () => [Cl.uint(6), Cl.principal(bob.address)],
    (a) => [a.willSendEq(5n).ft(coin(), 'coin')],
    'deny',
    false,
  ],
  [
    'STX, and coins sent',
    'send-coin',
    () => [Cl.uint(5), Cl.principal(bob.address)],
    (a) => [a.willSendLte(5n).ustx()],
    'deny',
    false,
  ],
  ['burnt coins are sent', 'burn-coin', () => [Cl.uint(5)], (a) => [a.willSendEq(5n).ft(coin(), 'coin')], 'deny', true],
  ['burnt coins, not covered', 'burn-coin', () => [Cl.uint(5)], () => [], 'deny', false],
  ['a new card is not sent', 'draw', () => [Cl.uint(1)], () => [], 'deny', true],
  [
    'card not sent, and sent',
    'give',
    () => [Cl.uint(1), Cl.principal(bob.address)],
    (a) => [a.willNotSendAsset().nft(`${card()}::card`, Cl.uint(1))],
    'deny',
    false,
  ],
  [
    'another card sent',
    'give',
    () => [Cl.uint(1), Cl.principal(bob.address)],
    (a) => [a.willSendAsset().nft(`${card()}::card`, Cl.uint(2))],
    'deny',
    false,
  ],
  [
    'card sent',
    'give',
    () => [Cl.uint(1), Cl.principal(bob.address)],
    (a) => [a.willSendAsset().nft(`${card()}::card`, Cl.uint(1))],
    'deny',
    true,
  ],
];

for (const [promised, functionName, args, conditions, mode, isKept] of CONDITIONS) {
  test(`post-condition ${isKept ? 'kept' : 'broken'}: ${promised}`, async () => {
    const postConditions = conditions(Pc.principal(alice.address));
    const call = alice.call(probe, functionName, args(), { postConditions, postConditionMode: mode });
    const earlier = await devnet.account(alice.address);
    const [done] = await run(call);
    assert.equal(done.status, isKept ? 'success' : 'abort_by_post_condition', done.vm_error);
    assert.match(done.result.repr, /^\(ok /);
    if (isKept) return;
    assert.equal(done.event_count, 0);
    assert.match(done.vm_error, /Post-condition check failure/);
    assert.equal((await devnet.account(alice.address)).balance, earlier.balance - FEE);
  });
}

test('a sponsored call is paid by its sponsor and uses up both nonces', async () => {
  const { sponsorTransaction } = await import('@stacks/transactions');
  const [origin, payer] = [await devnet.account(alice.address), await devnet.account(bob.address)];
  const unpaid = await alice.call(probe, 'put', [Cl.uint(40), Cl.uint(4)], { sponsored: true, fee: 0n });
  const transaction = await sponsorTransaction({
    transaction: unpaid,
    sponsorPrivateKey: bob.key,
    fee: FEE,
    sponsorNonce: bob.nonce,
    network: 'testnet',
  });
  bob.nonce += 1n;
  const [done] = await run(transaction);
  assert.equal(done.status, 'success');
  assert.deepEqual(done.sponsor, { address: bob.address, nonce: payer.nonce });
  assert.deepEqual(await devnet.account(alice.address), { balance: origin.balance, nonce: origin.nonce + 1 });
  assert.deepEqual(await devnet.account(bob.address), { balance: payer.balance - FEE, nonce: payer.nonce + 1 });
});
