// The registry: who may enter a policy, who may move its status, and what each refusal is called.
import assert from "node:assert/strict";
import { test } from "node:test";
import { newAddress, newWorld } from "./vm.mjs";

const [ACTIVE, SETTLED, EXPIRED] = [0n, 1n, 2n];

/** A registry with a backend, an owner, and the contract `stranger` as counterparty. */
class Registry {
  static async open() {
    return new Registry(await newWorld());
  }

  constructor(world) {
    this.world = world;
    this.counterparty = world.deployCaller("stranger");
    this.backend = newAddress();
    this.owner = newAddress();
    this.expiration = world.height + 100n;
    assert.equal(this.direct(world.admin, "set-backend-principal", this.backend).ok, true);
  }

  direct(sender, method, ...args) {
    return this.world.call(sender, "policy-registry", method, ...args);
  }

  through(contract, sender, method, ...args) {
    return this.world.call(sender, contract, method, ...args);
  }

  /** The arguments of an entry that would do, apart from `changes`. */
  entry(changes = {}) {
    const { owner, counterparty, value, amount, expiration, type } = {
      owner: this.owner,
      counterparty: this.counterparty,
      value: 5_000_000_000_000n,
      amount: 10_000_000n,
      expiration: this.expiration,
      type: "PUT",
      ...changes,
    };
    return [owner, counterparty, value, amount, expiration, type];
  }

  create(changes) {
    return this.through("stranger", this.owner, "create-policy-entry", ...this.entry(changes));
  }

  /** Enter so many policies that differ in nothing; their ids. */
  created(count) {
    return Array.from({ length: count }, () => this.create().ok);
  }

  settle(id) {
    return this.through("stranger", this.backend, "update-policy-status", id, SETTLED);
  }

  expire(id) {
    return this.direct(this.backend, "update-policy-status", id, EXPIRED);
  }

  policy(id) {
    return this.world.read("policy-registry", "get-policy-data", id);
  }

  updated(id, status) {
    const { owner, counterparty } = this;
    return {
      from: "policy-registry",
      event: "policy-status-updated",
      "policy-id": id,
      owner,
      counterparty,
      "previous-status": ACTIVE,
      "new-status": status,
      "burn-height": this.world.height,
    };
  }
}

const update = (id, status) => ({ "policy-id": id, "new-status": status });

test("a policy is entered when its owner signs and its counterparty's contract calls", async () => {
  const registry = await Registry.open();
  const { world, owner, counterparty, expiration } = registry;
  const terms = {
    owner,
    counterparty,
    "protected-value": 5_000_000_000_000n,
    "protected-amount": 10_000_000n,
    "expiration-height": expiration,
    "policy-type": "PUT",
    status: ACTIVE,
  };

  const { ok, events } = registry.create();

  assert.equal(ok, 1n);
  assert.deepEqual(registry.policy(1n), terms);
  const print = { from: "policy-registry", event: "policy-created", "policy-id": 1n, "burn-height": world.height };
  assert.deepEqual(events, [{ ...print, ...terms }]);
});

test("ids count up over all counterparties and are not used up by refusals", async () => {
  const registry = await Registry.open();
  const other = registry.world.deployCaller("stranger", "another-pool");

  assert.deepEqual(registry.created(1), [1n]);
  assert.equal(registry.create({ value: 0n }).err, 102n);
  const entry = registry.entry({ counterparty: other });
  assert.equal(registry.through("another-pool", registry.owner, "create-policy-entry", ...entry).ok, 2n);
  assert.deepEqual(registry.created(1), [3n]);
  assert.equal(registry.world.read("policy-registry", "get-policy-counter"), 3n);
});

test("nobody becomes an owner or a counterparty without his consent", async () => {
  const registry = await Registry.open();
  const { world, owner } = registry;
  const direct = (changes) => registry.direct(owner, "create-policy-entry", ...registry.entry(changes));

  world.assertRefused(100n, () => direct({ counterparty: world.pool }));
  world.assertRefused(100n, () => direct());
  world.assertRefused(100n, () => direct({ owner: newAddress(), counterparty: owner }));
  world.assertRefused(100n, () => registry.create({ owner: newAddress() }));
  world.assertRefused(100n, () => registry.create({ counterparty: world.pool }));
});

