/** The JSON of the Hiro API's v1: blocks with their txids, transactions in one flat object with their events. */
import * as stacks from '@stacks/transactions';
import { NO_MICROBLOCK, conditionsJson, iso, logJson, valueJson } from './shapes.mjs';

const { Cl } = stacks;

const ASSETS = { stx: 'stx_asset', ft: 'fungible_token_asset', nft: 'non_fungible_token_asset' };
const NO_COSTS = {
  execution_cost_read_count: 0,
  execution_cost_read_length: 0,
  execution_cost_runtime: 0,
  execution_cost_write_count: 0,
  execution_cost_write_length: 0,
};

/** Its parent by block hash alone: v1 has no index block hash but the block's own. */
export function blockJson(block) {
  return {
    canonical: true,
    height: block.height,
    hash: `0x${block.hash}`,
    block_time: block.time,
    block_time_iso: iso(block.time),
    index_block_hash: `0x${block.indexHash}`,
    parent_block_hash: `0x${block.parentHash}`,
    burn_block_time: block.burnTime,
    burn_block_time_iso: iso(block.burnTime),
    burn_block_hash: `0x${block.burnHash}`,
    burn_block_height: block.burnHeight,
    miner_txid: `0x${block.burnHash}`,
    txs: block.transactions.map(({ txid }) => `0x${txid}`),
    parent_microblock_hash: '',
    parent_microblock_sequence: -1,
    microblocks_accepted: [],
    microblocks_streamed: [],
    microblock_tx_count: {},
    ...NO_COSTS,
  };
}

/**
 * A transaction that is mined, pending or dropped.
 * @param {{contract: (id: string) => object, events: object[]}} beside contracts' interfaces; which events to show
 */
export function transactionJson(transaction, { contract, events }) {
  const { block } = transaction;
  const place = block === null ? pendingJson(transaction) : minedJson(transaction, events);
  return { ...envelope(transaction), ...place, ...payloadJson(transaction, contract) };
}

/** An event as v1 lists it, of a contract or of a transaction. */
export function eventJson({ transaction: { txid }, eventIndex, event, data }) {
  const of = { event_index: eventIndex, tx_id: `0x${txid}` };
  const [, asset, type] = /^(print|stx|ft|nft)_(?:(\w+)_)?event$/.exec(event);
  if (asset === 'print') return { ...of, event_type: 'smart_contract_log', contract_log: logJson(data) };
  const moved = { asset_event_type: type, sender: data.sender ?? '', recipient: data.recipient ?? '' };
  if (asset !== 'stx') moved.asset_id = data.asset_identifier;
  if (asset === 'nft') moved.value = valueJson(data.raw_value);
  else moved.amount = data.amount;
  if (event === 'stx_transfer_event' && /[^0]/.test(data.memo)) moved.memo = `0x${data.memo}`;
  return { ...of, event_type: ASSETS[asset], asset: moved };
}

function envelope(transaction) {
  const { txid, sender, nonce, sponsor, fee, status } = transaction;
  const sponsored = { sponsor_address: sponsor?.address, sponsor_nonce: sponsor && Number(sponsor.nonce) };
  return {
    tx_id: `0x${txid}`,
    nonce: Number(nonce),
    fee_rate: String(fee),
    sender_address: sender,
    sponsored: sponsor !== null,
    ...(sponsor === null ? {} : sponsored),
    ...conditionsJson(transaction, ['post_conditions']),
    anchor_mode: 'any',
    tx_status: status,
  };
}

function pendingJson({ receivedAt, replacedBy }) {
  return {
    receipt_time: receivedAt,
    receipt_time_iso: iso(receivedAt),
    replaced_by_tx_id: replacedBy === null ? null : `0x${replacedBy}`,
  };
}

function minedJson({ block, index, result, events: all, vmError }, events) {
  return {
    block_hash: `0x${block.hash}`,
    block_height: block.height,
    block_time: block.time,
    block_time_iso: iso(block.time),
    burn_block_time: block.burnTime,
    burn_block_time_iso: iso(block.burnTime),
    burn_block_height: block.burnHeight,
    parent_burn_block_time: block.burnTime,
    parent_burn_block_time_iso: iso(block.burnTime),
    parent_block_hash: `0x${block.parentHash}`,
    canonical: true,
    tx_index: index,
    tx_result: valueJson(result),
    event_count: all.length,
    is_unanchored: false,
    microblock_hash: '',
    microblock_sequence: NO_MICROBLOCK,
    microblock_canonical: true,
    vm_error: vmError,
    events: events.map(eventJson),
    ...NO_COSTS,
  };
}

function payloadJson({ kind, payload, wire }, contract) {
  switch (kind) {
    case 'token_transfer': {
      const { recipient, amount, memo } = payload;
      const transfer = { recipient_address: recipient, amount: String(amount), memo: `0x${memo}` };
      return { tx_type: kind, token_transfer: transfer };
    }
    case 'contract_call': {
      const { contractId, functionName } = payload;
      const known = contract(contractId)?.functions.find(({ name }) => name === functionName);
      const args = wire.payload.functionArgs.map((value, place) => ({
        ...valueJson(`0x${Cl.serialize(value)}`),
        name: known?.args[place]?.name ?? '',
        type: known === undefined ? '' : stacks.getTypeString(known.args[place].type),
      }));
      const signature = known === undefined ? '' : stacks.abiFunctionToString(known);
      const called = { contract_id: contractId, function_name: functionName, function_signature: signature };
      return { tx_type: kind, contract_call: { ...called, function_args: args } };
    }
    default: {
      const { clarityVersion, contractId } = payload;
      const code = wire.payload.codeBody.content;
      return {
        tx_type: kind,
        smart_contract: { clarity_version: clarityVersion, contract_id: contractId, source_code: code },
      };
    }
  }
}
