// The pool under random operations, right and wrong ones: what must hold after each of them, and how it ends.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { newQuote } from "./quotes.mjs";
import { TOKENS } from "./vm.mjs";

const SEED = Number(process.env.SEED ?? Date.now() % 2 ** 31);
const OPERATIONS = Number(process.env.OPERATIONS ?? 2_000);
const VIRTUAL = { assets: 1n, shares: 1_000n };
const [ACTIVE, SETTLED, EXPIRED] = [0n, 1n, 2n];

/** What may stay when all have left: what the virtual shares earned, and what was floored. */
const DUST = 10_000n;

/** Mulberry32: the same numbers for the same seed. */
function randomNumbers(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Walk {
  constructor(pool, seed) {
    this.pool = pool;
    this.world = pool.world;
    this.random = randomNumbers(seed);
    this.providers = [pool.provider, ...Array.from({ length: 4 }, () => pool.buyer())];
    this.owners = Array.from({ length: 4 }, () => pool.buyer());
    this.leaver = [pool.provider, "STX"]; // whose notice was waited for
    this.policies = []; // as answered: `marked` are Expired in the registry, their collateral is not released yet
    this.gifts = { STX: 0n, sBTC: 0n };
    this.accepted = {};
    this.before = this.books();
  }

  // --- chance ---

  upTo(limit) {
    return BigInt(Math.floor(this.random() * (Number(limit) + 1)));
  }

  oneOf(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** An amount of any magnitude below the limit, now and then above it. */
  amount(limit) {
    return this.upTo(Number(limit) * this.random() ** 3 * 1.1);
  }

  // --- operations; each answers whether the call was accepted ---

  deposit() {
    return this.call(this.oneOf(this.providers), "deposit", this.oneOf(TOKENS), this.amount(10n ** 8n));
  }

  giveNotice() {
    const [who, token] = [this.oneOf(this.providers), this.oneOf(TOKENS)];
    const { shares } = this.held(who, token);
    return this.call(who, "give-notice", token, this.oneOf([shares, this.amount(shares)]));
  }

  withdraw() {
    const anyone = [this.oneOf(this.providers), this.oneOf(TOKENS)];
    const [who, token] = this.random() < 0.5 ? this.leaver : anyone;
    const { shares, leaving } = this.held(who, token);
    return this.call(who, "withdraw", token, this.oneOf([leaving, this.amount(leaving), this.amount(shares)]));
  }

  buy() {
    const [owner, token] = [this.oneOf(this.owners), this.oneOf(TOKENS)];
    const free = this.before[token].assets - this.before[token].locked;
    const life = this.upTo(this.oneOf([3, 300, 3_000, 1e30]));
    const terms = {
      token,
      premium: this.amount(10n ** 6n),
      fee: this.amount(10n ** 4n),
      collateral: this.oneOf([free, free + 1n, this.amount(free), this.amount(free)]),
      "expiration-height": this.world.height + life,
    };
    const { ok: id } = this.pool.buy(newQuote(this.world, owner, terms));
    if (id === undefined) return false;
    const { collateral, "expiration-height": expiration } = terms;
    this.policies.push({ id, owner, token, collateral, expiration, status: ACTIVE, marked: false, payout: 0n });
    return true;
  }

  settle() {
    const entries = this.some(5).map(({ id, collateral }) => ({ "policy-id": id, amount: this.amount(collateral) }));
    const { ok } = this.pool.asBackend("settle-policies", entries);
    ok.forEach(({ ok: ended }, index) => {
      if (ended) this.end(entries[index]["policy-id"], SETTLED, ended.payout);
    });
    return ok.some((entry) => entry.ok);
  }

  expire() {
    const ids = this.some(20).map(({ id }) => id);
    const { ok } = this.pool.asBackend("expire-policies", ids);
    ok.forEach((entry, index) => entry.ok && this.end(ids[index], EXPIRED, 0n));
    return ok.some((entry) => entry.ok);
  }

  mark() {
    const due = this.policies.filter(({ status, expiration }) => status === ACTIVE && expiration < this.world.height);
    const policy = this.oneOf(due) ?? this.some(1)[0];
    const { backend } = this.pool;
    const { ok = false } = this.world.call(backend, "policy-registry", "update-policy-status", policy.id, EXPIRED);
    if (ok) policy.marked = true;
    return ok;
  }

  release() {
    const marked = this.policies.filter((policy) => policy.marked && policy.status === ACTIVE);
    const policy = this.oneOf(marked) ?? this.some(1)[0];
    const { ok } = this.pool.asBackend("release-collateral", policy.id);
    if (ok) this.end(policy.id, EXPIRED, 0n);
    return Boolean(ok);
  }

  give() {
    const [token, amount] = [this.oneOf(TOKENS), 1n + this.upTo(1_000)];
    this.world.mint(token, this.world.pool, amount);
    this.gifts[token] += amount;
    return true;
  }

  wait() {
    this.world.mineBurnBlocks(this.upTo(this.oneOf([1, 20, 200])));
    return true;
  }

  waitForNotice() {
    const leaver = [this.oneOf(this.providers), this.oneOf(TOKENS)];
    const { leaving, "ready-height": ready } = this.held(...leaver);
    if (leaving === 0n) return false;
    this.world.mineTo(ready + this.upTo(20));
    this.leaver = leaver;
    return true;
  }

  // --- what the operations need ---

  call(sender, method, token, number) {
    return this.world.call(sender, "liquidity-pool", method, token, number).ok !== undefined;
  }

  held(who, token) {
    return this.world.read("liquidity-pool", "get-provider", who, token);
  }

  /** Up to so many policies, open ones and ended ones, some of them twice, or one that there is not. */
  some(count) {
    const open = this.policies.filter(({ status }) => status === ACTIVE);
    const none = { id: 10n ** 6n, collateral: 1n };
    const pick = () => this.oneOf(this.random() < 0.8 ? open : this.policies) ?? none;
    return Array.from({ length: 1 + Number(this.upTo(count - 1)) }, pick);
  }

  end(id, status, payout) {
    const policy = this.policies[Number(id) - 1];
    assert.equal(policy.status, ACTIVE, `policy ${id} ended twice`);
    assert.ok(payout <= policy.collateral);
    Object.assign(policy, { status, payout });
    this.paid[policy.token] += payout;
  }

  // --- what must hold ---

  books() {
    return Object.fromEntries(TOKENS.map((token) => [token, this.pool.of(token)]));
  }

  step(name) {
    this.paid = { STX: 0n, sBTC: 0n };
    const accepted = this[name]();
    this.accepted[name] = (this.accepted[name] ?? 0) + Number(accepted);
    const after = this.books();
    if (!accepted) assert.deepEqual(after, this.before, "a refusal changed the books");
    for (const token of TOKENS) this.check(token, this.before[token], after[token]);
    this.before = after;
  }

  check(token, before, { assets, locked, shares, unearned }) {
    const balance = this.world.balance(token, this.world.pool) - this.gifts[token];
    assert.equal(balance, assets + unearned, "the books are not the balance");
    assert.ok(assets >= locked, "locked collateral is not covered");
    const open = this.policies.filter((policy) => policy.token === token && policy.status === ACTIVE);
    const collateral = open.reduce((sum, policy) => sum + policy.collateral, 0n);
    assert.equal(locked, collateral, "locked is not the open collateral");
    const [then, now] = [before.assets, assets + this.paid[token]].map((sum) => sum + VIRTUAL.assets);
    const risen = now * (before.shares + VIRTUAL.shares) >= then * (shares + VIRTUAL.shares);
    assert.ok(risen, "the share price fell by more than the payouts");
  }

  /** Dearer than the rest, so now and then only. */
  checkClaims() {
    for (const token of TOKENS) {
      const { assets, shares } = this.before[token];
      const held = this.providers.map((who) => this.held(who, token).shares);
      assert.equal(held.reduce((sum, own) => sum + own, 0n), shares, "shares of nobody");
      const claim = (own) => (own * (assets + VIRTUAL.assets)) / (shares + VIRTUAL.shares);
      assert.ok(held.reduce((sum, own) => sum + claim(own), 0n) <= assets, "more is claimed than there is");
    }
  }

  checkPolicies() {
    assert.equal(this.world.read("policy-registry", "get-policy-counter"), BigInt(this.policies.length));
    for (const { id, owner, token, collateral, status, marked, payout } of this.policies) {
      assert.deepEqual(this.pool.position({ id }), { owner, token, collateral, status, payout });
      assert.equal(this.pool.statusOf({ id }), marked ? EXPIRED : status);
    }
  }
}

const OFTEN = ["buy", "buy", "buy", "settle", "expire", "deposit", "giveNotice", "withdraw", "withdraw", "wait"];
const SELDOM = ["mark", "mark", "release", "give", "waitForNotice", "waitForNotice"];

test(`the pool's books hold under ${OPERATIONS} random operations, and everyone can leave at the end`, async (t) => {
  t.diagnostic(`SEED=${SEED}`);
  const walk = new Walk(await openPool(), SEED);
  let name = "start";
  try {
    for (let count = 1; count <= OPERATIONS; count += 1) {
      name = walk.oneOf(walk.random() < 0.85 ? OFTEN : SELDOM);
      walk.step(name);
      if (count % 25 === 0) walk.checkClaims();
    }
    walk.checkPolicies();
    name = "the end";
    windUp(walk);
  } catch (error) {
    error.message = `${error.message} (${name}; SEED=${SEED})`;
    throw error;
  }
  t.diagnostic(JSON.stringify(walk.accepted));
  for (const name of [...OFTEN, ...SELDOM]) assert.ok(walk.accepted[name] > 0, `${name} was never accepted`);
});

/** All policies end, all premiums are earned, all providers leave: nothing but dust may stay. */
function windUp(walk) {
  const { pool, world } = walk;
  const open = walk.policies.filter(({ status }) => status === ACTIVE);
  for (const { id, marked } of open) {
    const { ok, err } = marked ? pool.asBackend("release-collateral", id) : pool.asBackend("settle-policy", id, 1n);
    assert.ok(ok, `policy ${id} could not be ended: ${err}`);
  }
  for (const token of TOKENS) world.mineTo(pool.of(token).until);
  const holdings = TOKENS.flatMap((token) => walk.providers.map((who) => [token, who, walk.held(who, token).shares]));
  for (const [token, who, shares] of holdings) pool.order(who, "liquidity-pool", "give-notice", token, shares);
  world.mineBurnBlocks(1_008n);
  for (const [token, who, shares] of holdings) {
    const worthless = shares === 0n ? 202n : undefined;
    assert.equal(world.call(who, "liquidity-pool", "withdraw", token, shares).err, worthless);
  }
  for (const token of TOKENS) {
    const { assets, locked, shares, unearned } = pool.of(token);
    assert.deepEqual({ locked, shares, unearned }, { locked: 0n, shares: 0n, unearned: 0n });
    assert.ok(assets < DUST, `${assets} ${token} stayed behind`);
  }
}
