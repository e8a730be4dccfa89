/** The JSON of the Hiro API: blocks, transactions (v3), events. Hashes there begin with 0x. */
import * as stacks from '@stacks/transactions';
import { reprOfHex } from './repr.mjs';

const { Cl, FungibleConditionCode, NonFungibleConditionCode, PostConditionPrincipalId, PostConditionType } = stacks;

/** What a block without microblocks is numbered with. */
export const NO_MICROBLOCK = 2147483647;

const NO_COST = { read_count: 0, read_length: 0, runtime: 0, write_count: 0, write_length: 0 };
const MODES = { 1: 'allow', 2: 'deny', 3: 'originator' };
const AMOUNT_CODES = {
  [FungibleConditionCode.Equal]: 'sent_equal_to',
  [FungibleConditionCode.Greater]: 'sent_greater_than',
  [FungibleConditionCode.GreaterEqual]: 'sent_greater_than_or_equal_to',
  [FungibleConditionCode.Less]: 'sent_less_than',
  [FungibleConditionCode.LessEqual]: 'sent_less_than_or_equal_to',
};
const TOKEN_CODES = {
  [NonFungibleConditionCode.Sends]: 'sent',
  [NonFungibleConditionCode.DoesNotSend]: 'not_sent',
  [NonFungibleConditionCode.MaybeSent]: 'maybe_sent',
};

export function blockJson(block) {
  return {
    canonical: true,
    height: block.height,
    hash: `0x${block.hash}`,
    block_time: block.time,
    block_time_iso: iso(block.time),
    tenure_height: block.tenureHeight,
    index_block_hash: `0x${block.indexHash}`,
    parent_block_hash: `0x${block.parentHash}`,
    parent_index_block_hash: `0x${block.parentIndexHash}`,
    burn_block_time: block.burnTime,
    burn_block_time_iso: iso(block.burnTime),
    burn_block_hash: `0x${block.burnHash}`,
    burn_block_height: block.burnHeight,
    miner_txid: `0x${block.burnHash}`,
    tx_count: block.transactions.length,
    execution_cost_read_count: 0,
    execution_cost_read_length: 0,
    execution_cost_runtime: 0,
    execution_cost_write_count: 0,
    execution_cost_write_length: 0,
  };
}

/** A mined transaction as lists have it. */
export function summaryJson(transaction) {
  const { block } = transaction;
  return {
    ...envelope(transaction),
    block: {
      height: block.height,
      hash: `0x${block.hash}`,
      index_hash: `0x${block.indexHash}`,
      time: block.time,
      tx_index: transaction.index,
    },
    bitcoin_block: { height: block.burnHeight, time: block.burnTime },
    status: transaction.status,
    ...payloadJson(transaction, []),
  };
}

/** A pending transaction as lists have it. */
export function pendingSummaryJson(transaction) {
  return {
    ...envelope(transaction),
    receipt_time: transaction.receivedAt,
    receipt_block_height: transaction.receivedHeight,
    status: transaction.status,
    ...payloadJson(transaction, []),
  };
}

/** One transaction, mined or pending.
 * @param {string[]} include of function_args, source_code, post_conditions, result */
export function transactionJson(transaction, include) {
  if (transaction.block === null) {
    return {
      ...pendingSummaryJson(transaction),
      replaced_by_tx_id: transaction.replacedBy === null ? null : `0x${transaction.replacedBy}`,
      ...conditionsJson(transaction, include),
      ...payloadJson(transaction, include),
    };
  }
  const { parentHash, parentIndexHash } = transaction.block;
  return {
    ...summaryJson(transaction),
    parent_block: { hash: `0x${parentHash}`, index_hash: `0x${parentIndexHash}` },
    event_count: transaction.events.length,
    execution_cost: NO_COST,
    vm_error: transaction.vmError,
    ...(include.includes('result') ? { result: valueJson(transaction.result) } : {}),
    ...conditionsJson(transaction, include),
    ...payloadJson(transaction, include),
  };
}

