/** Images of a memory: exact, and sharing what they have in common. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Snapshots } from '../snapshot.mjs';

const WASM_PAGE = 65_536;

function memoryWith(bytes) {
  const memory = new WebAssembly.Memory({ initial: 2 });
  const write = (at, value) => {
    new Uint8Array(memory.buffer)[at] = value;
  };
  bytes.forEach(([at, value]) => write(at, value));
  return { memory, write, read: (at) => new Uint8Array(memory.buffer)[at] };
}

test('a state comes back to the byte, in any order', () => {
  const { memory, write, read } = memoryWith([
    [0, 1],
    [5000, 1],
  ]);
  const snapshots = new Snapshots(memory);
  const first = snapshots.take();
  write(0, 2);
  const second = snapshots.take();
  write(5000, 3);
  const third = snapshots.take();
  for (const [image, expected] of [
    [first, [1, 1]],
    [third, [2, 3]],
    [second, [2, 1]],
    [first, [1, 1]],
  ]) {
    snapshots.restore(image);
    assert.deepEqual([read(0), read(5000)], expected);
  }
});

test('only what changed is stored again', () => {
  const { memory, write } = memoryWith([[0, 1]]);
  const snapshots = new Snapshots(memory);
  const first = snapshots.take();
  write(9000, 7);
  const second = snapshots.take();
  assert.equal(second.filter((page, at) => page !== first[at]).length, 1);
  snapshots.restore(first);
  assert.deepEqual(snapshots.take(), first);
});

test('a memory that grew takes older and newer states back', () => {
  const { memory, write, read } = memoryWith([[0, 1]]);
  const snapshots = new Snapshots(memory);
  const small = snapshots.take();
  memory.grow(1);
  write(0, 2);
  write(2 * WASM_PAGE + 1, 9);
  const large = snapshots.take();
  snapshots.restore(small);
  assert.equal(read(0), 1);
  snapshots.restore(large);
  assert.deepEqual([read(0), read(2 * WASM_PAGE + 1)], [2, 9]);
});
