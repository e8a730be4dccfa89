// The interface that others build on: every function with its types, what is set by the admin, and the token's rules.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { CONTRACTS, newAddress, newWorld, source, stacks } from "./vm.mjs";

const TOKEN = "(string-ascii 4)";
const POLICY =
  `{counterparty: principal, expiration-height: uint, owner: principal, policy-type: ${TOKEN}, ` +
  "protected-amount: uint, protected-value: uint, status: uint}";
const TERMS =
  `{collateral: uint, expiration-height: uint, fee: uint, policy-type: ${TOKEN}, ` +
  "protected-amount: uint, protected-value: uint, valid-until-height: uint}";
const PURCHASE = `quote-id: (buffer 16), premium: uint, terms: ${TERMS}, signature: (buffer 65)`;
const POSITION = `{collateral: uint, owner: principal, payout: uint, status: uint, token: ${TOKEN}}`;
const ENDED = `{collateral: uint, payout: uint, token: ${TOKEN}}`;

const REGISTRY = [
  "public create-policy-entry(owner: principal, counterparty: principal, protected-value: uint, " +
    `protected-amount: uint, expiration-height: uint, policy-type: ${TOKEN}) (response uint uint)`,
  "public set-backend-principal(new-backend: principal) (response bool uint)",
  "public update-policy-status(policy-id: uint, new-status: uint) (response bool uint)",
  "public update-policy-statuses(updates: (list 200 {new-status: uint, policy-id: uint})) " +
    "(response (list 200 (response bool uint)) uint)",
  "read_only get-backend-principal() principal",
  `read_only get-policies(policy-ids: (list 50 uint)) (list 50 (optional ${POLICY}))`,
  "read_only get-policy-counter() uint",
  `read_only get-policy-data(policy-id: uint) (optional ${POLICY})`,
];

const POOL = [
  `public buy-policy-sbtc(${PURCHASE}) (response uint uint)`,
  `public buy-policy-stx(${PURCHASE}) (response uint uint)`,
  `public deposit(token: ${TOKEN}, amount: uint) (response uint uint)`,
  `public expire-policies(policy-ids: (list 200 uint)) (response (list 200 (response ${ENDED} uint)) uint)`,
  `public give-notice(token: ${TOKEN}, shares: uint) (response uint uint)`,
  `public release-collateral(policy-id: uint) (response ${ENDED} uint)`,
  "public set-quote-signer(new-signer: principal) (response bool uint)",
  "public set-treasury(new-treasury: principal) (response bool uint)",
  "public settle-policies(entries: (list 200 {amount: uint, policy-id: uint})) " +
    `(response (list 200 (response ${ENDED} uint)) uint)`,
  `public settle-policy(policy-id: uint, amount: uint) (response ${ENDED} uint)`,
  `public withdraw(token: ${TOKEN}, shares: uint) (response uint uint)`,
  `read_only get-pool(token: ${TOKEN}) ` +
    "(optional {assets: uint, locked: uint, shares: uint, since: uint, unearned: uint, until: uint})",
  `read_only get-position(policy-id: uint) (optional ${POSITION})`,
  `read_only get-positions(policy-ids: (list 50 uint)) (list 50 (optional ${POSITION}))`,
  `read_only get-provider(provider: principal, token: ${TOKEN}) {leaving: uint, ready-height: uint, shares: uint}`,
  `read_only get-quote-hash(buyer: principal, token: ${TOKEN}, quote-id: (buffer 16), premium: uint, ` +
    `terms: ${TERMS}) (buffer 32)`,
  "read_only get-quote-policy(quote-id: (buffer 16)) (optional uint)",
  "read_only get-quote-signer() principal",
  "read_only get-treasury() principal",
];

/** A type of the VM's contract interface, as Clarity writes it. */
function typeName(type) {
  if (typeof type === "string") return type.replace("128", "");
  const [[kind, inner]] = Object.entries(type);
  if (kind === "tuple") return `{${inner.map((field) => `${field.name}: ${typeName(field.type)}`).join(", ")}}`;
  if (kind === "list") return `(list ${inner.length} ${typeName(inner.type)})`;
  if (kind === "response") return `(response ${typeName(inner.ok)} ${typeName(inner.error)})`;
  if (kind === "optional") return `(optional ${typeName(inner)})`;
  return `(${kind} ${inner.length})`;
}

/** Public and read-only functions as lines `access name(types) type`, sorted. */
function signatures({ functions }) {
  const open = functions.filter(({ access }) => access !== "private");
  return open
    .map(({ access, name, args, outputs }) => {
      const types = args.map((argument) => `${argument.name}: ${typeName(argument.type)}`);
      return `${access} ${name}(${types.join(", ")}) ${typeName(outputs.type)}`;
    })
    .sort();
}

test("the contracts have these functions and no others", async () => {
  const world = await newWorld();

  assert.deepEqual(signatures(world.interface("policy-registry")), REGISTRY);
  assert.deepEqual(signatures(world.interface("liquidity-pool")), POOL);
});

test("the contracts deploy as Clarity 3, from printable ASCII", async () => {
  const world = await newWorld();

  for (const contract of CONTRACTS) {
    assert.equal(world.interface(contract).clarity_version, "Clarity3");
    assert.match(source(contract), /^[\x20-\x7e\n]+$/);
  }
});

test("sBTC's contract is named in one place of the pool, to be replaced at deployment", () => {
  assert.equal(source("liquidity-pool").split(".sbtc-token").length - 1, 1);
});

