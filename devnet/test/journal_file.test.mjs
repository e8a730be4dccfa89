/** The journal's file: whose it is, what is left of it after a fall, and what is not followed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { ordersOf } from '../admin_api.mjs';
import { Chain, newBirth } from '../chain.mjs';
import { BadJournal, Journal } from '../journal.mjs';
import { Log } from '../log.mjs';
import { replay } from '../replay.mjs';
import { Vm } from '../vm.mjs';
import { Cl } from './account.mjs';
import { Devnet } from './devnet.mjs';
import { Place, assertRefused, furnished, launch, probe, running, start } from './journaled.mjs';
import { accounts } from './life.mjs';
import { sight } from './sight.mjs';

const [alice] = accounts;
const place = new Place();
after(() => place.remove());

const isBlock = (line) => line.startsWith('{"block"');
const changed = (at, figures) => JSON.stringify({ ...JSON.parse(lines[at]), ...figures });

/** The lines of a journal that has seen a bit of everything that a tampered one is made of. */
let lines;
before(async () => {
  const journal = place.newPath();
  await running(journal, async (devnet) => {
    await furnished(devnet);
    const freely = { postConditionMode: 'allow' };
    await devnet.submit(await alice.call(probe, 'take-stx', [Cl.uint(50_000_000)], freely));
    await devnet.submit(await alice.call(probe, 'put', [Cl.uint(1), Cl.uint(2)]));
    await devnet.mine(3);
    await devnet.post('/devnet/burn', { blocks: 2 });
  });
  lines = fs.readFileSync(journal, 'utf8').trimEnd().split('\n');
});

test('a last line that was not written to its end is cut off, and the chain goes on from the one before', async () => {
  const journal = place.written(lines);
  const seen = await running(journal, (devnet) => sight(devnet, probe));
  const { size } = fs.statSync(journal);
  fs.appendFileSync(journal, lines.at(-1).slice(0, -4));
  await running(journal, async (devnet) => {
    assert.deepEqual(await sight(devnet, probe), seen);
    assert.equal(fs.statSync(journal).size, size);
    await devnet.mine();
  });
  const { height } = await running(journal, (devnet) => devnet.get('/devnet/health'));
  assert.equal(height, seen.status.height + 1);
});

test('a first line that was not written to its end begins a new chain', async () => {
  const journal = place.newPath();
  fs.writeFileSync(journal, lines[0].slice(0, 30));
  const { height } = await running(journal, (devnet) => devnet.get('/devnet/health'));
  assert.equal(height, 1);
});

test('a journal of another version, epoch or block size is refused', async () => {
  const journal = place.written(lines);
  await assertRefused(journal, /its epoch is "3\.4", not "3\.3"/, '--epoch', '3.3');
  await assertRefused(journal, /its transactions_per_block is 100, not 3/, '--transactions-per-block', '3');
  const newer = place.written([lines[0].replace('"devnet_journal":1', '"devnet_journal":2'), ...lines.slice(1)]);
  await assertRefused(newer, /its devnet_journal is 2, not 1/);
});

test("somebody else's file is refused and left alone", async () => {
  for (const content of ['no journal', 'no journal\n', '[1]\n', '\n']) {
    const journal = place.newPath();
    fs.writeFileSync(journal, content, { mode: 0o644 });
    await assertRefused(journal, /it is no journal/);
    assert.equal(fs.statSync(journal).mode & 0o777, 0o644);
  }
});

test('a journal that comes to another chain than the one it tells of is refused', async () => {
  const at = lines.findLastIndex(isBlock);
  await assertRefused(place.written(lines.with(at, changed(at, { block: '0'.repeat(12) }))), / has the hash /);
});

test('whatever is changed in a journal that makes another chain of it is found', async () => {
  const vm = await Vm.boot('3.4', new Log('silent'), JSON.parse(lines[0]).born);
  const genesis = vm.snapshot();
  const followed = async (content) => {
    vm.stand(genesis);
    const settings = { epoch: '3.4', transactionsPerBlock: 100, snapshots: 9 };
    const journal = new Journal(place.written(content), settings, { birth: newBirth() });
    const chain = new Chain(vm, settings, journal);
    await replay(journal, { chain, orders: ordersOf({ chain }), log: new Log('silent') });
  };
  await followed(lines);
  const [block, call] = [lines.findIndex(isBlock), lines.findLastIndex((line) => line.startsWith('{"tx"'))];
  const { time } = JSON.parse(lines[block]);
  for (const [what, content] of Object.entries({
    'a time': lines.with(block, changed(block, { time: time + 1 })),
    'burn blocks': lines.with(block, changed(block, { burn: 3 })),
    'no block': lines.toSpliced(block, 1),
    'no transaction': lines.toSpliced(call, 1),
    'no coins': lines.filter((line) => !line.includes('"mint"')),
    'so few coins that a call comes to an error': lines.map((line) =>
      line.includes(alice.address) ? line.replace('"100000000"', '"10000000"') : line,
    ),
    'other bytes': lines.with(call, changed(call, { tx: JSON.parse(lines[call]).tx.replace(/.{8}$/, 'AAAAAAAA') })),
    'an unknown order': [...lines, '{"order":"teach","figures":{}}'],
    'an order that is none of ours': [...lines, '{"order":"toString"}'],
    'an unknown operation': [...lines, '{"thing":1}'],
    nothing: [...lines, 'null'],
  })) {
    const isFound = (error) => error instanceof BadJournal && / its operation \d+ comes to another end /.test(error.message);
    await assert.rejects(followed(content), isFound, what);
  }
  await assert.rejects(followed(lines.with(block, '{"block":')), / its line at byte \d+ is no JSON /);
});

test('a journal that cannot be opened is a bad option', async () => {
  const { complaint, code } = await start(path.join(place.directory, 'nowhere', 'journal'));
  assert.equal(code, 2);
  assert.match(complaint, /^--journal cannot be opened: ENOENT[^\n]+\n$/);
});

test('an operation that cannot be written is not answered: the process ends', async () => {
  for (const [harm, reason] of [
    [(journal) => fs.appendFileSync(journal, `${lines.at(-1)}\n`), /somebody else writes into it\n$/],
    [(journal) => fs.rmSync(journal), /it was removed\n$/],
  ]) {
    const journal = place.newPath();
    const child = launch('--journal', journal);
    const ended = Promise.all([text(child.stderr), once(child, 'exit')]);
    const [line] = await once(createInterface(child.stdout), 'line');
    harm(journal);
    const minted = new Devnet(child, JSON.parse(line).listening).mint(alice.address, 1n);
    await assert.rejects(minted.finally(() => child.kill()), TypeError);
    const [complaint, [code]] = await ended;
    assert.equal(code, 1);
    assert.match(complaint, reason);
  }
});

test("the journal is its owner's alone, whatever it was", async () => {
  const journal = place.newPath();
  const mode = () => fs.statSync(journal).mode & 0o777;
  await running(journal, () => assert.equal(mode(), 0o600));
  fs.chmodSync(journal, 0o644);
  await running(journal, () => assert.equal(mode(), 0o600));
});

test('an empty block takes less than 60 bytes', async () => {
  const journal = place.newPath();
  await running(journal, async (devnet) => {
    const { size } = fs.statSync(journal);
    await devnet.mine(100);
    assert.ok(fs.statSync(journal).size - size < 100 * 60);
  });
});
