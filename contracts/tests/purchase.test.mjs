// A purchase: premium, fee, lock and entry in one call, or nothing of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { newQuote } from "./quotes.mjs";
import { TOKENS } from "./vm.mjs";

const DEPOSIT = 100_000_000n;

for (const token of TOKENS) {
  test(`a purchase in ${token} pays, locks and enters at once`, async () => {
    const pool = await openPool({ deposit: DEPOSIT });
    const { world, treasury } = pool;
    const owner = pool.buyer();
    const purse = world.balance(token, owner);
    const quote = newQuote(world, owner, { token });
    const { premium, terms } = quote;
    const { fee, collateral, "expiration-height": expiration } = terms;

    const { ok: id } = pool.buy(quote);

    assert.equal(id, 1n);
    assert.equal(world.balance(token, owner), purse - premium);
    assert.equal(world.balance(token, treasury), fee);
    assert.equal(world.balance(token, world.pool), DEPOSIT + premium - fee);
    const { assets, locked, unearned, since, until } = pool.of(token);
    assert.deepEqual({ assets, locked, unearned }, { assets: DEPOSIT, locked: collateral, unearned: premium - fee });
    assert.deepEqual([since, until], [world.height, expiration]);
    assert.deepEqual(pool.position({ id }), { owner, token, collateral, status: 0n, payout: 0n });
    assert.equal(world.read("liquidity-pool", "get-quote-policy", quote["quote-id"]), id);
    const entry = world.read("policy-registry", "get-policy-data", id);
    assert.deepEqual(entry, {
      owner,
      counterparty: world.pool,
      "protected-value": terms["protected-value"],
      "protected-amount": terms["protected-amount"],
      "expiration-height": expiration,
      "policy-type": "PUT",
      status: 0n,
    });
  });
}

for (const token of TOKENS) {
  test(`the events of a purchase in ${token} are its transfers, the entry, the purchase`, async () => {
    const pool = await openPool();
    const { world, treasury } = pool;

    const { id, owner, quote, events } = pool.policy({ token });

    const { premium, "quote-id": quoteId } = quote;
    const { fee, collateral } = quote.terms;
    const [toPool, toTreasury, created, purchased] = events;
    assert.deepEqual(toPool, { event: "transfer", token, sender: owner, recipient: world.pool, amount: premium - fee });
    assert.deepEqual(toTreasury, { event: "transfer", token, sender: owner, recipient: treasury, amount: fee });
    assert.deepEqual([created.from, created.event, created["policy-id"]], ["policy-registry", "policy-created", id]);
    assert.deepEqual(purchased, {
      from: "liquidity-pool",
      event: "policy-purchased",
      "quote-id": Buffer.from(quoteId).toString("hex"),
      "policy-id": id,
      buyer: owner,
      token,
      premium,
      fee,
      collateral,
    });
    assert.equal(events.length, 4);
  });
}

test("the two pools do not touch each other", async () => {
  const pool = await openPool();
  const before = pool.of("sBTC");

  pool.policy({ token: "STX" });

  assert.deepEqual(pool.of("sBTC"), before);
});

test("without a fee the treasury is sent nothing", async () => {
  const pool = await openPool();

  const { events } = pool.policy({ fee: 0n });

  assert.deepEqual(events.filter(({ event }) => event === "transfer").length, 1);
  assert.equal(pool.world.balance("STX", pool.treasury), 0n);
});

test("a quote that locks nothing, or whose fee eats the premium, is refused", async () => {
  const pool = await openPool();
  const { world } = pool;
  const owner = pool.buyer();
  const senseless = [{ fee: 10_100n }, { fee: 10_101n }, { premium: 0n, fee: 0n }, { collateral: 0n }];

  for (const changes of senseless) {
    const quote = newQuote(world, owner, changes);
    world.assertRefused(202n, () => pool.buy(quote));
  }
});

test("a refusal by the registry takes the premium and the lock back", async () => {
  const pool = await openPool();
  const { world } = pool;
  const owner = pool.buyer();
  const senseless = [
    { "protected-value": 0n },
    { "protected-amount": 0n },
    { "policy-type": "CALL" },
    { "expiration-height": world.height },
    { "expiration-height": 0n },
  ];

  for (const token of TOKENS) {
    for (const changes of senseless) {
      const quote = newQuote(world, owner, { token, ...changes });
      world.assertRefused(102n, () => pool.buy(quote));
      assert.equal(world.read("liquidity-pool", "get-quote-policy", quote["quote-id"]), null);
    }
  }
});

