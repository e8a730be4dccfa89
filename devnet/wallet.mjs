/**
 * A wallet: signs what a program prepared for its owner, and sends it.
 *
 *   WALLET_KEY=… node wallet.mjs [call | deploy | transfer] --node http://127.0.0.1:3999 [payload.json]
 *   WALLET_KEY=… node wallet.mjs address
 *
 * The payload, on stdin where no file is named, is what a browser wallet gets; `signing.mjs` lists what it says.
 * Prints {"txid"}, or {"error"} and ends with 2 (payload or use), 3 (no answer from the node), 4 (the node refused).
 */
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { getAddressFromPrivateKey } from '@stacks/transactions';
import { BadPayload, COMMANDS, signed } from './signing.mjs';

const BAD_USE = 2;
const NO_ANSWER = 3;
const REFUSED = 4;

const TIMEOUT_MS = 15_000;

class Failure extends Error {
  constructor(exitCode, error) {
    super(typeof error === 'string' ? error : JSON.stringify(error));
    this.exitCode = exitCode;
    this.error = error;
  }
}

async function main(argv) {
  const { values, positionals } = parseArgs({
    args: argv,
    options: { node: { type: 'string' } },
    allowPositionals: true,
  });
  const [command, file] = [...COMMANDS, 'address'].includes(positionals[0]) ? positionals : ['call', ...positionals];
  const key = process.env.WALLET_KEY;
  if (!/^[0-9a-f]{64}(01)?$/i.test(key ?? '')) throw new Failure(BAD_USE, 'WALLET_KEY must be a private key in hex');
  if (command === 'address') return { address: getAddressFromPrivateKey(key, 'testnet') };
  if (values.node === undefined) throw new Failure(BAD_USE, '--node must be the URL of a node');
  const nextNonce = (address) => nextNonceAt(values.node, address);
  const transaction = await signed(command, await readPayload(file), { key, nextNonce }).catch((error) => {
    throw error instanceof BadPayload ? new Failure(BAD_USE, error.message) : error;
  });
  return { txid: await broadcast(values.node, transaction) };
}

async function readPayload(file) {
  try {
    return JSON.parse(await (file === undefined ? text(process.stdin) : readFile(file, 'utf8')));
  } catch (error) {
    throw new Failure(BAD_USE, `cannot read the payload: ${error.message}`);
  }
}

/** The lowest that neither a block nor a pending transaction of ours has used. */
async function nextNonceAt(node, address) {
  // in this order: a block in between takes from the mempool what the account then counts
  const { mempool } = await getJson(`${node}/extended/v3/principals/${address}/nonces`);
  const account = await getJson(`${node}/v2/accounts/${address}?proof=0`);
  let nonce = account.nonce;
  while (mempool.pending_nonces.includes(nonce)) nonce += 1;
  return BigInt(nonce);
}

async function broadcast(node, transaction) {
  const response = await reach(`${node}/v2/transactions`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: transaction.serializeBytes(),
  });
  const answer = parsed(await response.text());
  if (!response.ok) throw new Failure(REFUSED, answer);
  return answer;
}

async function getJson(url) {
  const response = await reach(url);
  if (!response.ok) throw new Failure(NO_ANSWER, `${url} answers ${response.status}`);
  return response.json();
}

async function reach(url, request = {}) {
  try {
    return await fetch(url, { ...request, signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    throw new Failure(NO_ANSWER, `${url} does not answer: ${error.cause?.message ?? error.message}`);
  }
}

/** Bytes that are no transaction are refused in plain text. */
function parsed(answer) {
  try {
    return JSON.parse(answer);
  } catch {
    return answer;
  }
}

try {
  process.stdout.write(`${JSON.stringify(await main(process.argv.slice(2)))}\n`);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: error.error ?? error.message })}\n`);
  process.exitCode = error.exitCode ?? BAD_USE;
}
