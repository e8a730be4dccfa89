/** What a block says of itself: its place, its times and the hashes that make it this one. */
import { createHash } from 'node:crypto';

const GENESIS_PARENT = { height: 0, hash: '00'.repeat(32), indexHash: '00'.repeat(32), tenureHeight: 0, time: 0 };

/**
 * @param parent undefined for the first block
 * @param {{run: string, fork: number, burnBlocks: number, burnHeight: number, time: number}} place
 * @returns the block of these outcomes; it has no state yet
 */
export function blockAfter(parent = GENESIS_PARENT, outcomes, { run, fork, burnBlocks, burnHeight, time }) {
  const height = parent.height + 1;
  const isNewTenure = burnBlocks > 0;
  const hash = digest(run, fork, height, parent.indexHash, time, burnHeight, ...outcomes.map(told));
  return {
    height,
    hash,
    indexHash: digest('index', hash, parent.indexHash),
    parentHash: parent.hash,
    parentIndexHash: parent.indexHash,
    time,
    tenureHeight: parent.tenureHeight + (isNewTenure ? 1 : 0),
    burnBlocks,
    burnHeight,
    burnHash: isNewTenure ? digest('burn', run, fork, burnHeight) : parent.burnHash,
    burnTime: isNewTenure ? time : parent.burnTime,
    transactions: outcomes.map(({ transaction }) => transaction),
    state: null,
  };
}

/** What a block's hash says of a transaction: that it is there, and all that came of it. */
function told({ transaction: { txid }, status, result, events }) {
  return [txid, status, result, JSON.stringify(events)].join();
}

function digest(...parts) {
  return createHash('sha512-256').update(parts.join('|')).digest('hex');
}
