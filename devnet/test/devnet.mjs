/** A devnet of its own for a test file: starts the real process, speaks HTTP to it, ends it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../main.mjs', import.meta.url));

export class Devnet {
  constructor(process, port) {
    this.process = process;
    this.url = `http://127.0.0.1:${port}`;
  }

  /** It ends with this process, however that ends. */
  static start(...options) {
    return Devnet.startAlone('--exit-with-parent', ...options);
  }

  static async startAlone(...options) {
    const process = spawn(globalThis.process.execPath, [MAIN, '--port', '0', ...options], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(process.stdout), 'line');
    return new Devnet(process, JSON.parse(line).listening);
  }

  async stop() {
    this.process.kill('SIGTERM');
    if (this.process.exitCode === null) await once(this.process, 'exit');
  }

  /** @returns {Promise<{status: number, type: string, body: any}>} body is parsed where it is JSON */
  async request(path, init = {}) {
    const response = await fetch(this.url + path, init);
    const type = response.headers.get('content-type');
    const text = await response.text();
    return { status: response.status, type, body: type === 'application/json' ? JSON.parse(text) : text };
  }

  /** The body of an answer with status 200. */
  async get(path) {
    return expectOk(path, await this.request(path));
  }

  async post(path, body = {}) {
    const init = { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
    return expectOk(path, await this.request(path, init));
  }

  /** Sends the bytes of a transaction; the answer whatever it is. */
  send(raw) {
    const headers = { 'content-type': 'application/octet-stream' };
    return this.request('/v2/transactions', { method: 'POST', body: raw, headers });
  }

  /** Sends signed transactions that have to be taken. @returns their txids with 0x */
  async submit(...transactions) {
    const txids = [];
    for (const transaction of transactions) {
      const { status, body } = await this.send(transaction.serializeBytes());
      if (status !== 200) throw new Error(`refused: ${JSON.stringify(body)}`);
      txids.push(`0x${body}`);
    }
    return txids;
  }

  mine(blocks = 1) {
    return this.post('/devnet/mine', { blocks });
  }

  transaction(txid) {
    return this.get(`/extended/v3/transactions/${txid}?include=result`);
  }

  async account(principal) {
    const { balance, nonce } = await this.get(`/v2/accounts/${principal}?proof=0`);
    return { balance: BigInt(balance), nonce };
  }

  mint(recipient, amount) {
    return this.post('/devnet/mint', { recipient, amount: String(amount) });
  }
}

function expectOk(path, { status, body }) {
  if (status !== 200) throw new Error(`${path} answers ${status}: ${JSON.stringify(body)}`);
  return body;
}
