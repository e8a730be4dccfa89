/** Devnets with a journal, for tests: where it lies, how they start, and how a start is refused. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { Account, furnish } from './account.mjs';
import { Devnet } from './devnet.mjs';
import { accounts } from './life.mjs';

const MAIN = fileURLToPath(new URL('../main.mjs', import.meta.url));
const LIMIT_MS = 60_000;

export const deployer = new Account('deployer');
export const probe = `${deployer.address}.probe`;

/** Where a test file's journals lie. */
export class Place {
  #files = 0;

  constructor() {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'devnet-journal-'));
  }

  newPath() {
    this.#files += 1;
    return path.join(this.directory, `${this.#files}.jsonl`);
  }

  /** @returns the path of a new journal of these lines */
  written(lines) {
    const journal = this.newPath();
    fs.writeFileSync(journal, lines.map((line) => `${line}\n`).join(''));
    return journal;
  }

  remove() {
    fs.rmSync(this.directory, { recursive: true });
  }
}

/** Works with a devnet that is stopped afterwards, whatever happens. */
export async function running(journal, work) {
  const devnet = await Devnet.start('--journal', journal);
  try {
    return await work(devnet);
  } finally {
    await devnet.stop();
  }
}

/** STX for everybody and the probe, on a new devnet. */
export async function furnished(devnet) {
  for (const account of [deployer, ...accounts]) account.nonce = 0n;
  await furnish(devnet, deployer, ...accounts);
}

export function launch(...options) {
  return spawn(process.execPath, [MAIN, '--port', '0', ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** A start that must not succeed. */
export async function start(journal, ...options) {
  const child = launch('--journal', journal, ...options);
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  const [said, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  clearTimeout(limit);
  return { said, complaint, code };
}

export async function assertRefused(journal, reason, ...options) {
  const content = fs.readFileSync(journal);
  const { said, complaint, code } = await start(journal, ...options);
  assert.deepEqual([code, said], [3, ''], complaint);
  assert.match(complaint, reason);
  assert.match(complaint, /^the journal [^\n]+ must be removed together with the database \(registry reset does both\)\n$/);
  assert.deepEqual(fs.readFileSync(journal), content);
}
