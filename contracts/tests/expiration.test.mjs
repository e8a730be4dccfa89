// Expiration: the collateral is freed once, above the expiration height, and nothing is paid.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { newAddress, TOKENS } from "./vm.mjs";

const DEPOSIT = 100_000_000n;
const COLLATERAL = 1_000_000n;
const [ACTIVE, SETTLED, EXPIRED] = [0n, 1n, 2n];

const freed = (token) => ({ token, collateral: COLLATERAL, payout: 0n });
const released = ({ id, owner }, token) => {
  const print = { from: "liquidity-pool", event: "collateral-released" };
  return { ...print, "policy-id": id, owner, token, collateral: COLLATERAL };
};

/** The first of the two steps: the registry's status alone. */
const markExpired = ({ world, backend }, { id }) =>
  world.call(backend, "policy-registry", "update-policy-status", id, EXPIRED);

for (const token of TOKENS) {
  test(`an expiration in ${token} frees the collateral and moves the registry at once`, async () => {
    const pool = await openPool({ deposit: DEPOSIT });
    const { world } = pool;
    const policy = pool.policy({ token });
    const { id, owner, quote } = policy;
    const before = [world.balance(token, owner), world.balance(token, world.pool)];
    pool.outlive(policy);

    const { ok, events } = pool.asBackend("expire-policies", [id]);

    assert.deepEqual(ok, [{ ok: freed(token) }]);
    assert.deepEqual([world.balance(token, owner), world.balance(token, world.pool)], before);
    assert.deepEqual(pool.position(policy), { owner, token, collateral: COLLATERAL, status: EXPIRED, payout: 0n });
    assert.equal(pool.statusOf(policy), EXPIRED);
    const { assets, locked, unearned } = pool.of(token);
    const earned = quote.premium - quote.terms.fee;
    assert.deepEqual([assets, locked, unearned], [DEPOSIT + earned, 0n, 0n]);
    const [updated, release] = events;
    const { event, "policy-id": updatedId, "new-status": status } = updated;
    assert.deepEqual([event, updatedId, status], ["policy-status-updated", id, EXPIRED]);
    assert.deepEqual(release, released(policy, token));
    assert.equal(events.length, 2);
  });
}

test("no policy expires before its height is passed", async () => {
  const pool = await openPool();
  const { world } = pool;
  const policy = pool.policy();

  for (const height of [world.height, policy.quote.terms["expiration-height"]]) {
    world.mineTo(height);
    const before = world.facts();
    const { ok, events } = pool.asBackend("expire-policies", [policy.id]);
    assert.deepEqual([ok, events], [[{ err: 104n }], []]);
    assert.deepEqual(world.facts(), before);
  }
  world.mineBurnBlocks(1);
  assert.deepEqual(pool.asBackend("expire-policies", [policy.id]).ok, [{ ok: freed("STX") }]);
});

test("nobody but the backend expires or releases, not even through a contract that it calls", async () => {
  const pool = await openPool();
  const { world, backend, signer, provider } = pool;
  const policy = pool.policy();
  const { id, owner } = policy;
  world.deployCaller("stranger");
  pool.outlive(policy);
  const refusedTo = (sender, contract) => {
    world.assertRefused(200n, () => world.call(sender, contract, "expire-policies", [id]));
    world.assertRefused(200n, () => world.call(sender, contract, "release-collateral", id));
  };

  const others = [owner, provider, signer.address, world.admin, newAddress()];
  for (const sender of others) refusedTo(sender, "liquidity-pool");
  refusedTo(backend, "stranger");
  markExpired(pool, policy);
  refusedTo(provider, "liquidity-pool");
  refusedTo(backend, "stranger");
});

test("in a batch each entry stands or falls alone: statuses first, then releases", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const { world } = pool;
  const [a, b, settled, marked] = ["STX", "sBTC", "STX", "STX"].map((token) => pool.policy({ token }));
  const later = pool.policy({ "expiration-height": world.height + 2_000n });
  const foreign = pool.foreignPolicy();
  pool.asBackend("settle-policy", settled.id, 1n);
  pool.outlive(a, b, settled, marked);
  markExpired(pool, marked);

  const ids = [99n, foreign.id, settled.id, later.id, b.id, marked.id, a.id, b.id];
  const { ok, events } = pool.asBackend("expire-policies", ids);

  const [unknown, notOurs, over, tooEarly] = [{ err: 101n }, { err: 100n }, { err: 103n }, { err: 104n }];
  const answers = [unknown, notOurs, over, tooEarly, { ok: freed("sBTC") }, over, { ok: freed("STX") }, over];
  assert.deepEqual(ok, answers);
  const seen = events.map(({ event, "policy-id": id }) => [event, id]);
  assert.deepEqual(seen, [
    ["policy-status-updated", b.id],
    ["policy-status-updated", a.id],
    ["collateral-released", b.id],
    ["collateral-released", a.id],
  ]);
  assert.equal(pool.of("STX").locked, 2n * COLLATERAL); // marked and later
  assert.equal(pool.of("sBTC").locked, 0n);
});