test("a policy without sense is refused", async () => {
  const registry = await Registry.open();
  const { world, owner } = registry;

  world.assertRefused(102n, () => registry.create({ value: 0n }));
  world.assertRefused(102n, () => registry.create({ amount: 0n }));
  world.assertRefused(102n, () => registry.create({ expiration: world.height }));
  world.assertRefused(102n, () => registry.create({ type: "CALL" }));
  world.assertRefused(102n, () => registry.create({ type: "" }));
  const withOneself = registry.entry({ counterparty: owner });
  world.assertRefused(102n, () => registry.direct(owner, "create-policy-entry", ...withOneself));
  assert.equal(registry.create({ value: 1n, amount: 1n, expiration: world.height + 1n }).ok, 1n);
});

test("only the backend moves a status, one or many", async () => {
  const registry = await Registry.open();
  const { world, owner, expiration } = registry;
  registry.created(1);
  world.mineTo(expiration + 1n);

  for (const sender of [owner, world.admin, newAddress()]) {
    for (const status of [SETTLED, EXPIRED]) {
      for (const contract of ["policy-registry", "stranger"]) {
        const call = (...args) => registry.through(contract, sender, ...args);
        world.assertRefused(100n, () => call("update-policy-status", 1n, status));
        world.assertRefused(100n, () => call("update-policy-statuses", [update(1n, status)]));
      }
    }
  }
});

test("a policy is settled through its counterparty's contract and in no other way", async () => {
  const registry = await Registry.open();
  registry.created(1);

  const direct = () => registry.direct(registry.backend, "update-policy-status", 1n, SETTLED);
  registry.world.assertRefused(100n, direct);
  const { ok, events } = registry.settle(1n);

  assert.equal(ok, true);
  assert.deepEqual(events, [registry.updated(1n, SETTLED)]);
  assert.equal(registry.policy(1n).status, SETTLED);
});

test("a policy expires above its expiration height, not at it", async () => {
  const registry = await Registry.open();
  const { world, expiration } = registry;
  registry.created(2);

  world.mineTo(expiration);
  world.assertRefused(104n, () => registry.expire(1n));
  world.mineTo(expiration + 1n);

  const { ok, events } = registry.expire(1n);
  assert.equal(ok, true);
  assert.deepEqual(events, [registry.updated(1n, EXPIRED)]);
  assert.equal(registry.policy(1n).status, EXPIRED);
  assert.equal(registry.through("stranger", registry.backend, "update-policy-status", 2n, EXPIRED).ok, true);
});

test("a status moves once", async () => {
  const registry = await Registry.open();
  const { world, expiration } = registry;
  registry.created(2);
  registry.settle(1n);
  world.mineTo(expiration + 1n);
  registry.expire(2n);

  for (const id of [1n, 2n]) {
    world.assertRefused(103n, () => registry.settle(id));
    world.assertRefused(103n, () => registry.expire(id));
  }
});

test("a status is moved to Settled or Expired, of a policy that exists", async () => {
  const registry = await Registry.open();
  const { world } = registry;
  registry.created(1);

  for (const status of [ACTIVE, 3n]) {
    world.assertRefused(102n, () => registry.direct(registry.backend, "update-policy-status", 1n, status));
    const through = () => registry.through("stranger", registry.backend, "update-policy-status", 1n, status);
    world.assertRefused(102n, through);
  }
  for (const id of [0n, 2n]) {
    world.assertRefused(101n, () => registry.settle(id));
    world.assertRefused(101n, () => registry.expire(id));
  }
});

