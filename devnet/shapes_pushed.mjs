/** The JSON that a node posts to its observers, and a chainhook to its consumer. */

/** `/new_block`: all that came of a block. */
export function newBlockJson(block) {
  return {
    block_hash: `0x${block.hash}`,
    block_height: block.height,
    block_time: block.time,
    index_block_hash: `0x${block.indexHash}`,
    parent_block_hash: `0x${block.parentHash}`,
    parent_index_block_hash: `0x${block.parentIndexHash}`,
    burn_block_hash: `0x${block.burnHash}`,
    burn_block_height: block.burnHeight,
    burn_block_time: block.burnTime,
    consensus_hash: `0x${block.burnHash.slice(0, 40)}`,
    tenure_height: block.tenureHeight,
    miner_txid: `0x${block.burnHash}`,
    transactions: block.transactions.map(transactionJson),
    events: block.transactions.flatMap(eventsJson),
    matured_miner_rewards: [],
  };
}

export function newBurnBlockJson(block) {
  return {
    burn_block_hash: `0x${block.burnHash}`,
    burn_block_height: block.burnHeight,
    burn_block_time: block.burnTime,
    reward_recipients: [],
    reward_slot_holders: [],
    burn_amount: 0,
  };
}

/** @param {{apply: object[], rollback: object[]}} said hooked blocks, those taken back newest first */
export function chainhookV1({ apply, rollback }) {
  return {
    apply,
    rollback,
    events: [],
    chainhook: { uuid: 'devnet', predicate: {}, is_streaming_blocks: true },
  };
}

export function chainhookV2({ apply, rollback }) {
  return {
    event: { apply, rollback, chain: 'stacks', network: 'testnet' },
    chainhook: { name: 'devnet', uuid: 'devnet' },
  };
}

/** A block as a hook of the first version sees it. */
export function hookedBlockV1(block, contract) {
  return hookedJson(block, contract, hookedV1);
}

/** A block as a hook of the second version sees it. */
export function hookedBlockV2(block, contract) {
  return hookedJson(block, contract, hookedV2);
}

function transactionJson({ txid, index, status, result, raw }) {
  return {
    txid: `0x${txid}`,
    tx_index: index,
    status,
    raw_result: result,
    raw_tx: `0x${Buffer.from(raw).toString('hex')}`,
    burnchain_op: null,
    contract_interface: null,
    vm_error: null,
  };
}

function eventsJson({ txid, events }) {
  return events.map(({ event, data }, index) => {
    const type = event === 'print_event' ? 'contract_event' : event;
    return { txid: `0x${txid}`, event_index: index, committed: true, type, [type]: data };
  });
}

/** A hook sees only the transactions that its contract printed in. */
function hookedJson(block, contract, transactionOf) {
  const isHooked = ({ events }) => contract === null || events.some((each) => isLogOf(each, contract));
  return {
    block_identifier: { hash: `0x${block.indexHash}`, index: block.height },
    parent_block_identifier: { hash: `0x${block.parentIndexHash}`, index: block.height - 1 },
    timestamp: block.time,
    transactions: block.transactions.filter(isHooked).map(transactionOf),
    metadata: {
      bitcoin_anchor_block_identifier: { hash: `0x${block.burnHash}`, index: block.burnHeight },
      tenure_height: block.tenureHeight,
    },
  };
}

function isLogOf({ event, data }, contract) {
  return event === 'print_event' && data.contract_identifier === contract;
}

function hookedV1({ txid, nonce, fee, sender, status, result, events }) {
  return {
    transaction_identifier: { hash: `0x${txid}` },
    operations: [],
    metadata: {
      success: status === 'success',
      result,
      sender,
      nonce: Number(nonce),
      fee: Number(fee),
      receipt: {
        events: logs(events).map(({ data, index }) => ({
          type: 'SmartContractEvent',
          position: { index },
          data: { contract_identifier: data.contract_identifier, topic: data.topic, raw_value: data.raw_value },
        })),
      },
    },
  };
}

function hookedV2({ txid, index, nonce, fee, sender, status, result, events }) {
  return {
    transaction_identifier: { hash: `0x${txid}` },
    metadata: {
      type: 'contract_call',
      status,
      result: { hex: result },
      nonce: Number(nonce),
      fee_rate: String(fee),
      position: { index },
      sender_address: sender,
      sponsor_address: null,
      canonical: true,
    },
    operations: logs(events).map(({ data, index: place }) => ({
      type: 'contract_log',
      operation_identifier: { index: place },
      metadata: { contract_identifier: data.contract_identifier, topic: data.topic, value: data.raw_value },
    })),
  };
}

function logs(events) {
  return events.map(({ event, data }, index) => ({ event, data, index })).filter(({ event }) => event === 'print_event');
}