test("a batch succeeds even if every entry was refused, and changes nothing", async () => {
  const pool = await openPool();
  const { world } = pool;
  const policy = pool.policy();
  const before = world.facts();

  const { ok, events } = pool.asBackend("expire-policies", [policy.id, 9n]);

  assert.deepEqual([ok, events], [[{ err: 104n }, { err: 101n }], []]);
  assert.deepEqual(world.facts(), before);
  assert.deepEqual(pool.asBackend("expire-policies", []).ok, []);
});

test("expiration in two steps: the status first, then the collateral", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const { world } = pool;
  const policy = pool.policy();
  world.mineTo(policy.quote.terms["expiration-height"]);
  assert.equal(markExpired(pool, policy).err, 104n);
  world.mineBurnBlocks(1);

  assert.equal(markExpired(pool, policy).ok, true);
  assert.deepEqual([pool.statusOf(policy), pool.position(policy).status], [EXPIRED, ACTIVE]);
  assert.equal(pool.of("STX").locked, COLLATERAL);
  const { ok, events } = pool.asBackend("release-collateral", policy.id);

  assert.deepEqual(ok, freed("STX"));
  assert.deepEqual(events, [released(policy, "STX")]);
  assert.equal(pool.position(policy).status, EXPIRED);
  assert.equal(pool.of("STX").locked, 0n);
});

test("collateral is not released before the registry says Expired", async () => {
  const pool = await openPool();
  const { world } = pool;
  const policy = pool.policy();

  world.assertRefused(212n, () => pool.asBackend("release-collateral", policy.id));
  pool.outlive(policy);
  world.assertRefused(212n, () => pool.asBackend("release-collateral", policy.id));
});

test("collateral is released once, in whatever way", async () => {
  const pool = await openPool();
  const { world } = pool;
  const [atOnce, inTwo, settled] = [pool.policy(), pool.policy(), pool.policy()];
  pool.asBackend("settle-policy", settled.id, 1n);
  pool.outlive(atOnce, inTwo);
  pool.asBackend("expire-policies", [atOnce.id]);
  markExpired(pool, inTwo);
  pool.asBackend("release-collateral", inTwo.id);

  for (const { id } of [atOnce, inTwo]) {
    world.assertRefused(208n, () => pool.asBackend("release-collateral", id));
    assert.deepEqual(pool.asBackend("expire-policies", [id]).ok, [{ err: 103n }]);
  }
  world.assertRefused(207n, () => pool.asBackend("release-collateral", settled.id));
  assert.deepEqual(pool.asBackend("expire-policies", [settled.id]).ok, [{ err: 103n }]);
  assert.equal(pool.statusOf(settled), SETTLED);
  assert.equal(pool.of("STX").locked, 0n);
});

test("collateral of policies that are not ours is not released", async () => {
  const pool = await openPool();
  const { world } = pool;
  const foreign = pool.foreignPolicy();
  world.mineBurnBlocks(2);
  assert.equal(markExpired(pool, foreign).ok, true);

  for (const id of [foreign.id, 99n]) world.assertRefused(201n, () => pool.asBackend("release-collateral", id));
});

test("freed collateral can be locked again", async () => {
  const pool = await openPool({ deposit: COLLATERAL });
  const policy = pool.policy({ collateral: COLLATERAL });
  pool.outlive(policy);
  pool.asBackend("expire-policies", [policy.id]);

  assert.equal(pool.policy({ collateral: COLLATERAL }).id, 2n);
});

test("positions are read one by one or fifty at once, none where there is none", async () => {
  const pool = await openPool();
  const policy = pool.policy();
  const ids = Array.from({ length: 50 }, (_, index) => BigInt(index));

  const positions = pool.world.read("liquidity-pool", "get-positions", ids);

  assert.deepEqual(positions.slice(0, 3), [null, pool.position(policy), null]);
  assert.equal(positions.length, 50);
});
