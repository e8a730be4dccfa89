/** Whether a transaction is signed by whom it names, the way a node's mempool asks it. */
import * as stacks from '@stacks/transactions';

const { AuthType } = stacks;

/** The order of secp256k1, halved: a larger S has a smaller twin, and nodes take only that. */
const HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0n;
const S_FROM_HEX_DIGIT = 66;

/** @throws Error with the reason */
export function verifySignatures(wire) {
  const { auth } = wire;
  requireLowS(auth.spendingCondition);
  const signedByOrigin = wire.verifyOrigin();
  if (auth.authType !== AuthType.Sponsored) return;
  requireLowS(auth.sponsorSpendingCondition);
  verifySponsor(auth.sponsorSpendingCondition, signedByOrigin);
}

function requireLowS(condition) {
  if (signaturesOf(condition).some((vrs) => BigInt(`0x${vrs.slice(S_FROM_HEX_DIGIT)}`) > HALF_ORDER)) {
    throw new Error('Signature is not in low-S form');
  }
}

function signaturesOf(condition) {
  if (stacks.isSingleSig(condition)) return [condition.signature.data];
  return condition.fields
    .filter((field) => field.contents.type === stacks.StacksWireType.MessageSignature)
    .map((field) => field.contents.data);
}

function verifySponsor(condition, signedByOrigin) {
  if (!stacks.isSingleSig(condition)) throw new Error('A sponsor with several keys is not supported by this devnet');
  const { fee, nonce, keyEncoding, signature, hashMode, signer } = condition;
  const sponsored = AuthType.Sponsored;
  const { pubKey } = stacks.nextVerification(signedByOrigin, sponsored, fee, nonce, keyEncoding, signature.data);
  const { hash160 } = stacks.addressFromPublicKeys(0, hashMode, 1, [pubKey]);
  if (hash160 !== signer) throw new Error(`Signer hash does not equal hash of public key: ${hash160} != ${signer}`);
}
