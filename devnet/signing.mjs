/**
 * Transactions of a wallet: built and signed from what a program prepared for the wallet's owner.
 *
 * A payload is the parameters of `stx_callContract` (contract, functionName, functionArgs, postConditions,
 * postConditionMode), `stx_deployContract` (name, clarityCode, clarityVersion) or `stx_transferStx` (recipient, amount,
 * memo); with network, and optionally address, fee, nonce.
 */
import * as stacks from '@stacks/transactions';

const USUAL_FEE = 3000n;
const MODES = { allow: 1, deny: 2, originator: 3 };
const CLARITY_VERSION = 3;

/** A payload that no transaction can be made of, or that is for somebody else. */
export class BadPayload extends Error {}

const BUILDERS = {
  call: async (payload, common) => {
    const [contractAddress, contractName] = payload.contract.split('.');
    return stacks.makeContractCall({
      ...common,
      contractAddress,
      contractName,
      functionName: payload.functionName,
      functionArgs: (payload.functionArgs ?? []).map((hex) => stacks.Cl.deserialize(hex)),
      ...conditions(payload),
    });
  },
  deploy: async (payload, common) =>
    stacks.makeContractDeploy({
      ...common,
      contractName: payload.name,
      codeBody: payload.clarityCode,
      clarityVersion: Number(payload.clarityVersion ?? CLARITY_VERSION),
      ...conditions(payload),
    }),
  transfer: async (payload, common) =>
    stacks.makeSTXTokenTransfer({
      ...common,
      recipient: payload.recipient,
      amount: BigInt(payload.amount),
      memo: payload.memo ?? '',
    }),
};

export const COMMANDS = Object.keys(BUILDERS);

/**
 * @param {'call' | 'deploy' | 'transfer'} command
 * @param {{key: string, nextNonce: (address: string) => Promise<bigint> | bigint}} account asked where the payload does
 *   not say the nonce
 * @returns the signed transaction
 * @throws BadPayload, or whatever `nextNonce` throws
 */
export async function signed(command, payload, { key, nextNonce }) {
  const network = payload.network ?? 'testnet';
  const address = stacks.getAddressFromPrivateKey(key, network);
  if (payload.address !== undefined && payload.address !== address) {
    throw new BadPayload(`the payload is for ${payload.address}, this wallet is ${address}`);
  }
  const nonce = payload.nonce === undefined ? await nextNonce(address) : BigInt(payload.nonce);
  const common = { senderKey: key, network, nonce, sponsored: payload.sponsored === true };
  const build = (fee) =>
    BUILDERS[command](payload, { ...common, fee }).catch((error) => {
      throw new BadPayload(`cannot build the transaction: ${error.message}`);
    });
  if (payload.fee !== undefined) return build(BigInt(payload.fee));
  const size = BigInt((await build(USUAL_FEE)).serialize().length / 2);
  return build(size > USUAL_FEE ? size : USUAL_FEE);
}

function conditions({ postConditions = [], postConditionMode = 'deny' }) {
  return { postConditions, postConditionMode: MODES[postConditionMode] };
}