/** An event in the words of v3; `index` is its place in the transaction. */
export function eventJson({ event, data }, index) {
  const [, asset, type] = /^(print|stx|ft|nft)_(?:(\w+)_)?event$/.exec(event);
  if (asset === 'print') return { event_index: index, type: 'contract_log', contract_log: logJson(data) };
  const moved = { type, ...(asset === 'stx' ? {} : { asset_identifier: data.asset_identifier }) };
  if (data.sender !== undefined) moved.sender = data.sender;
  if (data.recipient !== undefined) moved.recipient = data.recipient;
  if (asset === 'nft') moved.value = valueJson(data.raw_value);
  else moved.amount = data.amount;
  if (event === 'stx_transfer_event') moved.memo = memoJson(data.memo);
  return { event_index: index, type: `${asset}_asset`, [`${asset}_asset`]: moved };
}

export function logJson(data) {
  return { contract_id: data.contract_identifier, topic: data.topic, value: valueJson(data.raw_value) };
}

export function valueJson(hex) {
  return { hex, repr: reprOfHex(hex) };
}

function envelope({ txid, sender, nonce, sponsor, fee }) {
  return {
    tx_id: `0x${txid}`,
    sender: { address: sender, nonce: Number(nonce) },
    sponsor: sponsor === null ? null : { address: sponsor.address, nonce: Number(sponsor.nonce) },
    fee_rate: String(fee),
  };
}

function payloadJson({ kind, payload, wire }, include) {
  const added = (name, value) => (include.includes(name) ? { [name]: value() } : {});
  switch (kind) {
    case 'token_transfer': {
      const { recipient, amount, memo } = payload;
      return { type: kind, token_transfer: { recipient, amount: String(amount), memo: memoJson(memo) } };
    }
    case 'contract_call': {
      const args = () => wire.payload.functionArgs.map((value) => valueJson(`0x${Cl.serialize(value)}`));
      const called = { contract_id: payload.contractId, function_name: payload.functionName };
      return { type: kind, contract_call: { ...called, ...added('function_args', args) } };
    }
    default: {
      const deployed = { clarity_version: payload.clarityVersion, contract_id: payload.contractId };
      const code = () => wire.payload.codeBody.content;
      return { type: kind, smart_contract: { ...deployed, ...added('source_code', code) } };
    }
  }
}

function memoJson(hex) {
  if (hex === '') return null;
  return { hex: `0x${hex}`, repr: Buffer.from(hex, 'hex').toString('utf8').replaceAll('\0', '') };
}

export function conditionsJson({ wire }, include) {
  if (!include.includes('post_conditions')) return {};
  return {
    post_condition_mode: MODES[wire.postConditionMode],
    post_conditions: wire.postConditions.values.map(conditionJson),
  };
}

function conditionJson(condition) {
  const principal = conditionPrincipalJson(condition.principal);
  switch (condition.conditionType) {
    case PostConditionType.STX:
      return { type: 'stx', principal, ...amountJson(condition) };
    case PostConditionType.Fungible:
      return { type: 'fungible', principal, ...amountJson(condition), asset: assetJson(condition.asset) };
    case PostConditionType.NonFungible:
      return {
        type: 'non_fungible',
        principal,
        condition_code: TOKEN_CODES[condition.conditionCode],
        asset: assetJson(condition.asset),
        asset_value: valueJson(`0x${Cl.serialize(condition.assetName)}`),
      };
    default:
      return { type: condition.conditionType === PostConditionType.PoX ? 'pox' : 'staking', principal };
  }
}

function conditionPrincipalJson({ prefix, address, contractName }) {
  if (prefix === PostConditionPrincipalId.Origin) return { type_id: 'principal_origin' };
  if (prefix === PostConditionPrincipalId.Standard) {
    return { type_id: 'principal_standard', address: stacks.addressToString(address) };
  }
  return {
    type_id: 'principal_contract',
    address: stacks.addressToString(address),
    contract_name: contractName.content,
  };
}

function amountJson({ conditionCode, amount }) {
  return { condition_code: AMOUNT_CODES[conditionCode], amount: String(amount) };
}

function assetJson({ address, contractName, assetName }) {
  return {
    asset_name: assetName.content,
    contract_address: stacks.addressToString(address),
    contract_name: contractName.content,
  };
}

export function iso(seconds) {
  return new Date(seconds * 1000).toISOString();
}
