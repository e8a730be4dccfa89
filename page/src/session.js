/** Signing in with a wallet, and staying so: the token lives in this tab, and is exchanged before it runs out. */
import { forget, keep, recall } from './memory.js';
import { askWallet, walletAddress } from './wallets.js';

const KEPT = 'session';
/** Exchanged when this share of its life is left. */
const LEFT = 0.3;
const LEAST_MS = 5_000;

/** @param {{store, api, began: () => void, ended: () => void}} app `began` also after an exchange */
export function createSession({ store, api, began, ended }) {
  let timer;

  function take(signedIn, walletId) {
    const { token, expires_at: expiresAt, session } = signedIn;
    const kept = { token, walletId, principal: session.principal, since: Date.now(), until: Date.parse(expiresAt) };
    keep(KEPT, kept);
    begin(kept);
  }

  function begin(kept) {
    store.set({ session: kept });
    const life = kept.until - kept.since;
    clearTimeout(timer);
    timer = setTimeout(rotate, Math.max(LEAST_MS, kept.until - life * LEFT - Date.now()));
    began();
  }

  async function rotate() {
    const { session } = store.get();
    if (session === null) return;
    try {
      take(await api.ask('POST', '/sessions/rotate'), session.walletId);
    } catch (error) {
      if (error.isPassing && Date.now() < session.until) timer = setTimeout(rotate, LEAST_MS);
      else end();
    }
  }

  function end() {
    clearTimeout(timer);
    forget(KEPT);
    if (store.get().session === null) return;
    store.set({ session: null });
    ended();
  }

  return {
    end,
    /** Goes on with the session of before a reload. */
    resume() {
      const kept = recall(KEPT);
      if (kept !== null && kept.until > Date.now()) begin(kept);
      else forget(KEPT);
    },
    /** @throws WalletRefused, WalletFailed, Problem, Unreachable */
    async signIn(walletId, network) {
      const address = await walletAddress(walletId, network);
      const { nonce, message } = await api.ask('POST', '/challenges', { body: { address } });
      const { signature } = await askWallet(walletId, 'stx_signMessage', { message, address });
      const body = { address, nonce, signature, kind: 'message' };
      take(await api.ask('POST', '/sessions', { body }), walletId);
    },
    async signOut() {
      // whatever comes of it, this tab forgets the token
      await api.ask('DELETE', '/sessions/current').catch(() => {});
      end();
    },
  };
}
