// The Clarity VM for tests, one per process: worlds of freshly deployed contracts, callers, balances, events.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = new URL(".", import.meta.url);
const packages = createRequire(new URL("../../devnet/package.json", here)); // `npm ci` in devnet/ puts them there
const { getSDK } = await import(pathToFileURL(packages.resolve("@stacks/clarinet-sdk")));

export const stacks = packages("@stacks/transactions");
const { Cl } = stacks;

export const MAX_UINT = 2n ** 128n - 1n;
export const TESTNET = 0x80000000;
export const TOKENS = ["STX", "sBTC"];
export const CONTRACTS = ["sip-010-trait", "sbtc-token", "policy-registry", "liquidity-pool"]; // in order of deployment

const CLARITY = { clarityVersion: 3 }; // later versions have no as-contract
const FIRST_BURN_BLOCKS = 10; // so that a height can lie behind

let trackCosts = false;
let vm;

/** Costs are counted only if this is called before the first world is made. */
export function countCosts() {
  assert(!vm, "costs are counted from the start of the VM");
  trackCosts = true;
}

async function boot() {
  const simnet = await getSDK({ trackCosts });
  await simnet.initEmptySession({ enabled: false, api_url: "" });
  simnet.setEpoch(process.env.EPOCH ?? "3.3");
  simnet.mineEmptyBurnBlocks(FIRST_BURN_BLOCKS);
  return simnet;
}

export const source = (name) => readFileSync(new URL(`../${name}.clar`, here), "utf8");
const callerSource = (name) => readFileSync(new URL(`callers/${name}.clar`, here), "utf8");

// --- JavaScript to Clarity and back ---

const PRINCIPAL = /^S[A-Z0-9]{28,}(\.|$)/;

/** Integers to uint, addresses to principal, other text to ascii, null to none; a Clarity value stays what it is. */
export function clarity(value) {
  if (value === null) return Cl.none();
  if (typeof value.type === "string") return value;
  if (typeof value === "bigint" || typeof value === "number") return Cl.uint(value);
  if (typeof value === "string") return PRINCIPAL.test(value) ? Cl.principal(value) : Cl.stringAscii(value);
  if (value instanceof Uint8Array) return Cl.buffer(value);
  if (Array.isArray(value)) return Cl.list(value.map(clarity));
  return Cl.tuple(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, clarity(item)])));
}

/** The reverse; a response is {ok} or {err}, none is null, a buffer is hex. */
export function plain({ type, value }) {
  if (type === "uint" || type === "int") return BigInt(value);
  if (type === "true" || type === "false") return type === "true";
  if (type === "ok" || type === "err") return { [type]: plain(value) };
  if (type === "none") return null;
  if (type === "some") return plain(value);
  if (type === "list") return value.map(plain);
  if (type === "tuple") return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  return value;
}

/** An event as one flat object: a print's own fields with `from`, or a transfer's. */
function plainEvent({ event, data }) {
  if (event === "print_event") {
    const printed = plain(data.value);
    const from = data.contract_identifier.split(".")[1];
    return typeof printed === "object" ? { from, ...printed } : { from, printed };
  }
  const kind = { stx_transfer_event: "transfer", ft_transfer_event: "transfer", ft_mint_event: "mint" }[event];
  const token = event.startsWith("stx") ? "STX" : "sBTC";
  return { event: kind ?? event, token, sender: data.sender, recipient: data.recipient, amount: BigInt(data.amount) };
}

// --- accounts ---

let accounts = 0;

/** An address that nobody used before. */
export function newAddress() {
  const hash = createHash("sha256").update(`account ${++accounts}`).digest("hex").slice(0, 40);
  return stacks.addressToString(stacks.addressFromVersionHash(26, hash));
}

// --- worlds ---

/** The contracts deployed once, by an account of their own: all state of a test, apart from the burn height. */
class World {
  constructor(deployer) {
    this.admin = deployer;
    this.pool = `${deployer}.liquidity-pool`;
    this.accounts = new Set([this.pool]);
    for (const name of CONTRACTS) this.deploy(name, source(name));
  }

