/** The chain: canonical blocks, accounts and contracts as of its tip, and the states that it can go back to. */
import { createHash, randomBytes } from 'node:crypto';
import { admit } from './admission.mjs';
import { runBlock } from './block.mjs';
import { blockAfter } from './header.mjs';
import { Ledger } from './ledger.mjs';
import { Mempool } from './mempool.mjs';
import { Transaction } from './transaction.mjs';

/** What makes the hashes of a chain its own, so that nobody takes a new one for the one before; and when it began. */
export function newBirth() {
  return { run: randomBytes(16).toString('hex'), born: now() };
}

/** A reorganisation to a block whose state is forgotten, or before the first one. */
export class TooDeep extends Error {}

export class Chain {
  mempool = new Mempool();
  ledger = new Ledger();
  /** By how much the node's view of Bitcoin is ahead of the tip's. */
  burnAhead = 0;
  #vm;
  #settings;
  #journal;
  #blocks = [];
  #byIndexHash = new Map();
  #transactions = new Map();
  #nonces = new Map();
  #contracts = new Map();
  #balances = new Map();
  #fork = 0;
  #watcher = { sealed: () => {}, reorganised: () => {} };

  /**
   * @param {{epoch: string, transactionsPerBlock: number, snapshots: number}} settings
   * @param {{birth: {run: string, born: number}, record: (entry: object) => void}} journal told of every transaction
   *   that is let in and of every block, before the caller is
   */
  constructor(vm, settings, journal) {
    this.#vm = vm;
    this.#settings = settings;
    this.#journal = journal;
    this.#seal([], { burnBlocks: 1, time: journal.birth.born });
    this.#balances = vm.stxBalances();
  }

  /** @param {{sealed: (block: object) => void, reorganised: (orphaned: object[]) => void}} watcher told of what follows */
  watch(watcher) {
    this.#watcher = watcher;
  }

  get epoch() {
    return this.#settings.epoch;
  }

  get tip() {
    return this.#blocks.at(-1);
  }

  get length() {
    return this.#blocks.length;
  }

  /** The nonce that an account has to use next. */
  nextNonce(principal) {
    return this.#nonces.get(principal) ?? 0n;
  }

  /** Micro-STX at the tip. */
  stxBalance(principal) {
    return this.#balances.get(principal) ?? 0n;
  }

  /** Its interface at the tip, if it exists. */
  contract(contractId) {
    return this.#contracts.get(contractId);
  }

  /**
   * Takes a transaction into the mempool; one that is known already changes nothing.
   * @returns its txid
   * @throws Undecodable, Rejected
   */
  submit(raw) {
    const txid = createHash('sha512-256').update(raw).digest('hex');
    if (this.find(txid) !== undefined) return txid;
    const transaction = new Transaction(raw);
    const replaced = admit(transaction, {
      epoch: this.epoch,
      nextNonce: (principal) => this.nextNonce(principal),
      stxBalance: (principal) => this.stxBalance(principal),
      contract: (contractId) => this.contract(contractId),
      conflicts: (other) => this.mempool.conflicts(other),
    });
    const at = now();
    this.#wait(transaction, { replaced, at });
    this.#journal.record({ tx: raw.toString('base64'), at });
    return txid;
  }

  /** Takes a transaction that was let in before, at the time it was then. @throws Undecodable */
  submitAgain(raw, at) {
    const transaction = new Transaction(raw);
    this.#wait(transaction, { replaced: this.mempool.conflicts(transaction), at });
  }

  /** A transaction that is pending or in a canonical block. */
  find(txid) {
    const transaction = this.#transactions.get(txid);
    const isThere = transaction?.block || this.mempool.get(txid);
    return isThere ? transaction : undefined;
  }

  /** A transaction that was let in, whatever became of it. */
  known(txid) {
    return this.#transactions.get(txid);
  }

  /** @param {number | string} heightOrHash block hash or index block hash, without 0x */
  block(heightOrHash) {
    if (typeof heightOrHash === 'number') return this.#blocks[heightOrHash - this.#blocks[0].height];
    return this.#byIndexHash.get(heightOrHash) ?? this.#blocks.findLast(({ hash }) => hash === heightOrHash);
  }

