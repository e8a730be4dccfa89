/** An account with a key, for tests: signs calls of the probe contract, deployments and transfers. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as stacks from '@stacks/transactions';

export const { Cl, Pc } = stacks;
export const PROBE_SOURCE = readFileSync(new URL('probe.clar', import.meta.url), 'utf8');
export const FEE = 2000n;
const DEPLOYMENT_FEE = 10_000n;
const CLARITY_VERSION = 3;

export class Account {
  nonce = 0n;

  /** @param {string} name any; the same name is the same account */
  constructor(name) {
    this.key = `${createHash('sha256').update(name).digest('hex')}01`;
    this.address = stacks.getAddressFromPrivateKey(this.key, 'testnet');
  }

  /** The next nonce is used up unless one is given in `changes`. */
  call(contractId, functionName, functionArgs, changes = {}) {
    const [contractAddress, contractName] = contractId.split('.');
    const call = { contractAddress, contractName, functionName, functionArgs };
    return stacks.makeContractCall({ ...this.#common(changes), postConditionMode: 'deny', ...call, ...changes });
  }

  deploy(contractName, codeBody, changes = {}) {
    const deployment = { contractName, codeBody, clarityVersion: CLARITY_VERSION, fee: DEPLOYMENT_FEE };
    return stacks.makeContractDeploy({ ...this.#common(changes), ...deployment, ...changes });
  }

  transfer(recipient, amount, changes = {}) {
    return stacks.makeSTXTokenTransfer({ ...this.#common(changes), recipient, amount, ...changes });
  }

  #common(changes) {
    const nonce = changes.nonce ?? this.nonce;
    if (changes.nonce === undefined) this.nonce += 1n;
    return { senderKey: this.key, network: 'testnet', nonce, fee: FEE };
  }
}

/** Starts with STX for everybody and the probe deployed, all in block 2. @returns the probe's contract id */
export async function furnish(devnet, deployer, ...accounts) {
  for (const { address } of [deployer, ...accounts]) await devnet.mint(address, 100_000_000);
  const [txid] = await devnet.submit(await deployer.deploy('probe', PROBE_SOURCE));
  await devnet.mine();
  const { status, vm_error: error } = await devnet.transaction(txid);
  if (status !== 'success') throw new Error(`the probe was not deployed: ${error}`);
  return `${deployer.address}.probe`;
}

/** Reads with a function of the probe. @returns the value as text, `(some u1)` */
export async function read(devnet, contractId, functionName, args = [], tip = null) {
  const [address, name] = contractId.split('.');
  const query = tip === null ? '' : `?tip=${tip}`;
  const body = { sender: address, arguments: args.map((value) => Cl.serialize(value)) };
  const answer = await devnet.post(`/v2/contracts/call-read/${address}/${name}/${functionName}${query}`, body);
  if (!answer.okay) throw new Error(answer.cause);
  return Cl.stringify(Cl.deserialize(answer.result));
}