  deploy(name, text) {
    assert.equal(plain(vm.deployContract(name, text, CLARITY, this.admin).result), true);
    return `${this.admin}.${name}`;
  }

  /** One of tests/callers/, deployed beside the contracts under that name. */
  deployCaller(caller, name = caller) {
    return this.deploy(name, callerSource(caller));
  }

  /** {ok} or {err} with the events and costs; a runtime error is thrown as an Error. */
  call(sender, contract, method, ...args) {
    const name = `${this.admin}.${contract}`;
    try {
      const { result, events, costs } = vm.callPublicFn(name, method, args.map(clarity), sender);
      return { ...plain(result), events: events.map(plainEvent), costs: costs?.total };
    } catch (reason) {
      throw new Error(`${contract}.${method} broke off: ${String(reason).slice(0, 500)}`);
    }
  }

  /** Several calls in one block, as {sender, contract, method, args}. */
  block(...calls) {
    const list = calls.map(({ sender, contract, method, args }) => ({
      callPublicFn: { contract: `${this.admin}.${contract}`, method, args: args.map(clarity), sender },
    }));
    return vm.mineBlock(list).map(({ result, events }) => ({ ...plain(result), events: events.map(plainEvent) }));
  }

  read(contract, method, ...args) {
    return plain(vm.callReadOnlyFn(`${this.admin}.${contract}`, method, args.map(clarity), this.admin).result);
  }

  interface(contract) {
    return vm.getContractsInterfaces().get(`${this.admin}.${contract}`);
  }

  mint(token, recipient, amount) {
    if (token === "sBTC") return assert("ok" in this.call(this.admin, "sbtc-token", "mint", amount, recipient));
    const issuer = newAddress(); // the VM mints to standard principals only: a contract's name would break it
    vm.mintSTX(issuer, amount);
    return vm.transferSTX(amount, recipient, issuer);
  }

  /** An account that `facts` looks at, with as much of both tokens. */
  account(amount = 0n, address = newAddress()) {
    this.accounts.add(address);
    if (amount > 0n) for (const token of TOKENS) this.mint(token, address, amount);
    return address;
  }

  balance(token, who) {
    if (token === "sBTC") return this.read("sbtc-token", "get-balance", who).ok;
    return vm.getAssetsMap().get("STX")?.get(who) ?? 0n;
  }

  /** All that a refused call must leave as it was. */
  facts() {
    const pool = (method, ...args) => this.read("liquidity-pool", method, ...args);
    const purse = (who, token) => [who, token, this.balance(token, who), pool("get-provider", who, token)];
    const counter = this.read("policy-registry", "get-policy-counter");
    const ids = Array.from({ length: Math.min(50, Number(counter)) }, (_, index) => counter - BigInt(index));
    return {
      pools: TOKENS.map((token) => pool("get-pool", token)),
      accounts: [...this.accounts].flatMap((who) => TOKENS.map((token) => purse(who, token))),
      positions: pool("get-positions", ids),
      policies: this.read("policy-registry", "get-policies", ids),
      counter,
    };
  }

  /** Run `act`, whose call must answer that error and change nothing. */
  assertRefused(error, act) {
    const before = this.facts();
    const { ok, err, events } = act();
    assert.deepEqual({ ok, err, events }, { ok: undefined, err: error, events: [] });
    assert.deepEqual(this.facts(), before);
  }

  get height() {
    return BigInt(vm.burnBlockHeight);
  }

  mineBurnBlocks(count) {
    if (count > 0) vm.mineEmptyBurnBlocks(Number(count));
  }

  mineTo(height) {
    this.mineBurnBlocks(BigInt(height) - this.height);
  }
}

/** Fresh contracts. With an address of your own if the contracts must have a name known beforehand. */
export async function newWorld(deployer = newAddress()) {
  vm ??= await boot();
  return new World(deployer);
}
