/** The transactions of one block: run as one, and again without what failed, so that nothing of that remains. */
import { serializeCVBytes } from '@stacks/transactions';
import { brokenPostCondition } from './postconditions.mjs';
import { FEE_COLLECTOR, VmThrew } from './vm.mjs';

const OK_TRUE = '0x0703';
const ERR_NONE = '0x0809';

/**
 * @param {{vm, start, burnBlocks: number, transactions: object[], exists: (contractId: string) => boolean}} job
 *   `start`: the image to build on; `burnBlocks`: how many come before the transactions
 * @returns what happened: [{transaction, status, result, vmError, events}], in order; a transaction of `transactions`
 *   that is missing cannot be mined now and waits
 */
export function runBlock({ vm, start, burnBlocks, transactions, exists }) {
  let entries = deployable(transactions, exists).map((transaction) => ({ transaction, failure: null }));
  for (;;) {
    vm.stand(start);
    if (burnBlocks > 0) vm.mineBurnBlocks(burnBlocks);
    const { outcomes, remaining } = attempt(vm, entries);
    if (remaining === null) return outcomes;
    entries = remaining;
  }
}

/** A second contract of one name would break the VM; miners do not take its transaction, nor what follows it. */
function deployable(transactions, exists) {
  const names = new Set();
  const isFree = ({ kind, payload: { contractId } }) => {
    if (kind !== 'smart_contract') return true;
    const free = !exists(contractId) && !names.has(contractId);
    names.add(contractId);
    return free;
  };
  const taken = transactions.findIndex((transaction) => !isFree(transaction));
  if (taken < 0) return transactions;
  return deployable(without(transactions, taken), exists);
}

/** @returns outcomes and null where all went well, else the entries to try next */
function attempt(vm, entries) {
  let results;
  try {
    results = vm.mineBlock(entries.map(callsOf));
  } catch (error) {
    if (!(error instanceof VmThrew)) throw error;
    return { outcomes: null, remaining: afterThrow(entries, error) };
  }
  for (const [place, [fee, done]] of results.entries()) {
    const { transaction, failure } = entries[place];
    if (!isOk(fee) || (transaction.kind === 'token_transfer' && !isOk(done))) {
      return { outcomes: null, remaining: postponed(entries, place) };
    }
    const broken = failure === null ? brokenBy(transaction, done) : null;
    if (broken !== null) {
      const result = resultOf(transaction, done);
      const aborted = { status: 'abort_by_post_condition', result, vmError: broken };
      return { outcomes: null, remaining: failed(entries, place, aborted) };
    }
  }
  return { outcomes: entries.map((entry, place) => outcome(entry, results[place][1])), remaining: null };
}

/** The fee comes first, as on the node: a call sees its sender's balance without it. */
function callsOf({ transaction, failure }) {
  const { payer, fee } = transaction;
  const pay = { transferSTX: { amount: Number(fee), recipient: FEE_COLLECTOR, sender: payer } };
  return failure === null ? [pay, bodyOf(transaction)] : [pay];
}

function bodyOf({ kind, sender, payload, wire }) {
  switch (kind) {
    case 'token_transfer':
      return { transferSTX: { amount: Number(payload.amount), recipient: payload.recipient, sender } };
    case 'contract_call':
      return {
        callPublicFn: {
          contract: payload.contractId,
          method: payload.functionName,
          args_maps: wire.payload.functionArgs.map((value) => serializeCVBytes(value)),
          args: [],
          sender,
        },
      };
    default:
      return {
        deployContract: {
          name: wire.payload.contractName.content,
          content: wire.payload.codeBody.content,
          options: { clarityVersion: payload.clarityVersion },
          sender,
        },
      };
  }
}

function afterThrow(entries, { index, message }) {
  // Where the VM itself broke down nobody knows who did it: with ever fewer together it will be seen.
  if (index === null && entries.length > 1) return entries.slice(0, Math.ceil(entries.length / 2));
  return failed(entries, index ?? 0, { status: 'abort_by_response', result: ERR_NONE, vmError: message });
}

function failed(entries, place, failure) {
  return entries.with(place, { ...entries[place], failure });
}

function postponed(entries, place) {
  const left = without(
    entries.map(({ transaction }) => transaction),
    place,
  );
  return entries.filter(({ transaction }) => left.includes(transaction));
}

/** Without one transaction and without all that wait for it, by sender or sponsor. */
function without(transactions, place) {
  const stopped = new Set();
  return transactions.filter((transaction, at) => {
    const accounts = [transaction.sender, transaction.payer];
    if (at !== place && !accounts.some((account) => stopped.has(account))) return true;
    accounts.forEach((account) => stopped.add(account));
    return false;
  });
}

function brokenBy(transaction, done) {
  const { kind, wire, sender } = transaction;
  if (kind === 'token_transfer' || !isOk({ result: resultOf(transaction, done) })) return null;
  return brokenPostCondition(wire, sender, done.events);
}

function outcome({ transaction, failure }, done) {
  if (failure !== null) return { transaction, ...failure, events: [] };
  const result = resultOf(transaction, done);
  const isSuccess = isOk({ result });
  return {
    transaction,
    status: isSuccess ? 'success' : 'abort_by_response',
    result,
    vmError: null,
    events: isSuccess ? withMemo(transaction, done.events) : [],
  };
}

/** The VM answers a deployment with its last expression, the node with (ok true). */
function resultOf({ kind }, done) {
  return kind === 'smart_contract' ? OK_TRUE : done.result;
}

/** The VM's plain transfer knows no memo. */
function withMemo({ kind, payload: { memo } }, events) {
  if (kind !== 'token_transfer') return events;
  return events.map(({ event, data }) => ({ event, data: { ...data, memo } }));
}

function isOk({ result }) {
  return result.startsWith('0x07');
}