test("a buyer who cannot pay premium and fee pays nothing", async () => {
  const pool = await openPool();
  const { world } = pool;
  const purses = [100n, 9_999n, 10_000n, 10_099n]; // the fee could be paid, or the pool's part, not both

  for (const token of TOKENS) {
    for (const purse of purses) {
      const poor = world.account(purse);
      const quote = newQuote(world, poor, { token });
      world.assertRefused(1n, () => pool.buy(quote));
      world.mint(token, poor, 10_100n - purse);
      assert.notEqual(pool.buy(quote).ok, undefined);
      assert.equal(world.balance(token, poor), 0n);
    }
  }
});

test("the treasury cannot pay a fee to itself", async () => {
  const pool = await openPool();
  const { world, treasury } = pool;
  for (const token of TOKENS) {
    world.mint(token, treasury, 1_000_000n);
    const quote = newQuote(world, treasury, { token });
    world.assertRefused(2n, () => pool.buy(quote));
    assert.notEqual(pool.buy(newQuote(world, treasury, { token, fee: 0n })).ok, undefined);
  }
});

test("all that is free can be locked, and nothing more", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const { world } = pool;
  const owner = pool.buyer();
  const [tooMuch, all, one] = [DEPOSIT + 1n, DEPOSIT, 1n].map((collateral) => newQuote(world, owner, { collateral }));

  world.assertRefused(206n, () => pool.buy(tooMuch));
  assert.equal(pool.buy(all).ok, 1n);
  world.assertRefused(206n, () => pool.buy(one)); // the premium is not earned yet
});

test("what has been earned of a premium can be locked", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const { world } = pool;
  pool.policy({ collateral: DEPOSIT, premium: 1_009n, fee: 1n });
  world.mineBurnBlocks(504);
  const owner = pool.buyer();
  const [tooMuch, earned] = [505n, 504n].map((collateral) => newQuote(world, owner, { collateral }));

  world.assertRefused(206n, () => pool.buy(tooMuch));
  assert.equal(pool.buy(earned).ok, 2n);
});

test("coins sent to the pool outside its functions cover nothing", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const { world } = pool;
  const quote = newQuote(world, pool.buyer(), { collateral: DEPOSIT + 1n });

  for (const token of TOKENS) world.mint(token, world.pool, DEPOSIT);

  world.assertRefused(206n, () => pool.buy(quote));
});

test("two buyers in one block do not pass on the same capital", async () => {
  const pool = await openPool({ deposit: DEPOSIT });
  const both = [1, 2].map(() => newQuote(pool.world, pool.buyer(), { collateral: DEPOSIT }));

  const [first, second] = pool.world.block(...both.map((quote) => pool.purchase(quote)));

  assert.deepEqual([first.ok, second.err, second.events], [1n, 206n, []]);
  assert.equal(pool.of("STX").locked, DEPOSIT);
});

test("a contract may be the buyer", async () => {
  const pool = await openPool();
  const { world } = pool;
  const wallet = world.deployCaller("wallet");
  world.mint("STX", wallet, 10_100n);
  const quote = newQuote(world, wallet);
  const { args } = pool.purchase(quote);

  const { ok: id } = world.call(pool.provider, "wallet", "buy-policy-stx", ...args);

  assert.equal(pool.position({ id }).owner, wallet);
  assert.equal(world.balance("STX", wallet), 0n);
});

test("a quote for a contract is no quote for who calls it", async () => {
  const pool = await openPool();
  const { world } = pool;
  const wallet = world.deployCaller("wallet");
  const caller = pool.buyer();
  world.mint("STX", wallet, 10_100n);
  const { args } = pool.purchase(newQuote(world, caller));

  world.assertRefused(203n, () => world.call(caller, "wallet", "buy-policy-stx", ...args));
});

test("a policy without end does not keep the pool from earning or from selling", async () => {
  const pool = await openPool();
  const { world } = pool;
  const owner = pool.buyer();

  pool.policy({ "expiration-height": 2n ** 100n }, owner);

  const year = 365n * 144n;
  assert.equal(pool.of("STX").until, world.height + year);
  pool.policy({}, owner);
  pool.policy({ "expiration-height": 2n ** 128n - 1n }, owner);
  world.mineBurnBlocks(year);
  assert.equal(pool.of("STX").unearned, 0n);
});
