/** A signed transaction: its bytes, what they say, and what has become of it. */
import { createHash } from 'node:crypto';
import * as stacks from '@stacks/transactions';
import { requireAscii } from './values.mjs';

const { AddressVersion, AuthType, PayloadType } = stacks;

/** The bytes are no transaction; the sentence is the node's plain-text answer. */
export class Undecodable extends Error {}

export const TESTNET_VERSIONS = [AddressVersion.TestnetSingleSig, AddressVersion.TestnetMultiSig];

/** The kinds of the API by payload type; the others are never sent by a wallet. */
const KINDS = new Map([
  [PayloadType.TokenTransfer, 'token_transfer'],
  [PayloadType.ContractCall, 'contract_call'],
  [PayloadType.SmartContract, 'smart_contract'],
  [PayloadType.VersionedSmartContract, 'smart_contract'],
]);

const MEMO_BYTES = 34;

export class Transaction {
  /** Set by the chain: what happened, and where. */
  status = 'pending';
  block = null;
  index = null;
  result = null;
  vmError = null;
  events = [];
  replacedBy = null;
  receivedAt = null;
  receivedHeight = null;
  /** Minutes that it was made to wait, beside real ones. */
  age = 0;

  /** @throws Undecodable */
  constructor(raw) {
    const wire = decode(raw);
    const { auth } = wire;
    this.raw = raw;
    this.txid = createHash('sha512-256').update(raw).digest('hex');
    this.sender = addressOf(auth.spendingCondition);
    this.nonce = auth.spendingCondition.nonce;
    this.sponsor = sponsorOf(auth);
    this.fee = stacks.getFee(auth);
    this.kind = KINDS.get(wire.payload.payloadType) ?? null;
    this.payload = summary(wire.payload, this.sender, raw);
    /** A guarded transfer is invalid for every miner, for ever. */
    this.minable = this.kind !== 'token_transfer' || wire.postConditions.values.length === 0;
  }

  /** Everything the bytes say; decoded anew each time, since keeping it would take ten times the memory. */
  get wire() {
    return decode(this.raw);
  }

  /** Who pays the fee. */
  get payer() {
    return this.sponsor?.address ?? this.sender;
  }
}

function decode(raw) {
  try {
    const wire = stacks.deserializeTransaction(raw);
    // The library reads past the end and over the rest; a node does not.
    if (wire.serialize() !== raw.toString('hex')) throw new Error('the bytes are not those of what they say');
    (wire.payload.functionArgs ?? []).forEach(requireAscii);
    return wire;
  } catch (error) {
    throw new Undecodable(`Failed to deserialize posted transaction: ${error.message}`);
  }
}

/** The testnet address of a spending condition. */
function addressOf(condition) {
  const version = stacks.addressHashModeToVersion(condition.hashMode, 'testnet');
  return stacks.addressToString(stacks.addressFromVersionHash(version, condition.signer));
}

function sponsorOf(auth) {
  if (auth.authType !== AuthType.Sponsored) return null;
  return { address: addressOf(auth.sponsorSpendingCondition), nonce: auth.sponsorSpendingCondition.nonce };
}

/** The part of the payload that lists show, in the API's words. */
function summary(payload, sender, raw) {
  switch (KINDS.get(payload.payloadType)) {
    case 'token_transfer':
      return {
        recipient: payload.recipient.value,
        amount: payload.amount,
        memo: raw.subarray(raw.length - MEMO_BYTES).toString('hex'),
      };
    case 'contract_call':
      return {
        contractId: `${stacks.addressToString(payload.contractAddress)}.${payload.contractName.content}`,
        functionName: payload.functionName.content,
      };
    case 'smart_contract':
      return {
        contractId: `${sender}.${payload.contractName.content}`,
        clarityVersion: payload.clarityVersion ?? null,
      };
    default:
      return {};
  }
}
