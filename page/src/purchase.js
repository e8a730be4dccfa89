/** Buying: asked for under a key that is kept until it is over, so that neither a reload nor a lost answer buys twice. */
import { forget, keep, recall } from './memory.js';
import { requestOf } from './quoting.js';
import { sentenceOf } from './sentences.js';
import { WalletRefused, askWallet } from './wallets.js';

const KEPT = 'purchase';

/** @param {{store, api, tell, changed: (policy) => void}} app `tell` is for the screen reader, `changed` gets each policy */
export function createPurchase({ store, api, tell, changed }) {
  function advance(changes) {
    const purchase = { ...store.get().purchase, ...changes };
    const { problem: _, ...kept } = purchase;
    keep(KEPT, kept);
    store.set({ purchase });
  }

  function end() {
    forget(KEPT);
    store.set({ purchase: null });
  }

  /** Goes on from wherever it is. */
  async function goOn() {
    try {
      advance({ stage: store.get().purchase.creation ? 'signing' : 'asking', problem: null });
      if (store.get().purchase.creation === undefined) await create();
      else if (await isOver()) return;
      await sign();
    } catch (error) {
      if (error instanceof WalletRefused) await cancel();
      // a refusal is final: under this key nothing else will ever be answered
      else if (error.status >= 400 && !error.isPassing && error.status !== 401) {
        end();
        store.set({ previewProblem: sentenceOf(error) });
      } else advance({ stage: 'interrupted', problem: sentenceOf(error) });
    }
  }

  async function create() {
    const { key, request } = store.get().purchase;
    const { policy, wallet_payload: payload } = await api.act('/policies', { body: request, key });
    advance({ creation: { policyId: policy.id, payload }, stage: 'signing' });
    changed(policy);
  }

  /** Whether the chain, or its heights, decided while this page was away. */
  async function isOver() {
    const policy = await api.ask('GET', `/policies/${store.get().purchase.creation.policyId}`);
    if (policy.status_detailed === 'PendingCreation') return false;
    end();
    changed(policy, { isOpened: true });
    return true;
  }

  async function sign() {
    const { creation, key } = store.get().purchase;
    tell('The policy is quoted. Confirm the purchase in your wallet.');
    const sent = await askWallet(store.get().session.walletId, 'stx_callContract', creation.payload);
    advance({ stage: 'reporting' });
    const policy = await report(sent, creation.policyId, key);
    end();
    changed(policy, { isOpened: true });
    tell('The purchase is sent. It counts once the chain has confirmed it.');
  }

  /** A hint for the registry, which follows the chain: a wallet that names no transaction does no harm. */
  async function report({ txid }, policyId, key) {
    if (typeof txid !== 'string') return api.ask('GET', `/policies/${policyId}`);
    const body = { tx_id: txid.replace(/^0x/, '') };
    const { policy } = await api.act(`/policies/${policyId}/purchase`, { body, key: `${key}-purchase` });
    return policy;
  }

  /** Gives the quote back; the registry has the last word on whether the purchase can still come. */
  async function cancel() {
    const { creation, key } = store.get().purchase;
    if (creation === undefined) return end();
    advance({ stage: 'cancelling', problem: null });
    try {
      const path = `/policies/${creation.policyId}/cancellation`;
      const { policy } = await api.act(path, { key: `${key}-cancellation` });
      end();
      changed(policy);
      tell('You did not buy. Nothing was paid.');
    } catch (error) {
      if (error.isPassing) advance({ stage: 'interrupted', problem: sentenceOf(error) });
      else end();
    }
    return undefined;
  }

  return {
    goOn,
    cancel,
    buy() {
      const { session, terms } = store.get();
      const key = crypto.randomUUID();
      store.set({ purchase: null, previewProblem: null });
      advance({ key, principal: session.principal, request: requestOf(terms) });
      return goOn();
    },
    /** Offers to go on with what a reload interrupted. */
    resume() {
      const kept = recall(KEPT);
      if (kept !== null) store.set({ purchase: { ...kept, stage: 'interrupted', problem: null } });
    },
  };
}
