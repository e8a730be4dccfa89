// The signed quote: its hash, its signature, and that no part of it can be changed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { domainOf, newQuote, newSigner, quoteHash, signature } from "./quotes.mjs";
import { MAX_UINT, newAddress, newWorld } from "./vm.mjs";

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n; // of secp256k1
const MAINNET = 1;

const vectorFile = new URL("../../tests/vectors/quote_vectors.json", import.meta.url);
const { private_key: vectorKey, signer: vectorSigner, vectors } = JSON.parse(readFileSync(vectorFile, "utf8"));
const vectorDeployer = vectors[0].pool.split(".")[0];
const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => Uint8Array.from(Buffer.from(text, "hex"));

/** A vector as a quote. */
function quoteOf(vector) {
  const amount = (name) => [name, BigInt(vector[name.replaceAll("-", "_")])];
  const heights = ["expiration-height", "valid-until-height"];
  const amounts = ["protected-value", "protected-amount", "fee", "collateral", ...heights];
  return {
    token: vector.token,
    buyer: vector.buyer,
    premium: BigInt(vector.premium),
    "quote-id": bytes(vector.quote_id),
    terms: { ...Object.fromEntries(amounts.map(amount)), "policy-type": "PUT" },
  };
}

const hashOf = (world, { buyer, token, "quote-id": id, premium, terms }) =>
  world.read("liquidity-pool", "get-quote-hash", buyer, token, id, premium, terms);

// One world alone may be deployed under the vectors' own name.
const vectorPool = await openPool({ deployer: vectorDeployer });

test("the published vectors are hashed and signed as they say", () => {
  for (const vector of vectors) {
    const quote = quoteOf(vector);
    const hash = quoteHash(quote, vector.pool);
    assert.equal(vectorPool.world.pool, vector.pool);
    assert.equal(hashOf(vectorPool.world, quote), vector.hash);
    assert.equal(hex(hash), vector.hash);
    assert.equal(hex(signature(hash, newSigner(vectorKey))), vector.signature_rsv);
  }
});

test("the first vector's signature buys a policy", () => {
  const { world } = vectorPool;
  const [vector] = vectors;
  vectorPool.order(world.admin, "liquidity-pool", "set-quote-signer", vectorSigner);
  world.account(10n ** 9n, vector.buyer);

  const { ok } = vectorPool.buy(quoteOf(vector), bytes(vector.signature_rsv));

  assert.equal(ok, 1n);
  assert.equal(world.read("liquidity-pool", "get-quote-policy", bytes(vector.quote_id)), 1n);
});

test("a quote is hashed alike here and in the contract, whatever is in it", async () => {
  const world = await newWorld();
  const shortened = { token: "sBTC", "quote-id": new Uint8Array() };
  const changes = [{}, shortened, { premium: MAX_UINT, fee: 0n }, { "policy-type": "" }];

  for (const buyer of [newAddress(), `${newAddress()}.wallet-1`]) {
    for (const change of changes) {
      const quote = newQuote(world, buyer, change);
      assert.equal(hashOf(world, quote), hex(quoteHash(quote, world.pool)));
    }
  }
});

test("no part of a signed quote can be changed", async () => {
  const pool = await openPool();
  const { world } = pool;
  const buyer = pool.buyer();
  const quote = newQuote(world, buyer);
  const signed = pool.sign(quote);
  const { terms } = quote;
  const refused = (changed) => world.assertRefused(203n, () => pool.buy({ ...quote, ...changed }, signed));

  for (const [name, value] of Object.entries(terms)) {
    for (const other of name === "policy-type" ? ["PUTT", "CALL"] : [value + 1n, value - 1n]) {
      refused({ terms: { ...terms, [name]: other } });
    }
  }
  refused({ premium: quote.premium - 1n });
  refused({ premium: quote.premium + 1n });
  refused({ "quote-id": newQuote(world, buyer)["quote-id"] });
  refused({ token: "sBTC" });
  refused({ buyer: pool.buyer() });
  assert.equal(pool.buy(quote, signed).ok, 1n);
});

test("a quote for another pool, chain, contract name or version is not signed", async () => {
  const pool = await openPool();
  const { world, signer } = pool;
  const quote = newQuote(world, pool.buyer());
  const signedFor = (at, domain) => signature(quoteHash(quote, at, domain), signer);

  const elsewhere = [
    signedFor(`${newAddress()}.liquidity-pool`),
    signedFor(world.admin),
    signedFor(world.pool, domainOf(MAINNET)),
    signedFor(world.pool, domainOf(undefined, "policy-registry")),
    signedFor(world.pool, domainOf(undefined, undefined, "2")),
  ];

  for (const signed of elsewhere) world.assertRefused(203n, () => pool.buy(quote, signed));
  assert.equal(pool.buy(quote, signedFor(world.pool, domainOf())).ok, 1n);
});

