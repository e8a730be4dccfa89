/** The browser's wallet: what it signs is what Stacks programs accept, and only pages of this machine may ask it. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import * as stacks from '@stacks/transactions';
import { Account, Cl, furnish, read } from './account.mjs';
import { Devnet } from './devnet.mjs';

const HERE = { origin: 'http://127.0.0.1:8180', 'content-type': 'application/json' };
const deployer = new Account('deployer');
let devnet;
let probe;

before(async () => {
  devnet = await Devnet.start();
  probe = await furnish(devnet, deployer);
});
after(() => devnet.stop());

const ask = (method, params, { account, headers = HERE } = {}) =>
  devnet.request('/devnet/wallet', { method: 'POST', headers, body: JSON.stringify({ method, params, account }) });

async function result(method, params, more) {
  const { status, body } = await ask(method, params, more);
  assert.equal(status, 200);
  assert.equal(body.error, undefined, JSON.stringify(body));
  return body.result;
}

test('an account is shown with its key, and is given STX before it needs any', async () => {
  const { addresses } = await result('stx_getAddresses', null);
  const [{ address, publicKey }] = addresses;
  assert.equal(stacks.publicKeyToAddress(publicKey, 'testnet'), address);
  assert.equal((await devnet.account(address)).balance, 100_000_000_000n);
  const { addresses: again } = await result('getAddresses', {});
  assert.deepEqual(again, [{ symbol: 'STX', address, publicKey }]);
  assert.equal((await devnet.account(address)).balance, 100_000_000_000n);
});

test('each account is another one', async () => {
  const { accounts } = await devnet.get('/devnet/wallet');
  assert.equal(accounts.length, 3);
  for (const { name, address } of accounts) {
    const { addresses } = await result('stx_getAddresses', {}, { account: name });
    assert.equal(addresses[0].address, address);
  }
  assert.equal(new Set(accounts.map(({ address }) => address)).size, 3);
});

test('a text is signed as Stacks wallets do it, R ‖ S ‖ V', async () => {
  for (const message of ['hello', 'grüße', 'long '.repeat(200)]) {
    const { signature, publicKey } = await result('stx_signMessage', { message });
    const length = Buffer.from(message).length;
    const size = length < 253 ? [length] : [0xfd, length & 255, length >> 8];
    const told = Buffer.concat([Buffer.from('\x17Stacks Signed Message:\n'), Buffer.from(size), Buffer.from(message)]);
    const hash = createHash('sha256').update(told).digest('hex');
    assert.equal(stacks.publicKeyFromSignatureRsv(hash, signature), publicKey);
  }
});

test('data is signed after SIP-018', async () => {
  const domain = Cl.tuple({ name: Cl.stringAscii('x'), version: Cl.stringAscii('1'), 'chain-id': Cl.uint(2147483648) });
  const message = Cl.tuple({ nonce: Cl.stringAscii('abc') });
  const { signature, publicKey } = await result('stx_signStructuredMessage', {
    message: Cl.serialize(message),
    domain: Cl.serialize(domain),
  });
  const encoded = stacks.encodeStructuredData({ message, domain });
  const hash = createHash('sha256').update(Buffer.from(encoded, 'hex')).digest('hex');
  assert.equal(stacks.publicKeyFromSignatureRsv(hash, signature), publicKey);
});

const setEntry = (value) => ({
  contract: probe,
  functionName: 'take-stx',
  functionArgs: [Cl.serialize(Cl.uint(value))],
  postConditions: [],
  network: 'testnet',
});

test('calls that are asked for at once take one nonce after another', async () => {
  const calls = await Promise.all(
    [1, 2, 3].map((value) => result('stx_callContract', setEntry(value), { account: 'Carl' })),
  );
  await devnet.mine();
  const nonces = await Promise.all(calls.map(async ({ txid }) => (await devnet.transaction(txid)).sender.nonce));
  assert.deepEqual(nonces, [0, 1, 2]);
});

test('sBTC that a call is about to move is there', async () => {
  const source =
    '(define-fungible-token sbtc-token)(define-public (mint (n uint) (to principal)) (ft-mint? sbtc-token n to))' +
    '(define-read-only (get-balance (who principal)) (ok (ft-get-balance sbtc-token who)))';
  await devnet.submit(await deployer.deploy('sbtc-token', source));
  await devnet.mine();
  const sbtc = `${deployer.address}.sbtc-token`;
  const { addresses } = await result('stx_getAddresses', {}, { account: 'Blaise' });
  const [{ address }] = addresses;
  const condition = { type: 'ft-postcondition', address, condition: 'eq', asset: `${sbtc}::sbtc-token`, amount: '70' };
  await result('stx_callContract', { ...setEntry(1), postConditions: [condition] }, { account: 'Blaise' });
  await devnet.mine();
  assert.equal(await read(devnet, sbtc, 'get-balance', [Cl.principal(address)]), '(ok u70)');
});

test('what cannot be signed or sent is an error with a code', async () => {
  for (const [method, params, code] of [
    ['stx_signPsbt', {}, -32601],
    ['constructor', {}, -32601],
    ['stx_signMessage', {}, -32602],
    ['stx_signMessage', { message: 'x'.repeat(70_000) }, -32602],
    ['stx_signStructuredMessage', { message: 'zz', domain: '' }, -32602],
    ['stx_callContract', {}, -32602],
    ['stx_callContract', { ...setEntry(1), address: deployer.address }, -32602],
    ['stx_callContract', { ...setEntry(1), functionName: 'nothing' }, -32603],
  ]) {
    const { status, body } = await ask(method, params);
    assert.deepEqual([status, body.error?.code], [200, code], `${method} ${JSON.stringify(params)}`);
  }
  const { body } = await ask('stx_getAddresses', {}, { account: 'Nobody' });
  assert.equal(body.error.code, -32602);
});

test('a page of another machine is refused, whatever it says the body is', async () => {
  for (const origin of ['https://evil.example', 'http://127.0.0.1.evil.example', 'null']) {
    const { status } = await ask('stx_getAddresses', {}, { headers: { origin, 'content-type': 'text/plain' } });
    assert.equal(status, 403);
  }
});

test('a page of this machine may ask, after asking whether it may', async () => {
  const response = await fetch(`${devnet.url}/devnet/wallet`, { method: 'OPTIONS', headers: HERE });
  assert.equal(response.status, 204);
  assert.equal(response.headers.get('access-control-allow-origin'), HERE.origin);
  const script = await fetch(`${devnet.url}/devnet/wallet.js`);
  assert.match(script.headers.get('content-type'), /javascript/);
  assert.match(await script.text(), /wbip_providers/);
});
