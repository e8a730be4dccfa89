// Premiums over time: earned evenly by who stands in for them, payouts borne at once by all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";

const NOTICE = 1_008n;
const MILLION = 1_000_000n;

const deposit = (pool, amount, token = "STX") => {
  const address = pool.buyer();
  pool.order(address, "liquidity-pool", "deposit", token, amount);
  return address;
};

/** What a provider could take if nothing were locked, as the contract counts it. */
const claim = (pool, address, token = "STX") => {
  const { assets, shares } = pool.of(token);
  const held = pool.world.read("liquidity-pool", "get-provider", address, token).shares;
  return (held * (assets + 1n)) / (shares + 1_000n);
};

/** A policy over so many blocks whose premium, less the fee, is `net`. */
const sell = (pool, net, blocks, changes = {}) => {
  const expiration = pool.world.height + BigInt(blocks);
  return pool.policy({ premium: net + 100n, "expiration-height": expiration, ...changes });
};

const near = (actual, expected, tolerance = 2n) => {
  const off = actual > expected ? actual - expected : expected - actual;
  assert.ok(off <= tolerance, `${actual} is not within ${tolerance} of ${expected}`);
};

test("a premium is earned evenly, block by block, and all of it by the end", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world } = pool;
  sell(pool, 10n * MILLION, 1_000);

  const { since: start } = pool.of("STX");
  const earnings = [[0n, 0n], [1n, 10_000n], [250n, 2_500_000n], [999n, 9_990_000n], [1_000n, 10n * MILLION]];
  for (const [passed, earned] of [...earnings, [6_000n, 10n * MILLION]]) {
    world.mineTo(start + passed);
    const { assets, unearned } = pool.of("STX");
    assert.deepEqual([assets, unearned], [100n * MILLION + earned, 10n * MILLION - earned]);
  }
});

test("looking at the pool, or dealing with it often, does not change what is earned in the end", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world } = pool;
  sell(pool, 997n, 100);

  for (let block = 0; block < 100; block += 1) {
    deposit(pool, 1n);
    world.mineBurnBlocks(1);
  }

  assert.deepEqual([pool.of("STX").assets, pool.of("STX").unearned], [100n * MILLION + 997n + 100n, 0n]);
});

test("the block in which the last premium is earned is a block like others", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  sell(pool, 1_000n, 10);
  pool.world.mineTo(pool.of("STX").until);

  for (const count of [1n, 2n, 3n]) {
    deposit(pool, 5_000n);
    assert.deepEqual([pool.of("STX").assets, pool.of("STX").unearned], [100n * MILLION + 1_000n + 5_000n * count, 0n]);
  }
});

test("premiums for different lives are earned until their mean end, weighted by amount", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { height } = pool.world;

  sell(pool, 1_000n, 1_000);
  sell(pool, 3_000n, 2_000);
  assert.equal(pool.of("STX").until, height + 1_750n);
  sell(pool, 1n, 10);
  assert.equal(pool.of("STX").until, height + 1_750n); // 1 749.56…, ceiled
  pool.world.mineTo(height + 875n);
  const { unearned } = pool.of("STX");
  sell(pool, unearned, 1_875);
  assert.equal(pool.of("STX").until, height + 875n + 1_375n);
});

test("a premium after a pause is earned from then on, not from before", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world } = pool;
  sell(pool, 1_000n, 10);
  world.mineBurnBlocks(500);

  sell(pool, 2_000n, 100);

  const { assets, unearned, until } = pool.of("STX");
  assert.deepEqual([assets, unearned, until], [100n * MILLION + 1_000n, 2_000n, world.height + 100n]);
});

test("who joins late takes no more of the premium than his time is worth", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world, provider } = pool;
  const net = 10n * MILLION;
  sell(pool, net, 1_000);
  const { until } = pool.of("STX");

  world.mineTo(until - 250n);
  const late = deposit(pool, 9n * 107_500_000n); // nine times the pool as it stands
  world.mineTo(until);

  near(claim(pool, late), 9n * 107_500_000n + 2_250_000n);
  near(claim(pool, provider), 100n * MILLION + 7_750_000n);
});

