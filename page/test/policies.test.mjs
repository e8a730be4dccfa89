/** The list: pages in their order, and what the stream said meanwhile kept over what a page says. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NO_POLICIES, createPolicies } from '../src/policies.js';
import { createStore } from '../src/store.js';

const policy = (id, status = 'Active') => ({
  id: `p${id}`,
  created_at: `2026-01-0${id}T00:00:00+00:00`,
  status_detailed: status,
});

/** A list over an API whose pages are given by cursor; `meanwhile` is done while one is on its way. */
function listed(pages, meanwhile = () => {}) {
  const store = createStore({ policies: NO_POLICIES, opened: null, session: null, notice: null });
  const asked = [];
  const api = {
    ask: async (_, path) => {
      const cursor = new URLSearchParams(path.split('?')[1]).get('after');
      asked.push(cursor);
      meanwhile(policies);
      return pages[cursor];
    },
  };
  const policies = createPolicies({ store, api, tell: () => {}, lost: () => {} });
  const shown = () => store.get().policies.items.map(({ id, status_detailed: status }) => [id, status]);
  return { policies, store, shown, asked };
}

test('older pages follow newer ones, each policy once, until there are no more', async () => {
  const { policies, store, shown, asked } = listed({
    null: { items: [policy(5), policy(4)], next: 'a' },
    a: { items: [policy(4), policy(3)], next: 'b' },
    b: { items: [policy(1)], next: null },
  });
  for (let page = 0; page < 3; page += 1) await policies.more();
  assert.deepEqual(
    shown().map(([id]) => id),
    ['p5', 'p4', 'p3', 'p1'],
  );
  assert.deepEqual(asked, [null, 'a', 'b']);
  assert.equal(store.get().policies.next, null);
});

test('what the stream says while a page is on its way is newer than the page', async () => {
  const { policies, shown } = listed({ null: { items: [policy(2), policy(1)], next: null } }, (list) =>
    list.changed(policy(1, 'Settled')),
  );
  await policies.more();
  assert.deepEqual(shown(), [
    ['p2', 'Active'],
    ['p1', 'Settled'],
  ]);
});

test('a policy that is new stands first', async () => {
  const { policies, shown } = listed({ null: { items: [policy(1)], next: null } });
  await policies.more();
  policies.changed(policy(7, 'PendingCreation'));
  assert.deepEqual(shown(), [
    ['p7', 'PendingCreation'],
    ['p1', 'Active'],
  ]);
});

test('a page that cannot be had is told of, and what is there stays', async () => {
  const { policies, store, shown } = listed({ null: { items: [policy(2)], next: 'a' } });
  await policies.more();
  await policies.more();
  assert.deepEqual(shown(), [['p2', 'Active']]);
  assert.notEqual(store.get().notice, null);
});
