/** The endpoints of a Stacks node. Hashes there have no 0x. */
import { createHash } from 'node:crypto';
import * as stacks from '@stacks/transactions';
import { Rejected, TESTNET_CHAIN_ID } from './admission.mjs';
import { checkArguments } from './arguments.mjs';
import { HttpError, json, parseJson, text } from './http.mjs';
import { Undecodable } from './transaction.mjs';
import { decodeValue } from './values.mjs';

const MICRO_STX_PER_BYTE = 1;
/** Cheap, usual and hurried, as multiples of the least fee. */
const FEE_LEVELS = [1, 2, 5];
const PEER_VERSION = 402653196;
const BITCOIN_REGTEST = 3669344250;

/** @param faults says whether the node is to call itself unsynced */
export function addNodeApi(router, chain, faults) {
  router.on('POST', '/v2/transactions', (request) => broadcast(chain, request));
  router.on('GET', '/v2/info', () => json(200, { ...info(chain), is_fully_synced: !faults.unsynced }));
  router.on('GET', '/v2/accounts/:principal', ({ params }) => json(200, account(chain, params.principal)));
  router.on('GET', '/v2/fees/transfer', () => json(200, MICRO_STX_PER_BYTE));
  router.on('POST', '/v2/fees/transaction', ({ body }) => feeEstimate(chain, parseJson(body)));
  router.on('POST', '/v2/contracts/call-read/:address/:name/:function', (request) => callRead(chain, request));
  router.on('GET', '/v2/contracts/interface/:address/:name', ({ params: { address, name } }) =>
    interfaceOf(chain, `${address}.${name}`),
  );
  router.on('GET', '/v2/contracts/source/:address/:name', ({ params: { address, name } }) =>
    sourceOf(chain, `${address}.${name}`),
  );
}

function broadcast(chain, { headers, body }) {
  const raw = rawTransaction(headers['content-type'] ?? '', body);
  try {
    return json(200, chain.submit(raw));
  } catch (error) {
    if (error instanceof Undecodable) return text(400, error.message);
    if (error instanceof Rejected) return json(400, rejection(raw, error));
    throw error;
  }
}

function rawTransaction(type, body) {
  if (type.startsWith('application/octet-stream')) return body;
  if (!type.startsWith('application/json')) {
    throw new HttpError(400, 'Wrong content type: expected application/octet-stream or application/json');
  }
  const { tx } = parseJson(body);
  if (typeof tx !== 'string' || !/^(0x)?([0-9a-f]{2})+$/i.test(tx)) {
    throw new HttpError(400, 'Failed to parse body: "tx" must be a transaction in hex');
  }
  return Buffer.from(tx.replace(/^0x/, ''), 'hex');
}

function rejection(raw, { reason, data }) {
  const txid = createHash('sha512-256').update(raw).digest('hex');
  const refused = { txid, error: 'transaction rejected', reason };
  return data === null ? refused : { ...refused, reason_data: data };
}

function info({ tip, burnAhead }) {
  return {
    peer_version: PEER_VERSION,
    pox_consensus: tip.burnHash.slice(0, 40),
    burn_block_height: tip.burnHeight + burnAhead,
    stable_pox_consensus: tip.burnHash.slice(0, 40),
    stable_burn_block_height: Math.max(0, tip.burnHeight - 1),
    server_version: 'stacks-node devnet (clarinet-sdk 3.21.0)',
    network_id: TESTNET_CHAIN_ID,
    parent_network_id: BITCOIN_REGTEST,
    stacks_tip_height: tip.height,
    stacks_tip: tip.hash,
    stacks_tip_consensus_hash: tip.burnHash.slice(0, 40),
    genesis_chainstate_hash: '00'.repeat(32),
    unanchored_tip: null,
    unanchored_seq: null,
    tenure_height: tip.tenureHeight,
    exit_at_block_height: null,
    node_public_key: null,
    node_public_key_hash: null,
    last_pox_anchor: null,
    stackerdbs: [],
  };
}

function account(chain, principal) {
  if (!isPrincipal(principal)) throw new HttpError(404, `not a principal: ${principal}`);
  return {
    balance: hex128(chain.stxBalance(principal)),
    locked: hex128(0n),
    unlock_height: 0,
    nonce: Number(chain.nextNonce(principal)),
  };
}

