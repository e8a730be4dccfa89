/** The process: options, start, end. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BadOption, readOptions } from '../options.mjs';
import { Devnet } from './devnet.mjs';

test('without options nothing comes by itself and the port is any', () => {
  assert.deepEqual(readOptions([], {}), {
    port: 0,
    blockMs: 0,
    burnBlockMs: 0,
    transactionsPerBlock: 100,
    snapshots: 192,
    epoch: '3.4',
    api: 'v3',
    journal: null,
    logLevel: 'error',
    exitWithParent: false,
  });
});

test('options come from the command line before the environment', () => {
  const environment = { DEVNET_PORT: '1', DEVNET_BLOCK_MS: '500', DEVNET_EXIT_WITH_PARENT: '1' };
  const { port, blockMs, exitWithParent } = readOptions(['--port', '3999'], environment);
  assert.deepEqual([port, blockMs, exitWithParent], [3999, 500, true]);
});

test('an option that is none says so', () => {
  for (const argv of [['--port', 'x'], ['--epoch', '2.1'], ['--snapshots', '0'], ['--nothing', '1'], ['stray']]) {
    assert.throws(() => readOptions(argv, {}), BadOption);
  }
});

test('a bad option ends the process with 2 and a sentence', async () => {
  const main = fileURLToPath(new URL('../main.mjs', import.meta.url));
  const child = spawn(process.execPath, [main, '--port', 'x'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const [complaint, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  assert.equal(code, 2);
  assert.match(complaint, /--port must be a whole number/);
});

test('it listens on the loopback only, answers health, and SIGTERM ends it within a second', async () => {
  const devnet = await Devnet.start('--block-ms', '50', '--burn-block-ms', '100');
  const { ready, height } = await devnet.get('/devnet/health');
  assert.ok(ready && height >= 1);
  const idle = net.connect(Number(new URL(devnet.url).port), '127.0.0.1');
  await once(idle, 'connect');
  const told = performance.now();
  devnet.process.kill('SIGTERM');
  const [code] = await once(devnet.process, 'exit');
  assert.equal(code, 0);
  assert.ok(performance.now() - told < 1000);
  idle.destroy();
});

test('with --exit-with-parent the end of stdin ends it', async () => {
  const devnet = await Devnet.start();
  devnet.process.stdin.end();
  const [code] = await once(devnet.process, 'exit');
  assert.equal(code, 0);
});

test('without it the end of stdin is nothing', async () => {
  const devnet = await Devnet.startAlone();
  try {
    devnet.process.stdin.end();
    assert.equal((await devnet.get('/devnet/health')).ready, true);
    assert.equal((await devnet.mine()).blocks, 1);
  } finally {
    await devnet.stop();
  }
});
