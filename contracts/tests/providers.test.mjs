// Providers: shares in and out, notice, and what premiums and payouts do to what a share is worth.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { MAX_UINT, TOKENS } from "./vm.mjs";

const NOTICE = 1_008n;
const DEPARTURE = 144n;
const SHARES_PER_UNIT = 1_000n; // in a pool that has earned and paid nothing

/** The calls of one provider in one token. */
function providerOf(pool, address = pool.buyer(), token = "STX") {
  const { world } = pool;
  const call = (method, number) => world.call(address, "liquidity-pool", method, token, number);
  return {
    address,
    deposit: (amount) => call("deposit", amount),
    giveNotice: (shares) => call("give-notice", shares),
    withdraw: (shares) => call("withdraw", shares),
    held: () => world.read("liquidity-pool", "get-provider", address, token),
    balance: () => world.balance(token, address),
  };
}

/** Notice for all, the wait, and all out; the amount. */
function leave(pool, provider) {
  const { shares } = provider.held();
  assert.equal(provider.giveNotice(shares).ok, pool.world.height + NOTICE);
  pool.world.mineBurnBlocks(NOTICE);
  return provider.withdraw(shares).ok;
}

for (const token of TOKENS) {
  test(`a deposit in ${token} buys shares, and they are withdrawn for the same amount`, async () => {
    const pool = await openPool();
    const { world } = pool;
    const provider = providerOf(pool, undefined, token);
    const purse = provider.balance();
    const before = pool.of(token);
    const amount = 1_234_567n;

    const deposit = provider.deposit(amount);

    const shares = amount * SHARES_PER_UNIT;
    assert.equal(deposit.ok, shares);
    const transfer = { event: "transfer", token, sender: provider.address, recipient: world.pool, amount };
    const print = { from: "liquidity-pool", provider: provider.address, token, amount, shares };
    assert.deepEqual(deposit.events, [transfer, { ...print, event: "funds-deposited" }]);
    assert.equal(provider.balance(), purse - amount);
    assert.equal(pool.of(token).assets, before.assets + amount);
    assert.equal(pool.of(token).shares, before.shares + shares);
    assert.deepEqual(provider.held(), { shares, leaving: 0n, "ready-height": 0n });

    provider.giveNotice(shares);
    world.mineBurnBlocks(NOTICE);
    const withdrawal = provider.withdraw(shares);

    assert.equal(withdrawal.ok, amount);
    const back = { event: "transfer", token, sender: world.pool, recipient: provider.address, amount };
    assert.deepEqual(withdrawal.events, [back, { ...print, event: "funds-withdrawn" }]);
    assert.equal(provider.balance(), purse);
    assert.equal(pool.of(token).assets, before.assets);
    assert.equal(pool.of(token).shares, before.shares);
  });
}

test("a deposit of nothing, of an unknown token, or of more than one has is refused", async () => {
  const pool = await openPool();
  const { world } = pool;
  const poor = world.account(10n);
  const deposit = (token, amount) => world.call(poor, "liquidity-pool", "deposit", token, amount);

  for (const token of TOKENS) {
    world.assertRefused(202n, () => deposit(token, 0n));
    for (const amount of [11n, 2n ** 120n, MAX_UINT]) world.assertRefused(1n, () => deposit(token, amount));
    assert.notEqual(deposit(token, 10n).ok, undefined);
  }
  for (const token of ["", "BTC", "SBTC", "stx"]) world.assertRefused(202n, () => deposit(token, 1n));
});

test("a deposit too small for one share is refused", async () => {
  const pool = await openPool({ deposit: 1n });
  pool.policy({ premium: 10_001n, fee: 1n, collateral: 1n });
  pool.world.mineBurnBlocks(NOTICE); // 1 unit has become 10 001, for 2 000 shares with the virtual ones
  const provider = providerOf(pool);

  pool.world.assertRefused(202n, () => provider.deposit(5n));
  assert.equal(provider.deposit(6n).ok, 1n);
});

test("the first deposit cannot be robbed by who gives the pool coins", async () => {
  const pool = await openPool({ deposit: 1n });
  const { world } = pool;
  world.mint("STX", world.pool, 10n ** 9n);
  const provider = providerOf(pool);

  assert.equal(provider.deposit(1_000n).ok, 1_000n * SHARES_PER_UNIT);
  assert.equal(leave(pool, provider), 1_000n);
});

test("notice names the shares that may leave a week later", async () => {
  const pool = await openPool();
  const { world } = pool;
  const provider = providerOf(pool);
  provider.deposit(1_000n);
  const [shares, ready] = [400_000n, world.height + NOTICE];

  const { ok, events } = provider.giveNotice(shares);

  assert.equal(ok, ready);
  const print = { from: "liquidity-pool", event: "notice-given", provider: provider.address, token: "STX" };
  assert.deepEqual(events, [{ ...print, shares, "ready-height": ready }]);
  assert.deepEqual(provider.held(), { shares: 1_000_000n, leaving: shares, "ready-height": ready });
});

