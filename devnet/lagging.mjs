/** The chain as a lagging API shows it: some blocks ago. What came since is not there, or waits as it did then. */

export class LaggingView {
  #chain;
  #faults;

  /** @param {{lag: number}} faults by how many blocks, asked anew each time */
  constructor(chain, faults) {
    this.#chain = chain;
    this.#faults = faults;
  }

  get #lag() {
    return Math.min(this.#faults.lag, this.#chain.length - 1);
  }

  get tip() {
    return this.#chain.newest(this.#lag, 1)[0];
  }

  get length() {
    return this.#chain.length - this.#lag;
  }

  get mempool() {
    const unseen = this.#chain.newest(0, this.#lag).flatMap(({ transactions }) => transactions);
    return this.#chain.mempool.with(unseen.map((transaction) => this.#asSeen(transaction)));
  }

  get ledger() {
    const { ledger } = this.#chain;
    return {
      logsOf: (contractId) => ledger.logsOf(contractId).filter(({ transaction }) => this.#isSeen(transaction.block)),
      transactionsOf: (principal) => ledger.transactionsOf(principal).filter(({ block }) => this.#isSeen(block)),
    };
  }

  block(heightOrHash) {
    const found = this.#chain.block(heightOrHash);
    return found !== undefined && this.#isSeen(found) ? found : undefined;
  }

  newest(offset, limit) {
    return this.#chain.newest(offset + this.#lag, limit);
  }

  find(txid) {
    return this.#asSeen(this.#chain.find(txid));
  }

  known(txid) {
    return this.#asSeen(this.#chain.known(txid));
  }

  contract(contractId) {
    return this.#state.contracts.get(contractId);
  }

  nextNonce(principal) {
    return this.#state.nonces.get(principal) ?? 0n;
  }

  /** Of the block that is shown as the tip, or of the oldest whose state is still known. */
  get #state() {
    return (this.tip.state ? this.tip : this.#chain.newest(0, this.#lag).findLast(({ state }) => state)).state;
  }

  #isSeen(block) {
    return block.height <= this.tip.height;
  }

  #asSeen(transaction) {
    if (!transaction?.block || this.#isSeen(transaction.block)) return transaction;
    const waiting = { block: null, index: null, result: null, vmError: null, events: [], status: 'pending' };
    return Object.create(
      transaction,
      Object.fromEntries(Object.entries(waiting).map(([name, value]) => [name, { value, enumerable: true }])),
    );
  }
}
