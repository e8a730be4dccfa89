/** The VM by itself: what breaks it, and that it comes back whole. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { serializeCVBytes } from '@stacks/transactions';
import { runBlock } from '../block.mjs';
import { Log } from '../log.mjs';
import { Transaction } from '../transaction.mjs';
import { ReadFailed, Vm, VmThrew } from '../vm.mjs';
import { Account, Cl, PROBE_SOURCE } from './account.mjs';

const alice = new Account('alice');
const probe = `${alice.address}.probe`;
const deployment = (name, content) => ({
  deployContract: { name, content, options: { clarityVersion: 3 }, sender: alice.address },
});
/** The library reads it, the VM panics at it. */
const MIXED_LIST = serializeCVBytes(Cl.list([Cl.uint(1), Cl.bool(true)]));
const KEY_ONE_AND = (value) => [Cl.uint(1), Cl.uint(value)].map((item) => serializeCVBytes(item));
let vm;
let image;

before(async () => {
  vm = await Vm.boot('3.4', new Log('silent'));
  vm.mintStx(alice.address, 1_000_000_000n);
  vm.mineBlock([[deployment('probe', PROBE_SOURCE)]]);
  image = vm.snapshot();
});

const height = () => vm.callReadOnly(probe, 'get-burn-height', [], alice.address);

test('a block that throws tells which group did it, and the state can be put back', () => {
  const groups = [[], [], [deployment('broken', '(+ 1 true)')], []];
  assert.throws(
    () => vm.mineBlock(groups),
    (error) => error instanceof VmThrew && error.index === 2,
  );
  vm.stand(image);
  assert.equal(vm.mineBlock([[], []]).length, 2);
  vm.stand(image);
});

test('after a panic in a block it answers as before once it is put back', () => {
  const put = { contract: probe, method: 'put', args_maps: [MIXED_LIST], args: [], sender: alice.address };
  const isPanic = (error) => error instanceof VmThrew && error.index === null;
  assert.throws(() => vm.mineBlock([[], [{ callPublicFn: put }]]), isPanic);
  vm.stand(image);
  assert.equal(height(), '0x0100000000000000000000000000000001');
});

test('after a panic in a read it answers as before', () => {
  assert.throws(() => vm.callReadOnly(probe, 'get-entry', [MIXED_LIST], alice.address), ReadFailed);
  assert.equal(height(), '0x0100000000000000000000000000000001');
});

test('states a few calls apart share one copy of the memory, and each can be stood at in any order', () => {
  vm.stand(image);
  const put = (value) => ({
    callPublicFn: { contract: probe, method: 'put', args_maps: KEY_ONE_AND(value), args: [], sender: alice.address },
  });
  const entry = () => vm.callReadOnly(probe, 'get-entry', [serializeCVBytes(Cl.uint(1))], alice.address);
  const images = [...Array(25).keys()].map((value) => {
    vm.mineBurnBlocks(1);
    vm.mineBlock([[put(value)]]);
    return vm.snapshot();
  });
  assert.equal(images.filter(({ pages }) => pages !== null).length, 2);
  for (let turn = 0, at = 0; turn < 50; turn += 1, at = (at + 7) % images.length) {
    vm.stand(images[at]);
    if (turn % 5 === 0) assert.throws(() => vm.mineBlock([[], [deployment('broken', '(+ 1 true)')]]), VmThrew);
    vm.stand(images[at]);
    assert.equal(entry(), `0x${Cl.serialize(Cl.some(Cl.uint(at)))}`);
    assert.equal(vm.burnHeight, 2 + at);
  }
});

test('a transaction that makes the VM panic fails alone, and the others find their block', async () => {
  const put = (args) => alice.call(probe, 'put', args, { postConditionMode: 'allow' });
  const good = [Cl.uint(1), Cl.uint(1)];
  const signed = await Promise.all([put(good), put([Cl.list([Cl.uint(1), Cl.bool(true)])]), put(good)]);
  const waiting = signed.map((transaction) => new Transaction(Buffer.from(transaction.serializeBytes())));
  const blocks = [];
  for (let start = image; waiting.length > 0; start = vm.snapshot()) {
    const outcomes = runBlock({ vm, start, burnBlocks: 0, transactions: waiting, exists: () => false });
    waiting.splice(0, outcomes.length);
    blocks.push(outcomes.map(({ status }) => status));
  }
  assert.deepEqual(blocks, [['success'], ['abort_by_response'], ['success']]);
});