test("only R, S, V is a signature", async () => {
  const pool = await openPool();
  const { world } = pool;
  const quote = newQuote(world, pool.buyer());
  const signed = pool.sign(quote);
  const rs = signed.slice(0, 64);
  const v = signed[64];
  const withV = (value) => Uint8Array.from([...rs, value]);

  const forms = {
    "V, R, S": Uint8Array.from([v, ...rs]),
    "64 bytes": rs,
    "one byte": Uint8Array.from([v]),
    nothing: new Uint8Array(),
    zeros: new Uint8Array(65),
    "S of zero": Uint8Array.from([...rs.slice(0, 32), ...new Uint8Array(32), v]),
    "the other V": withV(v ^ 1),
    "V of an overflown R": withV(v + 2),
    "V = 4": withV(4),
    "V as in Bitcoin messages": withV(v + 27),
    "V = 255": withV(255),
    "another message's": pool.sign({ ...quote, premium: 1n }),
  };

  for (const signedOtherwise of Object.values(forms)) {
    world.assertRefused(203n, () => pool.buy(quote, signedOtherwise));
  }
  assert.equal(pool.buy(quote, signed).ok, 1n);
});

test("the twin of a signature, with S above the half, buys nothing twice", async () => {
  const pool = await openPool();
  const quote = newQuote(pool.world, pool.buyer());
  const signed = pool.sign(quote);
  const s = ORDER - BigInt(`0x${hex(signed.slice(32, 64))}`);
  const twin = Uint8Array.from([...signed.slice(0, 32), ...bytes(s.toString(16).padStart(64, "0")), signed[64] ^ 1]);

  assert.equal(pool.buy(quote, twin).ok, 1n);
  pool.world.assertRefused(205n, () => pool.buy(quote, signed));
});

test("nobody signs but the signer: not the admin, the backend, the buyer, nor the signer before", async () => {
  const pool = await openPool();
  const { world } = pool;
  const buyer = newSigner();
  world.account(10n ** 9n, buyer.address);
  const quote = newQuote(world, buyer.address);
  const before = pool.sign(quote);
  const [backend, successor] = [newSigner(), newSigner()];
  pool.order(world.admin, "policy-registry", "set-backend-principal", backend.address);
  pool.order(world.admin, "liquidity-pool", "set-quote-signer", successor.address);

  world.assertRefused(203n, () => pool.buy(quote, before));
  for (const other of [buyer, backend]) world.assertRefused(203n, () => pool.buy(quote, pool.sign(quote, other)));
  assert.equal(pool.buy(quote, pool.sign(quote, successor)).ok, 1n);
});

test("a quote is good until its last height and not above it", async () => {
  const pool = await openPool();
  const { world } = pool;
  const [atLast, tooLate] = [newQuote(world, pool.buyer()), newQuote(world, pool.buyer())];

  world.mineTo(atLast.terms["valid-until-height"]);
  assert.equal(pool.buy(atLast).ok, 1n);
  world.mineBurnBlocks(1);
  world.assertRefused(204n, () => pool.buy(tooLate));
});

test("a quote is used once, in whatever token and by whomever", async () => {
  const pool = await openPool();
  const { world } = pool;
  const { quote, id, owner } = pool.policy();
  const same = { "quote-id": quote["quote-id"] };
  const otherwise = [
    newQuote(world, owner, { ...same, premium: 20_000n }),
    newQuote(world, owner, { ...same, token: "sBTC" }),
    newQuote(world, pool.buyer(), same),
  ];

  for (const again of [quote, ...otherwise]) world.assertRefused(205n, () => pool.buy(again));
  pool.asBackend("settle-policy", id, 1n);
  world.assertRefused(205n, () => pool.buy(quote));
  assert.equal(world.read("liquidity-pool", "get-quote-policy", quote["quote-id"]), id);
});

test("a quote bought twice in one block is bought once", async () => {
  const pool = await openPool();
  const quote = newQuote(pool.world, pool.buyer());

  const [first, second] = pool.world.block(pool.purchase(quote), pool.purchase(quote));

  assert.deepEqual([first.ok, second.err, second.events], [1n, 205n, []]);
});

test("a quote that was refused for want of capital may be bought later", async () => {
  const pool = await openPool({ deposit: 1_000n });
  const { world } = pool;
  const quote = newQuote(world, pool.buyer(), { collateral: 1_001n });

  world.assertRefused(206n, () => pool.buy(quote));
  assert.equal(world.read("liquidity-pool", "get-quote-policy", quote["quote-id"]), null);
  pool.order(pool.provider, "liquidity-pool", "deposit", "STX", 1n);
  assert.equal(pool.buy(quote).ok, 1n);
});

test("a shorter quote id is an id of its own: sixteen bytes are the signer's to insist on", async () => {
  const pool = await openPool();
  const quote = newQuote(pool.world, pool.buyer(), { "quote-id": bytes("ab".repeat(15)) });
  const padded = { ...quote, "quote-id": bytes(`${"ab".repeat(15)}00`) };

  pool.world.assertRefused(203n, () => pool.buy(padded, pool.sign(quote)));
  assert.equal(pool.buy(quote).ok, 1n);
  assert.equal(pool.buy(padded).ok, 2n);
});
