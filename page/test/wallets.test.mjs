/** Wallets differ: where they register, what they are asked by, and how they say no. */
import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { WalletFailed, WalletRefused, askWallet, foundWallets, walletAddress } from '../src/wallets.js';

const ADDRESS = 'ST26TRP5V006PYTZVEKFV8TCRZZ62XVWKSTWS21AW';

beforeEach(() => {
  globalThis.window = {};
});

function wallet(id, request, more = {}) {
  window[id] = { request };
  window.wbip_providers = [...(window.wbip_providers ?? []), { id, name: `${id} wallet`, ...more }];
}

test('each wallet is found once, wherever it registers, and only if it is there', () => {
  wallet('Leather', () => {}, { icon: 'data:image/png;base64,AAAA' });
  wallet('Remote', () => {}, { icon: 'https://wallets.example/icon.png' });
  window.Xverse = { Provider: { request: () => {} } };
  window.webbtc_stx_providers = [
    { id: 'Leather', name: 'Leather wallet' },
    { id: 'Xverse.Provider', name: 'Xverse' },
    { id: 'Gone.Provider', name: 'Gone' },
  ];
  assert.deepEqual(foundWallets(), [
    { id: 'Leather', name: 'Leather wallet', icon: 'data:image/png;base64,AAAA' },
    { id: 'Remote', name: 'Remote wallet', icon: null },
    { id: 'Xverse.Provider', name: 'Xverse', icon: null },
  ]);
});

test('an old wallet that registers nowhere is found by its name', () => {
  assert.deepEqual(foundWallets(), []);
  window.StacksProvider = { request: async () => ({ result: { txid: '0x1' } }) };
  assert.deepEqual(foundWallets(), [{ id: 'StacksProvider', name: 'Stacks wallet', icon: null }]);
});

test('an answer is taken with an envelope and without', async () => {
  wallet('Bare', async () => ({ signature: 'aa' }));
  wallet('Wrapped', async () => ({ jsonrpc: '2.0', id: 1, result: { signature: 'aa' } }));
  for (const id of ['Bare', 'Wrapped'])
    assert.deepEqual(await askWallet(id, 'stx_signMessage', {}), { signature: 'aa' });
});

test('a refusal is one, however it is said', async () => {
  wallet('Throws', async () => {
    throw Object.assign(new Error('no'), { code: 4001 });
  });
  wallet('Wraps', async () => {
    throw { jsonrpc: '2.0', error: { code: -32000, message: 'User rejected' } };
  });
  wallet('Answers', async () => ({ error: { code: -31001, message: 'canceled' } }));
  for (const id of ['Throws', 'Wraps', 'Answers']) await assert.rejects(askWallet(id, 'getAddresses'), WalletRefused);
});

test('any other trouble is told in the wallet’s words', async () => {
  wallet('Broken', async () => {
    throw { error: { code: -32603, message: 'out of coffee' } };
  });
  await assert.rejects(
    askWallet('Broken', 'getAddresses'),
    (error) => error instanceof WalletFailed && /coffee/.test(error.message),
  );
  await assert.rejects(askWallet('Absent', 'getAddresses'), WalletFailed);
});

test('the Stacks address is found among others, by the method that the wallet knows', async () => {
  const asked = [];
  wallet('Old', async (method, params) => {
    asked.push([method, params]);
    if (method !== 'getAddresses') throw { error: { code: -32601, message: 'unknown' } };
    return {
      result: {
        addresses: [
          { symbol: 'BTC', address: 'tb1qxyz' },
          { symbol: 'STX', address: ADDRESS },
        ],
      },
    };
  });
  assert.equal(await walletAddress('Old', 'testnet'), ADDRESS);
  assert.deepEqual(asked, [
    ['stx_getAddresses', { network: 'testnet' }],
    ['getAddresses', { network: 'testnet' }],
  ]);
});

test('a wallet that wants to be connected first is', async () => {
  wallet('Shy', async (method) => {
    if (method !== 'wallet_connect') throw { error: { code: -32002, message: 'access denied' } };
    return { addresses: [{ address: ADDRESS }] };
  });
  assert.equal(await walletAddress('Shy', 'testnet'), ADDRESS);
});

test('a refusal to show the address is not asked around', async () => {
  let times = 0;
  wallet('No', async () => {
    times += 1;
    throw { error: { code: 4001, message: 'no' } };
  });
  await assert.rejects(walletAddress('No', 'testnet'), WalletRefused);
  assert.equal(times, 1);
});
