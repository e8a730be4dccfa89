/** The events of a transaction: one object named after its kind, amounts as strings, paged by cursor. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Account, Cl, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';

const deployer = new Account('deployer');
const alice = new Account('alice');
const bob = new Account('bob');
const PROBE = `${deployer.address}.probe`;
const [COIN, CARD] = [`${PROBE}::coin`, `${PROBE}::card`];
const [A, B] = [alice.address, bob.address];
const CARD_ONE = { hex: '0x0100000000000000000000000000000001', repr: 'u1' };
let devnet;

before(async () => {
  devnet = await Devnet.start();
  await furnish(devnet, deployer, alice, bob);
});
after(() => devnet.stop());

async function mined(transaction) {
  const [txid] = await devnet.submit(await transaction);
  await devnet.mine();
  return txid;
}

const PRINTED = Cl.tuple({
  event: Cl.stringAscii('put'),
  key: Cl.uint(1),
  value: Cl.uint(2),
  'burn-height': Cl.uint(1),
});

/** [what happens, function, arguments, kind, what is told]; later ones need what earlier ones left */
const EVENTS = [
  [
    'a print',
    'put',
    [Cl.uint(1), Cl.uint(2)],
    'contract_log',
    {
      contract_id: PROBE,
      topic: 'print',
      value: {
        hex: `0x${Cl.serialize(PRINTED)}`,
        repr: '(tuple (burn-height u1) (event "put") (key u1) (value u2))',
      },
    },
  ],
  [
    'STX sent with a memo',
    'send-stx-with-memo',
    [Cl.uint(9), Cl.principal(B)],
    'stx_asset',
    { type: 'transfer', sender: A, recipient: B, amount: '9', memo: { hex: '0x68656c6c6f', repr: 'hello' } },
  ],
  [
    'STX sent without one',
    'send-stx',
    [Cl.uint(9), Cl.principal(B)],
    'stx_asset',
    { type: 'transfer', sender: A, recipient: B, amount: '9', memo: null },
  ],
  [
    'coins made',
    'mint',
    [Cl.uint(10)],
    'ft_asset',
    { type: 'mint', asset_identifier: COIN, recipient: A, amount: '10' },
  ],
  [
    'coins sent',
    'send-coin',
    [Cl.uint(4), Cl.principal(B)],
    'ft_asset',
    { type: 'transfer', asset_identifier: COIN, sender: A, recipient: B, amount: '4' },
  ],
  [
    'coins burnt',
    'burn-coin',
    [Cl.uint(1)],
    'ft_asset',
    { type: 'burn', asset_identifier: COIN, sender: A, amount: '1' },
  ],
  [
    'a card drawn',
    'draw',
    [Cl.uint(1)],
    'nft_asset',
    { type: 'mint', asset_identifier: CARD, recipient: A, value: CARD_ONE },
  ],
  [
    'a card given',
    'give',
    [Cl.uint(1), Cl.principal(B)],
    'nft_asset',
    { type: 'transfer', asset_identifier: CARD, sender: A, recipient: B, value: CARD_ONE },
  ],
];

for (const [what, functionName, args, kind, told] of EVENTS) {
  test(`${what} is one ${kind}`, async () => {
    const txid = await mined(alice.call(PROBE, functionName, args, { postConditionMode: 'allow' }));
    const { results } = await devnet.get(`/extended/v3/transactions/${txid}/events`);
    assert.deepEqual(results, [{ event_index: 0, type: kind, [kind]: told }]);
  });
}

test('events are paged by cursor', async () => {
  const code = '(print u0) (print u1) (print u2) (define-read-only (f) u1)';
  const path = `/extended/v3/transactions/${await mined(deployer.deploy('printer', code))}/events`;
  const page = await devnet.get(`${path}?limit=2`);
  assert.deepEqual([page.total, page.limit, page.cursor], [3, 2, { next: '2', previous: null, current: '0' }]);
  const rest = await devnet.get(`${path}?limit=2&cursor=${page.cursor.next}`);
  assert.deepEqual(
    [...page.results, ...rest.results].map((event) => event.contract_log.value.repr),
    ['u0', 'u1', 'u2'],
  );
  assert.deepEqual(rest.cursor, { next: null, previous: '0', current: '2' });
  assert.equal((await devnet.request(`${path}?cursor=9`)).status, 400);
});
