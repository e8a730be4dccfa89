// stacks.js as a wallet: a challenge and a key on the command line, both signatures as one line of JSON.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";

const stacks = createRequire(process.argv[2])("@stacks/transactions");
const { message, structured, privateKey } = JSON.parse(process.argv[3]);

// wallets hash a text as @stacks/encryption does, which is no dependency of ours
const text = Buffer.from(message);
const length = text.length < 0xfd ? Buffer.from([text.length]) : Buffer.from([0xfd, text.length & 0xff, text.length >> 8]);
const hashed = Buffer.concat([Buffer.from("\x17Stacks Signed Message:\n"), length, text]);
const messageHash = createHash("sha256").update(hashed).digest("hex");

console.log(
  JSON.stringify({
    address: stacks.getAddressFromPrivateKey(privateKey, "testnet"),
    message: stacks.signMessageHashRsv({ messageHash, privateKey }),
    structured: stacks.signStructuredData({
      message: stacks.deserializeCV(structured.message_hex),
      domain: stacks.deserializeCV(structured.domain_hex),
      privateKey,
    }),
  }),
);