test("who joins before a purchase or before its end takes none of the premium", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world } = pool;
  const before = deposit(pool, 900n * MILLION);
  sell(pool, 10n * MILLION, 1_000);
  assert.equal(claim(pool, before), 900n * MILLION);

  world.mineTo(pool.of("STX").until);
  const atTheEnd = deposit(pool, 900n * MILLION);
  world.mineBurnBlocks(100);
  near(claim(pool, atTheEnd), 900n * MILLION);
});

test("a payout is borne at once and by all alike", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const other = deposit(pool, 300n * MILLION);
  const { id } = sell(pool, 1_000n, 1_000, { collateral: 40n * MILLION });

  pool.asBackend("settle-policy", id, 40n * MILLION);

  near(claim(pool, pool.provider), 90n * MILLION);
  near(claim(pool, other), 270n * MILLION);
  assert.equal(pool.of("STX").unearned, 1_000n);
});

test("nobody slips out ahead of a payout that he sees coming", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world } = pool;
  const fox = deposit(pool, 100n * MILLION);
  const { shares } = world.read("liquidity-pool", "get-provider", fox, "STX");
  const { id } = sell(pool, 1_000n, 1_000, { collateral: 40n * MILLION });

  world.assertRefused(211n, () => world.call(fox, "liquidity-pool", "withdraw", "STX", shares));
  pool.order(fox, "liquidity-pool", "give-notice", "STX", shares);
  world.assertRefused(211n, () => world.call(fox, "liquidity-pool", "withdraw", "STX", shares));
  pool.asBackend("settle-policy", id, 40n * MILLION);

  near(claim(pool, fox), 80n * MILLION);
});

test("who leaves takes what was earned in his time, and no more", async () => {
  const pool = await openPool({ deposit: 100n * MILLION });
  const { world } = pool;
  const leaver = deposit(pool, 100n * MILLION);
  const { shares } = world.read("liquidity-pool", "get-provider", leaver, "STX");
  sell(pool, 20n * MILLION, 2n * NOTICE);
  pool.order(leaver, "liquidity-pool", "give-notice", "STX", shares);
  world.mineBurnBlocks(NOTICE);

  near(pool.order(leaver, "liquidity-pool", "withdraw", "STX", shares), 105n * MILLION);
  world.mineBurnBlocks(NOTICE);

  near(claim(pool, pool.provider), 115n * MILLION);
});

test("a pool worn down to a thousandth of its first price takes no deposits", async () => {
  const pool = await openPool({ deposit: MILLION });
  const { world } = pool;
  const late = pool.buyer();
  const [most, rest] = [999_000n, 1_000n].map((collateral) => sell(pool, 1n, 1_000, { collateral }));
  const call = (amount) => world.call(late, "liquidity-pool", "deposit", "STX", amount);

  pool.asBackend("settle-policy", most.id, 999_000n);
  assert.equal(call(1n).ok, 999_001n);
  pool.asBackend("settle-policy", rest.id, 2n);

  assert.equal(pool.of("STX").assets, 999n);
  for (const amount of [1n, MILLION]) world.assertRefused(202n, () => call(amount));
});

test("a pool that lost everything is empty, not broken", async () => {
  const pool = await openPool({ deposit: MILLION });
  const { world, provider } = pool;
  const { id } = sell(pool, 5_000n, 1_000, { collateral: MILLION });
  pool.asBackend("settle-policy", id, MILLION);
  assert.equal(claim(pool, provider), 0n);

  const { shares } = world.read("liquidity-pool", "get-provider", provider, "STX");
  pool.order(provider, "liquidity-pool", "give-notice", "STX", shares);
  world.mineBurnBlocks(NOTICE);

  const { ok: amount } = world.call(provider, "liquidity-pool", "withdraw", "STX", shares);
  near(amount, 5_000n); // the premium goes on to those who paid
  assert.equal(pool.order(pool.buyer(), "liquidity-pool", "deposit", "STX", MILLION) > 0n, true);
});
