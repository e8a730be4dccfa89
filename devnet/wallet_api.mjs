/**
 * A wallet for the browser, for development: a few accounts whose keys everybody knows, and STX as soon as they need it.
 *
 * `GET /devnet/wallet.js` is a script that a page loads; it asks the owner, then sends what he approved to
 * `POST /devnet/wallet` {"method", "params", "account"}, which answers {"result"} or {"error": {"code", "message"}}
 * after SIP-030. Pages of this machine may do so, and no others.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as stacks from '@stacks/transactions';
import { Rejected } from './admission.mjs';
import { json, parseJson, text } from './http.mjs';
import { BadPayload, signed } from './signing.mjs';
import { Undecodable } from './transaction.mjs';

const NAMES = ['Ada', 'Blaise', 'Carl'];
const LEAST_MICRO_STX = 50_000_000_000n;
const POCKET_MICRO_STX = 100_000_000_000n;
const SCRIPT = readFileSync(new URL('browser_wallet.js', import.meta.url), 'utf8');
const LOOPBACK = /^https?:\/\/(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
const OUR_SBTC = 'sbtc-token';

const INVALID_PARAMS = -32602;
const NO_SUCH_METHOD = -32601;
const NOT_SENT = -32603;

class WalletError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

export const ACCOUNTS = NAMES.map((name) => {
  const key = `${createHash('sha256').update(`devnet wallet ${name}`).digest('hex')}01`;
  const address = stacks.getAddressFromPrivateKey(key, 'testnet');
  return { name, key, address, publicKey: stacks.privateKeyToPublic(key) };
});

const METHODS = {
  getAddresses: (_, account) => ({ addresses: [{ symbol: 'STX', ...shown(account) }] }),
  stx_getAddresses: (_, account) => ({ addresses: [shown(account)] }),
  stx_signMessage: ({ message }, { key, publicKey }) => ({
    signature: stacks.signMessageHashRsv({ messageHash: messageHash(message), privateKey: key }),
    publicKey,
  }),
  stx_signStructuredMessage: ({ message, domain }, { key, publicKey }) => ({
    signature: stacks.signStructuredData({ message: value(message), domain: value(domain), privateKey: key }),
    publicKey,
  }),
  stx_callContract: callContract,
};

/** @param devnet its chain, and `order`, which does an order of the admin API by name so that the journal knows it */
export function addWalletApi(router, { chain, order }) {
  const bank = { chain, order };
  router.on('GET', '/devnet/wallet.js', () => withOrigin('*', { ...text(200, SCRIPT), type: 'text/javascript' }));
  router.on('GET', '/devnet/wallet', ({ headers }) => fromHere(headers, () => json(200, { accounts: told() })));
  router.on('OPTIONS', '/devnet/wallet', ({ headers }) => fromHere(headers, () => text(204, '')));
  router.on('POST', '/devnet/wallet', ({ headers, body }) => fromHere(headers, () => answer(bank, parseJson(body))));
}

/** A page of another machine must not spend here, nor be told who would. */
async function fromHere({ origin }, then) {
  if (origin !== undefined && !LOOPBACK.test(origin)) {
    return json(403, { error: { code: NO_SUCH_METHOD, message: 'only pages of this machine may ask this wallet' } });
  }
  return withOrigin(origin, await then());
}

function withOrigin(origin, given) {
  if (origin === undefined) return given;
  const headers = {
    'access-control-allow-origin': origin,
    'access-control-allow-headers': 'content-type',
    'access-control-allow-methods': 'GET, POST',
    vary: 'origin',
  };
  return { ...given, headers };
}

async function answer(bank, { method, params = {}, account: name = NAMES[0] }) {
  try {
    const account = ACCOUNTS.find((each) => each.name === name);
    if (account === undefined) throw new WalletError(INVALID_PARAMS, `no account is called ${name}`);
    if (!Object.hasOwn(METHODS, method)) throw new WalletError(NO_SUCH_METHOD, `this wallet knows no ${method}`);
    fund(bank, account);
    return json(200, { result: await METHODS[method](params ?? {}, account, bank) });
  } catch (error) {
    if (!(error instanceof WalletError)) throw error;
    return json(200, { error: { code: error.code, message: error.message } });
  }
}

function fund({ chain, order }, { address }) {
  if (chain.stxBalance(address) >= LEAST_MICRO_STX) return;
  order('mint', { recipient: address, amount: String(POCKET_MICRO_STX) });
}

/** Signing waits for nothing from outside, so no other request comes between a nonce and its use. */
async function callContract(payload, { key, address }, { chain }) {
  try {
    const nextNonce = (principal) => freeNonce(chain, principal);
    for (const { asset, amount } of missing(payload, chain)) {
      const mint = { contract: asset, functionName: 'mint', functionArgs: [hex(amount), hexOf(address)] };
      chain.submit(bytes(await signed('call', mint, { key, nextNonce })));
    }
    const transaction = await signed('call', payload, { key, nextNonce });
    return { txid: `0x${chain.submit(bytes(transaction))}`, transaction: transaction.serialize() };
  } catch (error) {
    if (error instanceof BadPayload) throw new WalletError(INVALID_PARAMS, error.message);
    if (error instanceof Undecodable) throw new WalletError(INVALID_PARAMS, error.message);
    if (error instanceof Rejected) throw new WalletError(NOT_SENT, `the node refuses it: ${error.reason}`);
    throw error;
  }
}

/** The sBTC that a call is about to move: the devnet's own may be minted by anybody. */
function missing({ postConditions = [] }, chain) {
  return postConditions
    .filter(({ type, asset }) => type === 'ft-postcondition' && typeof asset === 'string')
    .map(({ asset, amount }) => ({ asset: asset.split('::')[0], amount }))
    .filter(({ asset }) => asset.endsWith(`.${OUR_SBTC}`) && chain.contract(asset) !== undefined);
}

/** The lowest that neither a block nor a pending transaction has used. */
function freeNonce(chain, principal) {
  const pending = new Set(chain.mempool.sentBy(principal).map(({ nonce }) => nonce));
  let nonce = chain.nextNonce(principal);
  while (pending.has(nonce)) nonce += 1n;
  return nonce;
}

function told() {
  return ACCOUNTS.map(({ name, address }) => ({ name, address }));
}

function shown({ address, publicKey }) {
  return { address, publicKey };
}

function messageHash(message) {
  if (typeof message !== 'string') throw new WalletError(INVALID_PARAMS, 'message must be a text');
  return createHash('sha256').update(encoded(message)).digest('hex');
}

/** The text as it is hashed: behind a prefix and its length, in Bitcoin's way. */
function encoded(message) {
  const content = Buffer.from(message, 'utf8');
  return Buffer.concat([Buffer.from('\x17Stacks Signed Message:\n', 'latin1'), compactSize(content.length), content]);
}

function compactSize(length) {
  if (length < 0xfd) return Buffer.from([length]);
  if (length > 0xffff) throw new WalletError(INVALID_PARAMS, 'message is too long');
  const mark = Buffer.alloc(3, 0xfd);
  mark.writeUInt16LE(length, 1);
  return mark;
}

function value(given) {
  try {
    return stacks.Cl.deserialize(given);
  } catch (error) {
    throw new WalletError(INVALID_PARAMS, `not a Clarity value in hex: ${error.message}`);
  }
}

const hex = (amount) => stacks.Cl.serialize(stacks.Cl.uint(amount));
const hexOf = (principal) => stacks.Cl.serialize(stacks.Cl.principal(principal));
const bytes = (transaction) => Buffer.from(transaction.serializeBytes());
