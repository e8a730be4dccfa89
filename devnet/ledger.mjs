/** Who took part in which transaction, and what each contract printed: the canonical chain, listed for the API. */

export class Ledger {
  #transactions = new Map();
  #logs = new Map();

  add(block) {
    for (const transaction of block.transactions) {
      for (const principal of participants(transaction)) append(this.#transactions, principal, transaction);
      transaction.events.forEach(({ event, data }, eventIndex) => {
        if (event !== 'print_event') return;
        append(this.#logs, data.contract_identifier, { transaction, eventIndex, data });
      });
    }
  }

  /** Takes back the last block added. */
  remove(block) {
    const isGone = (transaction) => transaction.block === block;
    for (const transaction of block.transactions) {
      for (const principal of participants(transaction)) {
        prune(this.#transactions, principal, isGone);
      }
      for (const { event, data } of transaction.events) {
        if (event === 'print_event') {
          prune(this.#logs, data.contract_identifier, (entry) => isGone(entry.transaction));
        }
      }
    }
  }

  /** Newest first. */
  transactionsOf(principal) {
    return (this.#transactions.get(principal) ?? []).toReversed();
  }

  /** [{transaction, eventIndex, data}], newest first. */
  logsOf(contractId) {
    return (this.#logs.get(contractId) ?? []).toReversed();
  }
}

function participants({ sender, sponsor, payload, events }) {
  const moved = events.flatMap(({ data }) => [data.sender, data.recipient]);
  const named = [sender, sponsor?.address, payload.contractId, payload.recipient, ...moved];
  return new Set(named.filter((principal) => principal !== undefined));
}

function append(lists, key, item) {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}

/** The newest are last, so what has to go is there. */
function prune(lists, key, isGone) {
  const list = lists.get(key);
  while (list !== undefined && list.length > 0 && isGone(list.at(-1))) list.pop();
}
