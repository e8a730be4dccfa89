// stacks.js over JSON lines: what is described on a line of input is built, and answered with its bytes on a line.
// Every answer's `again` is what stacks.js makes of those bytes after reading them.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const stacks = createRequire(process.argv[2])("@stacks/transactions");

const value = (described) => {
  const bytes = stacks.serializeCV(described);
  return { bytes, again: stacks.serializeCV(stacks.deserializeCV(bytes)) };
};

const postCondition = (described) => {
  const bytes = stacks.postConditionToHex(described);
  return { bytes, again: stacks.serializePostConditionWire(stacks.deserializePostConditionWire(bytes)) };
};

const payload = (described) => {
  switch (described.type) {
    case "transfer":
      return stacks.createTokenTransferPayload(described.recipient, BigInt(described.amount), described.memo);
    case "call": {
      const [address, name] = described.contract.split(".");
      return stacks.createContractCallPayload(address, name, described.function, described.arguments);
    }
    case "deploy":
      return stacks.createSmartContractPayload(described.name, described.code, described.clarityVersion);
  }
};

const origin = ({ keys, hashMode, required, nonce, fee }) => {
  const publicKeys = keys.map(stacks.privateKeyToPublic);
  return required === null
    ? stacks.createSingleSigSpendingCondition(hashMode, publicKeys[0], BigInt(nonce), BigInt(fee))
    : stacks.createMultiSigSpendingCondition(hashMode, required, publicKeys, BigInt(nonce), BigInt(fee));
};

// The first `required` keys of several sign, the others are named.
const signOrigin = (unsigned, { keys, required }) => {
  const signer = new stacks.TransactionSigner(unsigned);
  keys.forEach((key, index) => {
    if (required === null || index < required) signer.signOrigin(key);
    else signer.appendOrigin(stacks.privateKeyToPublic(key));
  });
};

const sponsored = (transaction, sponsor) =>
  stacks.sponsorTransaction({
    transaction,
    sponsorPrivateKey: sponsor.key,
    sponsorNonce: BigInt(sponsor.nonce),
    fee: BigInt(sponsor.fee),
    sponsorAddressHashmode: sponsor.hashMode,
  });

const transaction = async (described) => {
  const condition = origin(described.origin);
  const unsigned = new stacks.StacksTransactionWire({
    transactionVersion: described.version,
    chainId: described.chainId,
    auth: described.sponsor ? stacks.createSponsoredAuth(condition) : stacks.createStandardAuth(condition),
    payload: payload(described.payload),
    postConditions: stacks.createLPList(described.postConditions.map(stacks.postConditionToWire)),
    postConditionMode: stacks.postConditionModeFrom(described.postConditionMode),
  });
  unsigned.anchorMode = described.anchorMode;
  signOrigin(unsigned, described.origin);
  const signed = described.sponsor ? await sponsored(unsigned, described.sponsor) : unsigned;
  const { spendingCondition, sponsorSpendingCondition } = signed.auth;
  const bytes = signed.serialize();
  return {
    bytes,
    again: stacks.deserializeTransaction(bytes).serialize(),
    txid: signed.txid(),
    signature: spendingCondition.signature?.data ?? null,
    sponsorSignature: sponsorSpendingCondition?.signature.data ?? null,
  };
};

const build = { value, postCondition, transaction };

for await (const line of createInterface({ input: process.stdin })) {
  const { kind, described } = JSON.parse(line);
  try {
    console.log(JSON.stringify(await build[kind](described)));
  } catch (error) {
    console.log(JSON.stringify({ refused: String(error) }));
  }
}
