/** The transactions that wait to be mined. */

/** So long a node keeps one. */
const KEPT_MINUTES = 2560;

export class Mempool {
  #byTxid = new Map();

  get size() {
    return this.#byTxid.size;
  }

  get(txid) {
    return this.#byTxid.get(txid);
  }

  add(transaction) {
    transaction.status = 'pending';
    transaction.age = 0;
    this.#byTxid.set(transaction.txid, transaction);
  }

  /** @param {string} status why it left without being mined, in the API's words */
  drop(transaction, status, replacedBy = null) {
    this.#byTxid.delete(transaction.txid);
    transaction.status = status;
    transaction.replacedBy = replacedBy;
  }

  /** The same, for reading, with these waiting in it too. */
  with(transactions) {
    const both = new Mempool();
    both.#byTxid = new Map([...this.#byTxid, ...transactions.map((transaction) => [transaction.txid, transaction])]);
    return both;
  }

  /** Those that ended up in a block. */
  forget(transactions) {
    for (const { txid } of transactions) this.#byTxid.delete(txid);
  }

  /** Those that take a nonce of this one: its sender's, or its sponsor's. At most two. */
  conflicts(transaction) {
    const taken = new Set(nonces(transaction));
    return [...this.#byTxid.values()].filter((other) => nonces(other).some((nonce) => taken.has(nonce)));
  }

  /** Those that a principal sent, by nonce. */
  sentBy(principal) {
    return [...this.#byTxid.values()].filter(({ sender }) => sender === principal).sort(byNonce);
  }

  /** Those that a principal sent or sponsors, newest first. */
  involving(principal) {
    return [...this.#byTxid.values()]
      .filter(({ sender, sponsor }) => sender === principal || sponsor?.address === principal)
      .sort((a, b) => b.receivedAt - a.receivedAt || (a.txid < b.txid ? 1 : -1));
  }

  /** Adds to the age of all; those that are too old now. */
  older(minutes) {
    for (const transaction of this.#byTxid.values()) transaction.age += minutes;
    return [...this.#byTxid.values()].filter(({ age }) => age >= KEPT_MINUTES);
  }

  /** Those whose nonce has been used by others. */
  stale(nextNonce) {
    return [...this.#byTxid.values()].filter(
      ({ sender, nonce, sponsor }) =>
        nonce < nextNonce(sender) || (sponsor !== null && sponsor.nonce < nextNonce(sponsor.address)),
    );
  }

  /**
   * What the next block takes: each account's nonces in turn, among those the highest fee first. A gap or a conflict
   * stops its account.
   * @param {(principal: string) => bigint} nextNonce as of the chain's tip
   */
  assemble(nextNonce, limit) {
    const used = new Map();
    const next = (principal) => used.get(principal) ?? nextNonce(principal);
    const waiting = [...this.#byTxid.values()].filter(({ minable }) => minable).sort(byFee);
    const chosen = [];
    while (chosen.length < limit) {
      const place = waiting.findIndex((transaction) => isNext(transaction, next));
      if (place < 0) break;
      const [transaction] = waiting.splice(place, 1);
      used.set(transaction.sender, transaction.nonce + 1n);
      if (transaction.sponsor !== null) used.set(transaction.sponsor.address, transaction.sponsor.nonce + 1n);
      chosen.push(transaction);
    }
    return chosen;
  }
}

function isNext({ sender, nonce, sponsor }, next) {
  return nonce === next(sender) && (sponsor === null || sponsor.nonce === next(sponsor.address));
}

function nonces({ sender, nonce, sponsor }) {
  const own = `${sender}/${nonce}`;
  return sponsor === null ? [own] : [own, `${sponsor.address}/${sponsor.nonce}`];
}

function byFee(a, b) {
  return Number(b.fee - a.fee) || byNonce(a, b);
}

function byNonce(a, b) {
  return Number(a.nonce - b.nonce);
}