test("wallets sort a tuple's keys as the chain does", async () => {
  const world = await newWorld();

  for (const contract of ["policy-registry", "liquidity-pool"]) {
    const keys = JSON.stringify(world.interface(contract).functions).matchAll(/"name":"([^"]*)"/g);
    for (const [, key] of keys) assert.match(key, /^[a-z0-9-]+$/);
  }
});

for (const [method, getter, event] of [
  ["set-quote-signer", "get-quote-signer", "quote-signer-set"],
  ["set-treasury", "get-treasury", "treasury-set"],
]) {
  test(`${method}: by the admin alone, not even through a contract that he calls`, async () => {
    const { world, backend, provider } = await openPool();
    world.deployCaller("stranger");
    const [previous, current] = [world.read("liquidity-pool", getter), newAddress()];
    const set = (sender, contract) => world.call(sender, contract, method, current);

    for (const sender of [backend, provider, previous]) world.assertRefused(200n, () => set(sender, "liquidity-pool"));
    world.assertRefused(200n, () => set(world.admin, "stranger"));
    assert.equal(world.read("liquidity-pool", getter), previous);
    const { ok, events } = set(world.admin, "liquidity-pool");

    assert.equal(ok, true);
    assert.deepEqual(events, [{ from: "liquidity-pool", event, previous, current }]);
    assert.equal(world.read("liquidity-pool", getter), current);
  });
}

test("a new treasury takes the fees from then on", async () => {
  const pool = await openPool();
  const { world, treasury } = pool;
  const successor = world.account();
  pool.policy({ fee: 7n });

  pool.order(world.admin, "liquidity-pool", "set-treasury", successor);
  pool.policy({ fee: 11n });

  assert.deepEqual([world.balance("STX", treasury), world.balance("STX", successor)], [7n, 11n]);
});

test("before anything is set, the deployer signs and is the treasury, and the pools are empty", async () => {
  const world = await newWorld();
  const read = (method, ...args) => world.read("liquidity-pool", method, ...args);

  assert.deepEqual([read("get-quote-signer"), read("get-treasury")], [world.admin, world.admin]);
  const empty = { assets: 0n, locked: 0n, shares: 0n, unearned: 0n, since: world.height, until: 0n };
  assert.deepEqual([read("get-pool", "STX"), read("get-pool", "sBTC"), read("get-pool", "BTC")], [empty, empty, null]);
  assert.deepEqual(read("get-provider", world.admin, "STX"), { shares: 0n, leaving: 0n, "ready-height": 0n });
  assert.equal(read("get-quote-policy", new Uint8Array(16)), null);
  assert.equal(read("get-position", 1n), null);
});

/** The token's transfer, called without a memo. */
const transfer = (world, sender, amount, from, to) =>
  world.call(sender, "sbtc-token", "transfer", amount, from, to, null);

test("sBTC moves at its owner's word only, and refuses what the real one refuses", async () => {
  const world = await newWorld();
  const [owner, other] = [world.account(), world.account()];
  world.mint("sBTC", owner, 100n);

  world.assertRefused(4n, () => transfer(world, other, 1n, owner, other));
  world.assertRefused(4n, () => transfer(world, world.admin, 1n, owner, other));
  world.assertRefused(1n, () => transfer(world, owner, 101n, owner, other));
  world.assertRefused(2n, () => transfer(world, owner, 1n, owner, owner));
  world.assertRefused(3n, () => transfer(world, owner, 0n, owner, other));
  const { ok, events } = transfer(world, owner, 40n, owner, other);

  assert.equal(ok, true);
  assert.deepEqual(events, [{ event: "transfer", token: "sBTC", sender: owner, recipient: other, amount: 40n }]);
  assert.deepEqual([world.balance("sBTC", owner), world.balance("sBTC", other)], [60n, 40n]);
});

test("a contract moves its own sBTC, whoever called it", async () => {
  const world = await newWorld();
  const stranger = world.deployCaller("stranger");
  const [caller, recipient] = [newAddress(), newAddress()];
  world.mint("sBTC", stranger, 5n);

  assert.equal(world.call(caller, "stranger", "spend-own", 5n, recipient).ok, true);
  assert.equal(world.balance("sBTC", recipient), 5n);
});

test("sBTC prints a memo if there is one", async () => {
  const world = await newWorld();
  const [owner, other] = [newAddress(), newAddress()];
  world.mint("sBTC", owner, 1n);
  const memo = stacks.Cl.some(stacks.Cl.bufferFromAscii("thanks"));

  const { events } = world.call(owner, "sbtc-token", "transfer", 1n, owner, other, memo);

  assert.equal(events[0].event, "transfer");
  assert.deepEqual(events[1], { from: "sbtc-token", printed: Buffer.from("thanks").toString("hex") });
});

test("the stand-in for sBTC is minted by anyone, and describes itself as sBTC does", async () => {
  const world = await newWorld();
  const read = (method, ...args) => world.read("sbtc-token", method, ...args).ok;
  const owner = newAddress();

  assert.equal(world.call(newAddress(), "sbtc-token", "mint", 12n, owner).ok, true);
  assert.equal(world.call(owner, "sbtc-token", "mint", 0n, owner).err, 1n);
  const described = ["get-name", "get-symbol", "get-decimals", "get-token-uri"].map((method) => read(method));
  assert.deepEqual(described, ["sBTC", "sBTC", 8n, null]);
  assert.deepEqual([read("get-balance", owner), read("get-balance-available", owner)], [12n, 12n]);
  assert.equal(read("get-total-supply"), 12n);
  assert.deepEqual(world.interface("sbtc-token").fungible_tokens, [{ name: "sbtc-token" }]);
});
