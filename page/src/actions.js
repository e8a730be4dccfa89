/** What people can do here: each button's deed, and where its trouble is shown. */
import { sentenceOf } from './sentences.js';
import { fromToken } from './units.js';
import { WalletRefused, foundWallets } from './wallets.js';

const CHOSEN = 'wallets';
const ACTIVATING = 'activating';

export function createActions({ store, session, purchase, policies, quoting, tell }) {
  const dialog = (id) => document.getElementById(id);

  /** Dialogs are drawn with the next change of the page: only then is there something to show. */
  function show(id) {
    queueMicrotask(() => dialog(id).showModal());
  }

  function connect() {
    const wallets = foundWallets();
    store.set({ wallets, notice: null });
    if (wallets.length === 1) signIn(wallets[0].id);
    else show(CHOSEN);
  }

  async function signIn(walletId) {
    store.set({ isConnecting: true });
    try {
      await session.signIn(walletId, store.get().config.network);
      tell('You are signed in.');
    } catch (error) {
      const notice = error instanceof WalletRefused ? null : sentenceOf(error);
      store.set({ notice });
      tell(notice ?? 'You refused in your wallet.');
    }
    store.set({ isConnecting: false });
    queueMicrotask(() => document.getElementById('buy')?.focus());
  }

  function closeActivation() {
    dialog(ACTIVATING).close();
  }

  async function activate(event) {
    event.preventDefault();
    const { policy } = store.get().activating;
    const text = new FormData(event.target).get('least').trim();
    const least = text === '' ? null : fromToken(text, policy.premium_token);
    if (text !== '' && least === null) {
      store.set({ activating: { policy, problem: `That is no amount of ${policy.premium_token}.` } });
      return;
    }
    store.set({ activating: { policy, isAsking: true } });
    try {
      await policies.activate(policy.id, least);
      closeActivation();
      focusOn(policy.id);
    } catch (error) {
      store.set({ activating: { policy, problem: sentenceOf(error) } });
    }
  }

  return {
    connect,
    signOut: session.signOut,
    walletChosen: ({ target }) => target.returnValue && signIn(target.returnValue),
    change: quoting.change,
    buy: async () => {
      const before = store.get().policies.items;
      await purchase.buy();
      focusOnNew(store, before);
    },
    goOn: purchase.goOn,
    cancelPurchase: purchase.cancel,
    more: policies.more,
    open: policies.open,
    close: policies.close,
    askActivation(policy) {
      store.set({ activating: { policy } });
      quoting.refresh();
      show(ACTIVATING);
    },
    activate,
    closeActivation,
    activationClosed: () => store.set({ activating: null }),
  };
}

/** Whoever bought goes on where the policy is. */
function focusOnNew(store, before) {
  const known = new Set(before.map(({ id }) => id));
  const bought = store.get().policies.items.find(({ id }) => !known.has(id));
  if (bought && store.get().opened?.id === bought.id) focusOn(bought.id);
}

function focusOn(policyId) {
  queueMicrotask(() => document.getElementById(`policy-${policyId}`)?.focus());
}