  /** Newest first. */
  newest(offset, limit) {
    const end = Math.max(0, this.#blocks.length - offset);
    return this.#blocks.slice(Math.max(0, end - limit), end).reverse();
  }

  /** Seals one block with what the mempool offers, `burnBlocks` Bitcoin blocks later than the last one.
   * @param {number} time Unix seconds */
  mine(burnBlocks = 0, time = Math.max(now(), this.tip.time)) {
    const transactions = this.mempool.assemble(
      (principal) => this.nextNonce(principal),
      this.#settings.transactionsPerBlock,
    );
    const outcomes = runBlock({
      vm: this.#vm,
      start: this.tip.state.image,
      burnBlocks,
      transactions,
      exists: (contractId) => this.#contracts.has(contractId),
    });
    const block = this.#seal(outcomes, { burnBlocks, time });
    this.#journal.record({ block: markOf(block), time, ...(burnBlocks > 0 ? { burn: burnBlocks } : {}) });
    this.#watcher.sealed(block);
    return block;
  }

  /**
   * Runs `read` on the VM at a block; undefined where that block or its state is not known.
   * @param {string | null} indexHash null for the tip
   */
  readAt(indexHash, read) {
    const block = indexHash === null ? this.tip : this.#byIndexHash.get(indexHash);
    if (!block?.state) return undefined;
    this.#vm.stand(block.state.image);
    return read(this.#vm, block.state.contracts);
  }

  /** New STX, as if they had been in the tip's state. */
  mintStx(recipient, amount) {
    const { state } = this.tip;
    this.#vm.stand(state.image);
    this.#vm.mintStx(recipient, amount);
    state.image = this.#vm.snapshot();
    this.#balances = this.#vm.stxBalances();
  }

  /** @returns whether there was such a pending transaction */
  drop(txid, status) {
    const transaction = this.mempool.get(txid);
    if (transaction !== undefined) this.mempool.drop(transaction, status);
    return transaction !== undefined;
  }

  /** What waits grows older; what a node keeps no longer is dropped. @returns the txids of those */
  age(minutes) {
    const old = this.mempool.older(minutes);
    for (const transaction of old) this.mempool.drop(transaction, 'dropped_stale_garbage_collect');
    return old.map(({ txid }) => txid);
  }

  /**
   * Takes back the last `depth` blocks. Their transactions wait again, or are gone for good.
   * @param {'keep' | 'drop'} fate
   * @returns {{orphaned: object[], transactions: object[]}} newest block first
   * @throws TooDeep; nothing has changed then
   */
  reorganise(depth, fate) {
    const ancestor = this.#blocks.at(-1 - depth);
    if (!ancestor?.state) throw new TooDeep(`cannot go back ${depth} blocks: ${this.#reach()} at most`);
    const orphaned = this.#blocks.splice(this.#blocks.length - depth).reverse();
    for (const block of orphaned) {
      this.ledger.remove(block);
      this.#byIndexHash.delete(block.indexHash);
    }
    const { image, nonces, contracts } = ancestor.state;
    this.#vm.stand(image);
    this.#nonces = nonces;
    this.#contracts = contracts;
    this.#balances = this.#vm.stxBalances();
    this.#fork += 1;
    const transactions = orphaned.flatMap((block) => block.transactions);
    // observers still see what happened in the blocks that are taken back
    this.#watcher.reorganised(orphaned);
    for (const transaction of transactions) this.#unmine(transaction, fate);
    return { orphaned, transactions };
  }

  #wait(transaction, { replaced, at }) {
    for (const other of replaced) this.mempool.drop(other, 'dropped_replace_by_fee', transaction.txid);
    transaction.receivedAt = at;
    transaction.receivedHeight = this.tip.height;
    this.mempool.add(transaction);
    this.#transactions.set(transaction.txid, transaction);
  }

  #unmine(transaction, fate) {
    Object.assign(transaction, { block: null, index: null, result: null, vmError: null, events: [] });
    if (fate === 'keep') this.mempool.add(transaction);
    else this.mempool.drop(transaction, 'dropped_replace_across_fork');
  }

  #reach() {
    return this.#blocks.filter(({ state }) => state !== null).length - 1;
  }

  #seal(outcomes, { burnBlocks, time }) {
    const { run } = this.#journal.birth;
    const { burnHeight } = this.#vm;
    const block = blockAfter(this.tip, outcomes, { run, fork: this.#fork, burnBlocks, burnHeight, time });
    outcomes.forEach(({ transaction, ...happened }, index) =>
      Object.assign(transaction, { block, index, ...happened }),
    );
    this.#account(block.transactions);
    this.mempool.forget(block.transactions);
    for (const transaction of this.mempool.stale((principal) => this.nextNonce(principal))) {
      this.mempool.drop(transaction, 'dropped_stale_garbage_collect');
    }
    this.ledger.add(block);
    block.state = { image: this.#vm.snapshot(), nonces: this.#nonces, contracts: this.#contracts };
    this.#blocks.push(block);
    this.#byIndexHash.set(block.indexHash, block);
    const forgotten = this.#blocks.at(-1 - this.#settings.snapshots);
    if (forgotten !== undefined) forgotten.state = null;
    return block;
  }

  /**
   * Nonces are used up by failures too; a contract is there only if its deployment went through. The maps before are
   * those of earlier blocks, and an empty block shares its parent's: a chain that idles must not grow by them.
   */
  #account(transactions) {
    if (transactions.length === 0) return;
    this.#nonces = new Map(this.#nonces);
    this.#contracts = new Map(this.#contracts);
    this.#balances = this.#vm.stxBalances();
    for (const { sender, nonce, sponsor, kind, status, payload } of transactions) {
      this.#nonces.set(sender, nonce + 1n);
      if (sponsor !== null) this.#nonces.set(sponsor.address, sponsor.nonce + 1n);
      if (kind === 'smart_contract' && status === 'success') {
        this.#contracts.set(payload.contractId, this.#vm.contractInterface(payload.contractId));
      }
    }
  }
}

/** Enough of a block's hash to tell it from any other that could have come in its place. */
export function markOf({ indexHash }) {
  return indexHash.slice(0, 12);
}

function now() {
  return Math.floor(Date.now() / 1000);
}