function feeEstimate(chain, { transaction_payload: hex, estimated_len: length }) {
  const payload = payloadOf(hex);
  const size = Math.max(Number(length ?? 0), hex.replace(/^0x/, '').length / 2);
  if (isCallOfUnknown(chain, payload)) {
    return json(400, {
      error: 'Estimation could not be performed',
      reason: 'NoEstimateAvailable',
      reason_data: { message: 'No estimate available for the provided payload.' },
    });
  }
  return json(200, {
    estimated_cost: { runtime: 0, read_count: 0, read_length: 0, write_count: 0, write_length: 0 },
    estimated_cost_scalar: size,
    cost_scalar_change_by_byte: 1,
    estimations: FEE_LEVELS.map((level) => ({
      fee: size * MICRO_STX_PER_BYTE * level,
      fee_rate: MICRO_STX_PER_BYTE * level,
    })),
  });
}

function payloadOf(hex) {
  try {
    return stacks.deserializePayload(new stacks.BytesReader(Buffer.from(hex.replace(/^0x/, ''), 'hex')));
  } catch (error) {
    throw new HttpError(400, `Failed to decode transaction_payload: ${error.message}`);
  }
}

function isCallOfUnknown(chain, payload) {
  if (payload.payloadType !== stacks.PayloadType.ContractCall) return false;
  const contractId = `${stacks.addressToString(payload.contractAddress)}.${payload.contractName.content}`;
  return chain.contract(contractId) === undefined;
}

/** Reads at the tip, or with `tip` at that block; public functions are refused, also those that write nothing. */
function callRead(chain, { params, query, body }) {
  const { sender, arguments: args } = parseJson(body);
  if (typeof sender !== 'string' || !isPrincipal(sender) || !Array.isArray(args)) {
    throw new HttpError(400, 'Failed to parse JSON body: "sender" and "arguments" are needed');
  }
  const tip = query.get('tip');
  const indexHash = tip === null || tip === 'latest' ? null : tip.toLowerCase().replace(/^0x/, '');
  const contractId = `${params.address}.${params.name}`;
  const answer = chain.readAt(indexHash, (vm, contracts) =>
    readJson(vm, contracts.get(contractId), { contractId, functionName: params.function, sender, args }),
  );
  if (answer === undefined) throw new HttpError(404, `unknown tip: ${tip}`);
  return json(200, answer);
}

function readJson(vm, contractInterface, { contractId, functionName, sender, args }) {
  const refused = (cause) => ({ okay: false, cause });
  if (contractInterface === undefined) return refused(`Unchecked(NoSuchContract("${contractId}"))`);
  const called = contractInterface.functions.find(({ name }) => name === functionName);
  if (called === undefined || called.access === 'private') {
    return refused(`Unchecked(UndefinedFunction("${functionName}"))`);
  }
  if (called.access !== 'read_only') return refused('NotReadOnly');
  const values = args.map(argument);
  try {
    checkArguments(contractInterface, functionName, values);
    const bytes = values.map((value) => stacks.serializeCVBytes(value));
    return { okay: true, result: vm.callReadOnly(contractId, functionName, bytes, sender.split('.')[0]) };
  } catch (error) {
    return refused(error.message);
  }
}

function argument(hex) {
  try {
    return decodeValue(hex);
  } catch (error) {
    throw new HttpError(400, `Failed to decode an argument: ${error.message}`);
  }
}

function interfaceOf(chain, contractId) {
  const found = chain.contract(contractId);
  return found === undefined ? text(404, 'No contract interface data found') : json(200, found);
}

function sourceOf(chain, contractId) {
  if (chain.contract(contractId) === undefined) return text(404, 'No contract source data found');
  const source = chain.readAt(null, (vm) => vm.contractSource(contractId));
  return json(200, { source, publish_height: 0, marf_proof: null });
}

function isPrincipal(principal) {
  const [address, name, ...rest] = principal.split('.');
  const hasGoodName = name === undefined || /^[a-zA-Z][a-zA-Z0-9_-]{0,39}$/.test(name);
  return stacks.validateStacksAddress(address) && hasGoodName && rest.length === 0;
}

function hex128(amount) {
  return `0x${amount.toString(16).padStart(32, '0')}`;
}
