/** What a node asks of a transaction before it lets it into its mempool, in its order and with its words. */
import * as stacks from '@stacks/transactions';
import { checkArguments } from './arguments.mjs';
import { verifySignatures } from './signature.mjs';
import { TESTNET_VERSIONS } from './transaction.mjs';

export const TESTNET_CHAIN_ID = 0x80000000;
const TESTNET_VERSION = 0x80;
const MICRO_STX_PER_BYTE = 1n;
/** An account may have this many nonces beyond its next one in the mempool. */
const CHAINING = 26n;
const ORIGINATOR_MODE_SINCE = 3.4;
const STAKING_CONDITIONS_SINCE = 4.0;

/** Refused; `reason` and `data` are the node's reason and reason_data. */
export class Rejected extends Error {
  constructor(reason, data = null) {
    super(reason);
    this.reason = reason;
    this.data = data;
  }
}

/**
 * What admission knows of the chain at its tip.
 * @typedef {{
 *   epoch: string,
 *   nextNonce: (principal: string) => bigint,
 *   stxBalance: (principal: string) => bigint,
 *   contract: (contractId: string) => object | undefined,
 *   conflicts: (transaction: object) => object[],
 * }} View
 */

/**
 * @returns the pending transactions that this one replaces
 * @throws Rejected
 */
export function admit(transaction, /** @type {View} */ view) {
  const { wire } = transaction;
  checkVersion(wire);
  checkSignature(wire, view);
  checkFee(transaction);
  checkEpoch(wire, view);
  checkNonces(transaction, view);
  checkCanPay(transaction.payer, transaction.fee, view);
  checkPayload(transaction, wire.payload, view);
  return replaced(transaction, view);
}

function checkVersion(wire) {
  if (wire.transactionVersion !== TESTNET_VERSION) throw new Rejected('BadTransactionVersion');
}

function checkSignature(wire, { epoch }) {
  const invalid = (message) => new Rejected('SignatureValidation', { message });
  if (wire.postConditionMode === stacks.PostConditionMode.Originator && Number(epoch) < ORIGINATOR_MODE_SINCE) {
    throw invalid('Originator mode is not supported in this epoch');
  }
  try {
    verifySignatures(wire);
  } catch (error) {
    throw invalid(error.message);
  }
  if (wire.chainId !== TESTNET_CHAIN_ID) throw invalid(`Invalid chain ID ${wire.chainId}`);
}

function checkFee({ fee, raw }) {
  const least = BigInt(raw.length) * MICRO_STX_PER_BYTE;
  if (fee < least) throw new Rejected('FeeTooLow', { expected: Number(least), actual: Number(fee) });
}

function checkEpoch(wire, { epoch }) {
  const { Staking, PoX } = stacks.PostConditionType;
  const isStaking = ({ conditionType }) => [Staking, PoX].includes(conditionType);
  if (Number(epoch) < STAKING_CONDITIONS_SINCE && wire.postConditions.values.some(isStaking)) {
    throw new Rejected('ServerFailureOther', { message: 'Transaction is not supported in this epoch' });
  }
}

function checkNonces({ sender, nonce, sponsor }, view) {
  checkNonce(sender, nonce, true, view);
  if (sponsor !== null) checkNonce(sponsor.address, sponsor.nonce, false, view);
}

function checkNonce(principal, actual, isOrigin, { nextNonce }) {
  const next = nextNonce(principal);
  const data = (expected) => ({
    expected: Number(expected),
    actual: Number(actual),
    principal,
    is_origin: isOrigin,
  });
  if (actual < next) throw new Rejected('BadNonce', data(next));
  if (actual > next + CHAINING) {
    const message = 'Nonce would exceed chaining limit in mempool';
    throw new Rejected('TooMuchChaining', { message, ...data(next + CHAINING) });
  }
}

function checkCanPay(principal, amount, { stxBalance }) {
  const balance = stxBalance(principal);
  if (balance < amount) throw new Rejected('NotEnoughFunds', { expected: hex128(amount), actual: hex128(balance) });
}

function checkPayload(transaction, payload, view) {
  switch (transaction.kind) {
    case 'token_transfer':
      return checkTransfer(transaction, view);
    case 'contract_call':
      return checkCall(transaction.payload, payload, view);
    case 'smart_contract':
      return checkDeployment(transaction.payload, view);
    default:
      return refuseMinersPayload(payload);
  }
}

function checkTransfer({ sender, payer, fee, payload: { recipient, amount } }, view) {
  checkAddressVersion(recipient);
  if (recipient === sender) throw new Rejected('TransferRecipientCannotEqualSender', { recipient });
  if (amount < 1n) throw new Rejected('TransferAmountMustBePositive');
  checkCanPay(sender, amount + (payer === sender ? fee : 0n), view);
}

function checkCall({ contractId, functionName }, payload, { contract }) {
  checkAddressVersion(contractId);
  const contractInterface = contract(contractId);
  if (contractInterface === undefined) throw new Rejected('NoSuchContract');
  const isCalled = ({ name, access }) => name === functionName && access === 'public';
  if (!contractInterface.functions.some(isCalled)) throw new Rejected('NoSuchPublicFunction');
  try {
    checkArguments(contractInterface, functionName, payload.functionArgs);
  } catch (error) {
    throw new Rejected('BadFunctionArgument', { message: error.message });
  }
}

function checkDeployment({ contractId }, { contract }) {
  if (contract(contractId) !== undefined) {
    throw new Rejected('ContractAlreadyExists', { contract_identifier: contractId });
  }
}

function refuseMinersPayload({ payloadType }) {
  if (payloadType === stacks.PayloadType.TenureChange) throw new Rejected('NoTenureChangeViaMempool');
  if (payloadType === stacks.PayloadType.PoisonMicroblock) throw new Rejected('PoisonMicroblocksDoNotConflict');
  throw new Rejected('NoCoinbaseViaMempool');
}

function checkAddressVersion(principal) {
  const { version } = stacks.createAddress(principal.split('.')[0]);
  if (!TESTNET_VERSIONS.includes(version)) throw new Rejected('BadAddressVersionByte');
}

/** A strictly higher fee takes the place of everything that holds one of the same nonces. */
function replaced(transaction, { conflicts }) {
  const others = conflicts(transaction);
  if (others.some(({ fee }) => transaction.fee <= fee)) throw new Rejected('ConflictingNonceInMempool');
  return others;
}

function hex128(amount) {
  return `0x${amount.toString(16).padStart(32, '0')}`;
}
