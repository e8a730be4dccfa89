/** What the terms come to: the drawing, the premium, and the button that buys. */
import { html } from 'lit-html';
import { payoffChart, payoffOf } from './payoff.js';
import { satsOf } from './quoting.js';
import { dayText, toToken, tokenText, usdText } from './units.js';

const HUNDREDTHS = 100;
const BUSY = {
  asking: 'Getting a binding quote…',
  signing: 'Confirm in your wallet…',
  reporting: 'Sending…',
  cancelling: 'Giving the quote back…',
};

export function price(state, actions) {
  const { preview, previewProblem, isQuoting } = state;
  return html`
    <section class="card price" aria-labelledby="price-title" aria-busy=${isQuoting}>
      <h2 id="price-title" class="hidden">What it comes to</h2>
      ${preview === null ? html`<div class="chart empty"></div>` : payoffChart(payoff(state))} ${caption(state)}
      ${previewProblem === null ? null : html`<p class="problem" role="alert">${previewProblem}</p>`}
      ${preview === null ? null : figures(state)} ${buying(state, actions)}
    </section>
  `;
}

/** What the drawing takes for granted. */
function caption({ preview }) {
  if (preview?.premium_token !== 'STX') return null;
  return html`<p class="small">Drawn as if STX fell with bitcoin: what is locked for you is worth less then.</p>`;
}

function payoff({ preview, terms, spot, stx }) {
  return payoffOf({
    strike: terms.strike,
    btc: terms.amount / HUNDREDTHS,
    premium: preview.premium_amount_base_units,
    most: preview.max_payout_base_units,
    token: preview.premium_token,
    spot,
    stx,
  });
}

function figures({ preview, spot, stx, isQuoting }) {
  const token = preview.premium_token;
  const today = token === 'STX' ? stx : spot;
  const premium = preview.premium_amount_base_units;
  return html`
    <div class="sum ${isQuoting ? 'stale' : ''}">
      <p class="premium">
        <span class="small">Premium</span>
        <strong id="premium">${tokenText(premium, token)}</strong>
        <span class="small"
          >about ${usdText(toToken(premium, token) * today)}, the fee of
          ${tokenText(preview.premium_fee_amount_base_units, token)} included</span
        >
      </p>
      <dl class="facts">
        <div>
          <dt>Pays at most</dt>
          <dd>${tokenText(preview.max_payout_base_units, token)}</dd>
        </div>
        <div>
          <dt>Risk tier</dt>
          <dd>${preview.risk_tier}</dd>
        </div>
        <div>
          <dt>Ends about</dt>
          <dd>${dayText(preview.expiration_timestamp_estimate)}</dd>
        </div>
      </dl>
    </div>
    ${preview.has_room ? null : html`<p class="problem" role="alert">The pool has no room for that much at the moment. Choose less, or come back later.</p>`}
  `;
}

function buying({ session, purchase, preview, isConnecting }, actions) {
  if (purchase?.stage === 'interrupted') return interrupted(purchase, session, actions);
  if (purchase !== null) {
    return html`<button id="buy" class="main" aria-disabled="true" aria-live="polite">${BUSY[purchase.stage]}</button>`;
  }
  const isReady = preview?.has_room === true;
  if (session === null) {
    return html`
      <button id="buy" class="main" ?disabled=${isConnecting} @click=${actions.connect}>Connect a wallet to buy</button>
    `;
  }
  return html`<button id="buy" class="main" ?disabled=${!isReady} @click=${actions.buy}>Buy this policy</button>`;
}

function interrupted({ principal, request, creation, problem }, session, actions) {
  const isMine = session?.principal === principal;
  return html`
    <div class="interrupted" role="alert">
      <p>
        ${problem ?? 'You were buying a policy when this page was left.'}
        ${creation === undefined ? ' Nothing is bought twice if you go on.' : ' Its quote is still open for a few blocks.'}
      </p>
      <p class="small">
        ${Number(request.protected_amount_sats) / Number(satsOf(HUNDREDTHS))} BTC, ${request.duration_days} days
      </p>
      <div class="buttons">
        <button class="plain" ?disabled=${!isMine} @click=${actions.cancelPurchase}>Do not buy</button>
        <button id="go-on" class="main" @click=${isMine ? actions.goOn : actions.connect}>
          ${isMine ? 'Go on' : 'Connect a wallet'}
        </button>
      </div>
    </div>
  `;
}
