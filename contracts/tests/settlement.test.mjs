// Settlement: the recorded owner is paid once, at most the collateral, and the registry moves with the money.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { newQuote } from "./quotes.mjs";
import { MAX_UINT, newAddress, TOKENS } from "./vm.mjs";

const DEPOSIT = 100_000_000n;
const COLLATERAL = 1_000_000n;
const [SETTLED, EXPIRED] = [1n, 2n];

const entry = ({ id }, amount) => ({ "policy-id": id, amount });

for (const token of TOKENS) {
  test(`a settlement in ${token} pays the owner and moves the registry at once`, async () => {
    const pool = await openPool({ deposit: DEPOSIT });
    const { world } = pool;
    const policy = pool.policy({ token });
    const { id, owner } = policy;
    const before = { owner: world.balance(token, owner), pool: world.balance(token, world.pool), ...pool.of(token) };
    const amount = 400_000n;

    const { ok, events } = pool.asBackend("settle-policy", id, amount);

    assert.deepEqual(ok, { token, collateral: COLLATERAL, payout: amount });
    assert.equal(world.balance(token, owner), before.owner + amount);
    assert.equal(world.balance(token, world.pool), before.pool - amount);
    assert.deepEqual(pool.position(policy), { owner, token, collateral: COLLATERAL, status: SETTLED, payout: amount });
    assert.equal(pool.statusOf(policy), SETTLED);
    const { assets, locked, unearned } = pool.of(token);
    assert.deepEqual([assets, locked, unearned], [before.assets - amount, 0n, before.unearned]);
    const [updated, transfer, settled] = events;
    const { event, "policy-id": updatedId, "new-status": status } = updated;
    assert.deepEqual([event, updatedId, status], ["policy-status-updated", id, SETTLED]);
    assert.deepEqual(transfer, { event: "transfer", token, sender: world.pool, recipient: owner, amount });
    const from = "liquidity-pool";
    const print = { from, event: "policy-settled", "policy-id": id, owner, token, amount, collateral: COLLATERAL };
    assert.deepEqual(settled, print);
    assert.equal(events.length, 3);
  });
}

test("the collateral is the most that is paid, and all of it can be", async () => {
  const pool = await openPool({ deposit: COLLATERAL });
  const { world } = pool;
  const { id, owner } = pool.policy({ collateral: COLLATERAL });
  const before = world.balance("STX", owner);

  world.assertRefused(209n, () => pool.asBackend("settle-policy", id, COLLATERAL + 1n));
  world.assertRefused(209n, () => pool.asBackend("settle-policy", id, MAX_UINT));
  assert.equal(pool.asBackend("settle-policy", id, COLLATERAL).ok.payout, COLLATERAL);
  assert.equal(world.balance("STX", owner), before + COLLATERAL);
  assert.deepEqual([pool.of("STX").assets, pool.of("STX").locked], [0n, 0n]);
});

test("a settlement of nothing, or of no policy of ours, is refused", async () => {
  const pool = await openPool();
  const { world } = pool;
  const policy = pool.policy();
  const { id: foreign } = pool.foreignPolicy();

  world.assertRefused(202n, () => pool.asBackend("settle-policy", policy.id, 0n));
  for (const id of [0n, foreign, foreign + 1n]) {
    world.assertRefused(201n, () => pool.asBackend("settle-policy", id, 1n));
  }
});

test("nobody but the backend settles, not even through a contract that it calls", async () => {
  const pool = await openPool();
  const { world, backend, signer, provider, treasury } = pool;
  const { id, owner } = pool.policy();
  world.deployCaller("stranger");

  for (const sender of [owner, provider, treasury, signer.address, world.admin, newAddress()]) {
    world.assertRefused(200n, () => world.call(sender, "liquidity-pool", "settle-policy", id, 1n));
    world.assertRefused(200n, () => world.call(sender, "liquidity-pool", "settle-policies", [entry({ id }, 1n)]));
  }
  for (const sender of [backend, owner]) {
    world.assertRefused(200n, () => world.call(sender, "stranger", "settle-policy", id, 1n));
    world.assertRefused(200n, () => world.call(sender, "stranger", "settle-policies", [entry({ id }, 1n)]));
  }
});

test("a policy is paid once, whether by call, by batch or within one batch", async () => {
  const pool = await openPool();
  const { world } = pool;
  const [once, twice] = [pool.policy(), pool.policy()];
  const before = world.balance("STX", twice.owner);
  pool.asBackend("settle-policy", once.id, 5n);

  world.assertRefused(207n, () => pool.asBackend("settle-policy", once.id, 5n));
  assert.deepEqual(pool.asBackend("settle-policies", [entry(once, 5n)]).ok, [{ err: 207n }]);
  const { ok, events } = pool.asBackend("settle-policies", [entry(twice, 7n), entry(twice, 7n), entry(twice, 8n)]);

  const paid = { ok: { token: "STX", collateral: COLLATERAL, payout: 7n } };
  assert.deepEqual(ok, [paid, { err: 207n }, { err: 207n }]);
  assert.equal(events.filter(({ event }) => event === "transfer").length, 1);
  assert.equal(world.balance("STX", twice.owner), before + 7n);
  assert.equal(pool.of("STX").locked, 0n);
});

test("a policy settled twice in one block is paid once", async () => {
  const pool = await openPool();
  const { world, backend } = pool;
  const { id, owner } = pool.policy();
  const before = world.balance("STX", owner);
  const settle = { sender: backend, contract: "liquidity-pool", method: "settle-policy", args: [id, 9n] };

  const [first, second] = world.block(settle, settle);

  assert.deepEqual([first.ok.payout, second.err, second.events], [9n, 207n, []]);
  assert.equal(world.balance("STX", owner), before + 9n);
});