test("a contract that the backend was tricked into calling moves no policy but its own", async () => {
  const registry = await Registry.open();
  const { world, backend, expiration } = registry;
  world.deployCaller("stranger", "phisher");
  registry.created(1);
  world.mineTo(expiration + 1n);

  for (const status of [SETTLED, EXPIRED]) {
    world.assertRefused(100n, () => registry.through("phisher", backend, "update-policy-status", 1n, status));
    const batch = registry.through("phisher", backend, "update-policy-statuses", [update(1n, status)]);
    assert.deepEqual([batch.ok, batch.events], [[{ err: 100n }], []]);
  }
  assert.equal(registry.policy(1n).status, ACTIVE);
});

test("in a batch each entry stands or falls alone, and the answers keep their order", async () => {
  const registry = await Registry.open();
  const { world, backend, expiration } = registry;
  registry.created(3);
  registry.create({ expiration: expiration + 2n });
  world.mineTo(expiration + 1n);

  const updates = [update(9n, EXPIRED), update(3n, EXPIRED), update(4n, EXPIRED), update(1n, SETTLED)];
  const more = [update(3n, EXPIRED), update(2n, ACTIVE), update(2n, EXPIRED)];
  const { ok, events } = registry.direct(backend, "update-policy-statuses", [...updates, ...more]);

  const [unknown, expired, tooEarly, notDirectly] = [{ err: 101n }, { ok: true }, { err: 104n }, { err: 100n }];
  const [twice, noMove] = [{ err: 103n }, { err: 102n }];
  assert.deepEqual(ok, [unknown, expired, tooEarly, notDirectly, twice, noMove, expired]);
  assert.deepEqual(events, [registry.updated(3n, EXPIRED), registry.updated(2n, EXPIRED)]);
  assert.deepEqual([1n, 2n, 3n, 4n].map((id) => registry.policy(id).status), [ACTIVE, EXPIRED, EXPIRED, ACTIVE]);
});

test("a batch succeeds even if every entry was refused", async () => {
  const registry = await Registry.open();

  const { ok, events } = registry.direct(registry.backend, "update-policy-statuses", [update(1n, EXPIRED)]);

  assert.deepEqual([ok, events], [[{ err: 101n }], []]);
});

test("the admin names the backend, and the old one is none any more", async () => {
  const registry = await Registry.open();
  const { world, backend, expiration } = registry;
  const successor = newAddress();
  registry.created(1);
  world.mineTo(expiration + 1n);

  const { ok, events } = registry.direct(world.admin, "set-backend-principal", successor);

  assert.equal(ok, true);
  const print = { from: "policy-registry", event: "backend-principal-set" };
  assert.deepEqual(events, [{ ...print, previous: backend, current: successor }]);
  assert.equal(world.read("policy-registry", "get-backend-principal"), successor);
  world.assertRefused(100n, () => registry.expire(1n));
  assert.equal(registry.direct(successor, "update-policy-status", 1n, EXPIRED).ok, true);
});

test("nobody but the admin names the backend, not even through a contract that he calls", async () => {
  const { world, backend, owner } = await Registry.open();
  const set = (sender, contract) => world.call(sender, contract, "set-backend-principal", owner);

  world.assertRefused(100n, () => set(backend, "policy-registry"));
  world.assertRefused(100n, () => set(owner, "policy-registry"));
  world.assertRefused(100n, () => set(world.admin, "stranger"));
  assert.equal(world.read("policy-registry", "get-backend-principal"), backend);
});

test("the deployer is the backend until another is named", async () => {
  const world = await newWorld();

  assert.equal(world.read("policy-registry", "get-backend-principal"), world.admin);
  assert.equal(world.read("policy-registry", "get-policy-counter"), 0n);
});

test("policies are read one by one or fifty at once, none where there is none", async () => {
  const registry = await Registry.open();
  registry.created(2);

  assert.equal(registry.policy(0n), null);
  const ids = Array.from({ length: 50 }, (_, index) => BigInt(index));
  const policies = registry.world.read("policy-registry", "get-policies", ids);
  assert.deepEqual(policies.slice(0, 4), [null, registry.policy(1n), registry.policy(2n), null]);
  assert.equal(policies.length, 50);
});
