// A pool open for business: its keys set, a provider in it, purchases with quotes that its signer signed.
import assert from "node:assert/strict";
import { newWorld, TOKENS } from "./vm.mjs";
import { newQuote, newSigner, quoteHash, signature } from "./quotes.mjs";

const PURSE = 10n ** 12n;

class OpenPool {
  constructor(world) {
    this.world = world;
    this.signer = newSigner();
    this.backend = world.account();
    this.treasury = world.account();
    this.provider = world.account(PURSE);
    this.order(world.admin, "policy-registry", "set-backend-principal", this.backend);
    this.order(world.admin, "liquidity-pool", "set-quote-signer", this.signer.address);
    this.order(world.admin, "liquidity-pool", "set-treasury", this.treasury);
  }

  /** A call that must succeed; its answer. */
  order(...call) {
    const { ok, err } = this.world.call(...call);
    assert.notEqual(ok, undefined, `${call.slice(1)} answered ${err}`);
    return ok;
  }

  asBackend(method, ...args) {
    return this.world.call(this.backend, "liquidity-pool", method, ...args);
  }

  of(token) {
    return this.world.read("liquidity-pool", "get-pool", token);
  }

  sign(quote, signer = this.signer) {
    return signature(quoteHash(quote, this.world.pool), signer);
  }

  buyer() {
    return this.world.account(PURSE);
  }

  /** The call that buys the quote, as {sender, contract, method, args}; rightly signed if no signature is given. */
  purchase(quote, signed = this.sign(quote)) {
    const method = quote.token === "STX" ? "buy-policy-stx" : "buy-policy-sbtc";
    const args = [quote["quote-id"], quote.premium, quote.terms, signed];
    return { sender: quote.buyer, contract: "liquidity-pool", method, args };
  }

  buy(quote, signed) {
    const { sender, contract, method, args } = this.purchase(quote, signed);
    return this.world.call(sender, contract, method, ...args);
  }

  /** A purchase that must succeed: {id, owner, quote, events}. */
  policy(changes = {}, owner = this.buyer()) {
    const quote = newQuote(this.world, owner, changes);
    const { ok: id, err, events } = this.buy(quote);
    assert.equal(err, undefined);
    return { id, owner, quote, events };
  }

  /** A policy of the provider against a stranger's contract, in the same registry. */
  foreignPolicy(expiration = this.world.height + 1n) {
    const counterparty = this.world.deployCaller("stranger");
    const terms = [this.provider, counterparty, 1n, 1n, expiration, "PUT"];
    return { id: this.order(this.provider, "stranger", "create-policy-entry", ...terms), owner: this.provider };
  }

  position({ id }) {
    return this.world.read("liquidity-pool", "get-position", id);
  }

  statusOf({ id }) {
    return this.world.read("policy-registry", "get-policy-data", id).status;
  }

  /** Let the policies' time run out. */
  outlive(...policies) {
    for (const { quote } of policies) this.world.mineTo(quote.terms["expiration-height"] + 1n);
  }
}

/** A fresh world with a pool that holds as much of both tokens. */
export async function openPool({ deposit = 100_000_000n, deployer } = {}) {
  const pool = new OpenPool(await newWorld(deployer));
  for (const token of TOKENS) pool.order(pool.provider, "liquidity-pool", "deposit", token, deposit);
  return pool;
}