test("what has been released or has expired is not paid", async () => {
  const pool = await openPool();
  const { world, backend } = pool;
  const [released, expired] = [pool.policy(), pool.policy()];
  pool.outlive(released, expired);
  pool.asBackend("expire-policies", [released.id]);
  world.call(backend, "policy-registry", "update-policy-status", expired.id, EXPIRED);

  world.assertRefused(208n, () => pool.asBackend("settle-policy", released.id, 1n));
  world.assertRefused(103n, () => pool.asBackend("settle-policy", expired.id, 1n));
  const { ok, events } = pool.asBackend("settle-policies", [entry(released, 1n), entry(expired, 1n)]);
  assert.deepEqual([ok, events], [[{ err: 208n }, { err: 103n }], []]);
});

test("a policy can be settled after its expiration height, until it is expired", async () => {
  const pool = await openPool();
  const policy = pool.policy();
  pool.outlive(policy);

  assert.equal(pool.asBackend("settle-policy", policy.id, 3n).ok.payout, 3n);
});

test("in a batch each entry stands or falls alone, over both tokens", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const { world } = pool;
  const [a, b, c] = ["STX", "sBTC", "STX"].map((token) => pool.policy({ token }));
  const purse = (policy) => world.balance(policy.quote.token, policy.owner);
  const before = [a, b, c].map(purse);

  const entries = [entry({ id: 99n }, 1n), entry(a, COLLATERAL + 1n), entry(b, 20n), entry(c, 30n), entry(a, 10n)];
  const { ok } = pool.asBackend("settle-policies", [...entries, entry(b, 0n)]);

  const paid = (token, payout) => ({ ok: { token, collateral: COLLATERAL, payout } });
  const answers = [{ err: 201n }, { err: 209n }, paid("sBTC", 20n), paid("STX", 30n), paid("STX", 10n), { err: 207n }];
  assert.deepEqual(ok, answers);
  assert.deepEqual([a, b, c].map(purse), [before[0] + 10n, before[1] + 20n, before[2] + 30n]);
  assert.deepEqual([pool.of("STX").assets, pool.of("STX").locked], [DEPOSIT - 40n, 0n]);
  assert.deepEqual([pool.of("sBTC").assets, pool.of("sBTC").locked], [DEPOSIT - 20n, 0n]);
});

test("all statuses of a batch move before the first payment, then each entry is paid and printed", async () => {
  const pool = await openPool();
  const [a, b] = [pool.policy(), pool.policy({ token: "sBTC" })];

  const { events } = pool.asBackend("settle-policies", [entry(b, 2n), entry({ id: 9n }, 2n), entry(a, 1n)]);

  const seen = events.map(({ event, "policy-id": id, recipient }) => [event, id ?? recipient]);
  assert.deepEqual(seen, [
    ["policy-status-updated", b.id],
    ["policy-status-updated", a.id],
    ["transfer", b.owner],
    ["policy-settled", b.id],
    ["transfer", a.owner],
    ["policy-settled", a.id],
  ]);
});

test("a batch succeeds even if every entry was refused, and changes nothing", async () => {
  const pool = await openPool();
  const { world } = pool;
  const policy = pool.policy();
  const before = world.facts();

  const { ok, events } = pool.asBackend("settle-policies", [entry(policy, 0n), entry({ id: 9n }, 1n)]);

  assert.deepEqual([ok, events], [[{ err: 202n }, { err: 201n }], []]);
  assert.deepEqual(world.facts(), before);
  assert.deepEqual(pool.asBackend("settle-policies", []).ok, []);
});

test("the owner of record is paid, whoever the backend is by now", async () => {
  const pool = await openPool();
  const { world } = pool;
  const { id, owner } = pool.policy();
  const before = world.balance("STX", owner);
  const successor = world.account();
  pool.order(world.admin, "policy-registry", "set-backend-principal", successor);

  world.assertRefused(200n, () => pool.asBackend("settle-policy", id, 1n));
  assert.equal(world.call(successor, "liquidity-pool", "settle-policy", id, 1n).ok.payout, 1n);
  assert.equal(world.balance("STX", owner), before + 1n);
  assert.equal(world.balance("STX", successor), 0n);
});

test("a contract that bought a policy is paid", async () => {
  const pool = await openPool();
  const { world } = pool;
  const wallet = world.deployCaller("wallet");
  world.mint("STX", wallet, 10_100n);
  const { args } = pool.purchase(newQuote(world, wallet));
  const { ok: id } = world.call(pool.provider, "wallet", "buy-policy-stx", ...args);

  pool.asBackend("settle-policy", id, 77n);

  assert.equal(world.balance("STX", wallet), 77n);
});

test("coins that lie at the pool besides its books are not paid out", async () => {
  const pool = await openPool({ deposit: COLLATERAL });
  const { world } = pool;
  for (const token of TOKENS) world.mint(token, world.pool, 10n ** 9n);
  const { id } = pool.policy({ collateral: COLLATERAL });

  world.assertRefused(209n, () => pool.asBackend("settle-policy", id, COLLATERAL + 1n));
  pool.asBackend("settle-policy", id, COLLATERAL);
  assert.equal(pool.of("STX").assets, 0n);
  assert.equal(pool.position({ id }).status, SETTLED);
});
