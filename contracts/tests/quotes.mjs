// Signed quotes, made as the backend makes them: SIP-018 over the terms, R‖S‖V.
import { createHash, randomBytes } from "node:crypto";
import { clarity, stacks, TESTNET } from "./vm.mjs";

const PREFIX = Buffer.from("SIP018");

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const consensus = (value) => Buffer.from(stacks.serializeCVBytes(clarity(value)));

/** A signer of quotes: 33-byte private key (compressed public key) and its address. */
export function newSigner(privateKey = stacks.randomPrivateKey()) {
  return { privateKey, address: stacks.privateKeyToAddress(privateKey, "testnet") };
}

/** A quote that may be bought now; `changes` names what is to be otherwise, terms by their own keys. */
export function newQuote(world, buyer, changes = {}) {
  const { token = "STX", "quote-id": quoteId = new Uint8Array(randomBytes(16)), premium = 10_100n, ...terms } = changes;
  return {
    token,
    buyer,
    premium,
    "quote-id": quoteId,
    terms: {
      "protected-value": 5_000_000_000_000n,
      "protected-amount": 10_000_000n,
      "expiration-height": world.height + 1_008n,
      "policy-type": "PUT",
      fee: 100n,
      collateral: 1_000_000n,
      "valid-until-height": world.height + 2n,
      ...terms,
    },
  };
}

export const domainOf = (chainId = TESTNET, name = "liquidity-pool", version = "1") => ({
  name,
  version,
  "chain-id": chainId,
});

/** The 32 bytes that are signed. */
export function quoteHash({ terms, ...quote }, pool, domain = domainOf()) {
  return sha256(PREFIX, sha256(consensus(domain)), sha256(consensus({ ...terms, ...quote, pool })));
}

/** R‖S‖V, 65 bytes. */
export function signature(hash, { privateKey }) {
  const rsv = stacks.signMessageHashRsv({ messageHash: hash.toString("hex"), privateKey });
  return Uint8Array.from(Buffer.from(rsv, "hex"));
}