test("nobody gives notice for, or withdraws, more shares than he has", async () => {
  const pool = await openPool();
  const { world } = pool;
  const [provider, stranger] = [providerOf(pool), providerOf(pool)];
  provider.deposit(1_000n);
  const { shares } = provider.held();

  for (const tooMany of [shares + 1n, 2n ** 100n, MAX_UINT]) {
    world.assertRefused(210n, () => provider.giveNotice(tooMany));
    world.assertRefused(210n, () => provider.withdraw(tooMany));
  }
  world.assertRefused(210n, () => stranger.giveNotice(1n));
  world.assertRefused(210n, () => stranger.withdraw(1n));
});

test("shares leave within a day from the ready height, neither before nor after", async () => {
  const pool = await openPool();
  const { world } = pool;
  const provider = providerOf(pool);
  provider.deposit(1_000n);
  const third = 300_000n;

  world.assertRefused(211n, () => provider.withdraw(third));
  const { ok: ready } = provider.giveNotice(3n * third);
  world.assertRefused(211n, () => provider.withdraw(third));
  world.mineTo(ready - 1n);
  world.assertRefused(211n, () => provider.withdraw(third));
  world.mineTo(ready);
  assert.equal(provider.withdraw(third).ok, 300n);
  world.mineTo(ready + DEPARTURE - 1n);
  assert.equal(provider.withdraw(third).ok, 300n);
  world.mineTo(ready + DEPARTURE);
  world.assertRefused(211n, () => provider.withdraw(third));
});

test("no more leaves than notice was given for, in however many parts", async () => {
  const pool = await openPool();
  const { world } = pool;
  const provider = providerOf(pool);
  provider.deposit(1_000n);
  provider.giveNotice(500_000n);
  provider.deposit(1_000n);
  world.mineBurnBlocks(NOTICE);

  world.assertRefused(211n, () => provider.withdraw(500_001n));
  assert.equal(provider.withdraw(300_000n).ok, 300n);
  world.assertRefused(211n, () => provider.withdraw(200_001n));
  assert.equal(provider.withdraw(200_000n).ok, 200n);
  world.assertRefused(211n, () => provider.withdraw(1_000n));
  assert.deepEqual(provider.held().shares, 1_500_000n);
});

test("a new notice takes the place of the old one, and starts anew", async () => {
  const pool = await openPool();
  const { world } = pool;
  const provider = providerOf(pool);
  provider.deposit(1_000n);
  provider.giveNotice(1_000_000n);
  world.mineBurnBlocks(NOTICE);
  const { ok: ready } = provider.giveNotice(100_000n);

  world.assertRefused(211n, () => provider.withdraw(100_000n));
  world.mineTo(ready);
  world.assertRefused(211n, () => provider.withdraw(100_001n));
  assert.equal(provider.withdraw(100_000n).ok, 100n);
});

test("notice for nothing takes the notice back", async () => {
  const pool = await openPool();
  const provider = providerOf(pool);
  provider.deposit(1_000n);
  const { ok: ready } = provider.giveNotice(1_000_000n);

  assert.equal(provider.giveNotice(0n).ok, ready);
  pool.world.mineTo(ready);

  pool.world.assertRefused(211n, () => provider.withdraw(1_000n));
});

test("a withdrawal worth nothing, or of an unknown token, is refused", async () => {
  const pool = await openPool();
  const { world } = pool;
  const provider = providerOf(pool);
  provider.deposit(1_000n);
  const { ok: ready } = provider.giveNotice(1_000_000n);
  world.mineTo(ready);

  for (const shares of [0n, 999n]) world.assertRefused(202n, () => provider.withdraw(shares));
  assert.equal(provider.withdraw(1_000n).ok, 1n);
  world.assertRefused(202n, () => world.call(provider.address, "liquidity-pool", "withdraw", "BTC", 0n));
  world.assertRefused(210n, () => world.call(provider.address, "liquidity-pool", "give-notice", "BTC", 1n));
});

test("locked collateral cannot be withdrawn, what is free beside it can", async () => {
  const pool = await openPool({ deposit: 1_000_000n });
  const { world } = pool;
  const provider = providerOf(pool, pool.provider);
  const { ok: ready } = provider.giveNotice(provider.held().shares);
  world.mineTo(ready);
  pool.policy({ collateral: 400_000n });

  world.assertRefused(206n, () => provider.withdraw(600_001n * SHARES_PER_UNIT));
  assert.equal(provider.withdraw(600_000n * SHARES_PER_UNIT).ok, 600_000n);
  assert.deepEqual([pool.of("STX").assets, pool.of("STX").locked], [400_000n, 400_000n]);
});

test("the shares of one token are none of the other", async () => {
  const pool = await openPool();
  const { world } = pool;
  const inStx = providerOf(pool);
  const inSbtc = providerOf(pool, inStx.address, "sBTC");
  inStx.deposit(1_000n);

  assert.equal(inSbtc.held().shares, 0n);
  world.assertRefused(210n, () => inSbtc.giveNotice(1n));
});

test("a contract may be a provider", async () => {
  const pool = await openPool();
  const { world, provider } = pool;
  const wallet = world.deployCaller("wallet");
  world.mint("STX", wallet, 1_000n);
  const call = (method, number) => world.call(provider, "wallet", method, "STX", number);

  const { ok: shares } = call("deposit", 1_000n);
  world.mineTo(call("give-notice", shares).ok);

  assert.equal(call("withdraw", shares).ok, 1_000n);
  assert.equal(world.balance("STX", wallet), 1_000n);
});
