/** The page: puts its parts together, and shows what they know. */
import { html, render } from 'lit-html';
import { createActions } from './actions.js';
import { createApi } from './api.js';
import { NO_POLICIES, createPolicies } from './policies.js';
import { createPurchase } from './purchase.js';
import { FIRST_TERMS, createQuoting } from './quoting.js';
import { sentenceOf } from './sentences.js';
import { createSession } from './session.js';
import { createStore } from './store.js';
import { dialogs } from './view_dialogs.js';
import { header } from './view_header.js';
import { policies as policyList } from './view_policies.js';
import { price } from './view_price.js';
import { terms } from './view_terms.js';
import { loadWallet } from './wallets.js';

const store = createStore({
  config: null,
  session: null,
  isConnecting: false,
  wallets: [],
  terms: FIRST_TERMS,
  spot: null,
  stx: null,
  preview: null,
  previewProblem: null,
  isQuoting: true,
  purchase: null,
  policies: NO_POLICIES,
  opened: null,
  activating: null,
  isLive: false,
  notice: null,
});

/** Read out by screen readers, and seen by nobody. */
function tell(sentence) {
  document.getElementById('told').textContent = sentence;
}

const api = createApi({ token: () => store.get().session?.token ?? null, signedOut: () => session.end() });
const policies = createPolicies({ store, api, tell, lost: () => session.end() });
const session = createSession({
  store,
  api,
  began: () => policies.begin(),
  ended: () => {
    policies.end();
    tell('You are signed out.');
  },
});
const purchase = createPurchase({ store, api, tell, changed: policies.changed });
const quoting = createQuoting({ store, api });
const actions = createActions({ store, session, purchase, policies, quoting, tell });

function view(state) {
  return html`
    ${header(state, actions)}
    <main id="main">
      <div class="hero">
        <h1>Keep your bitcoin. Set a floor under its price.</h1>
        <p>Pick a price. If bitcoin falls below it while your policy runs, the pool pays you the difference.</p>
      </div>
      ${state.notice === null ? null : html`<p class="problem notice" role="alert">${state.notice}</p>`}
      <div class="columns">${terms(state, actions)} ${price(state, actions)}</div>
      ${policyList(state, actions)}
    </main>
    <footer class="foot">
      <p>
        Premium, payout and collateral are on the Stacks chain. The drawing is an estimate; the quote you sign is
        binding.
      </p>
      <a href="/v1/docs">The API</a>
    </footer>
    ${dialogs(state, actions)}
  `;
}

async function begin() {
  const place = document.getElementById('page');
  store.watch((state) => render(view(state), place));
  store.set({});
  const config = await api.settings();
  store.set({ config });
  quoting.start(config.spot_price_feed_units);
  if (config.wallet_script !== null) await loadWallet(config.wallet_script);
  session.resume();
  purchase.resume();
}

begin().catch((error) => store.set({ notice: `${sentenceOf(error)} Load this page again in a moment.` }));
