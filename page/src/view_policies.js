/** The owner's policies: a list whose entries open, each with where it stands, what was paid and what happened. */
import { html } from 'lit-html';
import { repeat } from 'lit-html/directives/repeat.js';
import { SATS, btcText, dayText, momentText, toUsd, tokenText, usdText } from './units.js';
import { edgeText, statusOf, stepsOf } from './words.js';

export function policies({ session, policies: listed, opened, isLive, spot }, actions) {
  if (session === null) return null;
  return html`
    <section class="policies" aria-labelledby="policies-title" aria-busy=${!listed.isLoaded}>
      <div class="line">
        <h2 id="policies-title">Your policies</h2>
        <span class="live ${isLive ? 'on' : ''}">${isLive ? 'Live' : 'Connecting…'}</span>
      </div>
      ${listed.isLoaded && listed.items.length === 0 ? html`<p class="small">You have none yet.</p>` : null}
      <ul class="list">
        ${repeat(
          listed.items,
          ({ id }) => id,
          (policy) => html`<li>${entry(policy, opened?.id === policy.id ? opened : null, spot, actions)}</li>`,
        )}
      </ul>
      ${listed.next === null ? null : html`<button id="more" class="plain" @click=${actions.more}>Show more</button>`}
    </section>
  `;
}

function entry(policy, opened, spot, actions) {
  const { name, tone } = statusOf(policy.status_detailed);
  const isOpen = opened !== null;
  return html`
    <article class="card policy" data-id=${policy.id} data-status=${policy.status_detailed}>
      <h3>
        <button
          id="policy-${policy.id}"
          aria-expanded=${isOpen}
          aria-controls="more-${policy.id}"
          @click=${() => (isOpen ? actions.close() : actions.open(policy.id))}
        >
          <span class="what">${btcText(policy.protected_amount_sats)} at ${usdText(strikeOf(policy))}</span>
          <span class="small">${endText(policy)}</span>
          <span class="badge ${tone}">${name}</span>
        </button>
      </h3>
      <div id="more-${policy.id}" class="inside" ?hidden=${!isOpen}>
        ${isOpen ? inside(policy, opened, spot, actions) : null}
      </div>
    </article>
  `;
}

function inside(policy, opened, spot, actions) {
  return html`
    ${steps(policy.status_detailed)} ${givenBack(policy, opened)} ${facts(policy, opened)}
    ${activation(policy, spot, actions)}
    ${opened.problem ? html`<p class="problem" role="alert">${opened.problem}</p>` : null}
    <h4>What happened</h4>
    <ol class="timeline">
      ${edgesOf(opened).map(
        (event) => html`
          <li data-edge=${event.edge}>
            <span>${edgeText(event)}</span>
            <span class="small"
              >${momentText(event.at)}${event.height === null ? '' : `, at height ${event.height}`}</span
            >
            ${event.tx_id ? html`<code title="transaction">${event.tx_id}</code>` : null}
          </li>
        `,
      )}
    </ol>
  `;
}

/** Newest first; what else the API lists beside the edges is for programs. */
function edgesOf({ timeline }) {
  return timeline.filter(({ edge }) => edge).toReversed();
}

function steps(status) {
  return html`
    <ol class="steps" aria-label="Where it stands">
      ${stepsOf(status).map(
        ({ name, state }) => html`
          <li class=${state} aria-current=${state === 'current' ? 'step' : 'false'}>
            <span class="hidden">${state === 'done' ? 'Done:' : state === 'coming' ? 'Later:' : 'Now:'}</span>
            ${name}
          </li>
        `,
      )}
    </ol>
  `;
}

function givenBack(policy, { quote }) {
  if (policy.status_detailed !== 'PendingCreation' || !quote?.declined_at) return null;
  return html`<p class="small">
    You gave this quote back. It ends by itself once no block can hold its purchase any more.
  </p>`;
}

function facts(policy, { quote }) {
  const token = policy.premium_token ?? quote?.premium_token;
  const premium = policy.premium_amount_base_units ?? quote?.premium_amount_base_units;
  const paid = policy.settlement_amount_base_units;
  return html`
    <dl class="facts">
      ${
        paid === null
          ? null
          : html`<div class="paid">
              <dt>Paid out</dt>
              <dd>${tokenText(paid, policy.settlement_token)}</dd>
            </div>`
      }
      <div>
        <dt>Protects</dt>
        <dd>${btcText(policy.protected_amount_sats)} below ${usdText(strikeOf(policy))}</dd>
      </div>
      ${
        premium
          ? html`<div>
              <dt>Premium</dt>
              <dd>${tokenText(premium, token)}</dd>
            </div>`
          : null
      }
      ${
        quote
          ? html`<div>
              <dt>Pays at most</dt>
              <dd>${tokenText(quote.max_payout_base_units, token)}</dd>
            </div>`
          : null
      }
      <div>
        <dt>Payout</dt>
        <dd>${policy.exercise_style === 'european' ? 'at the end' : 'any time'}</dd>
      </div>
      <div>
        <dt>Ends</dt>
        <dd>at height ${policy.expiration_height}</dd>
      </div>
    </dl>
  `;
}

function activation(policy, spot, actions) {
  if (policy.status_detailed !== 'Active') return null;
  if (policy.exercise_style === 'european') {
    return html`<p class="small">
      It is decided by itself when it ends, and pays if bitcoin is below the protected price then.
    </p>`;
  }
  const gain = gainOf(policy, spot);
  return html`
    <div class="activation">
      <p>
        ${gain > 0 ? `At today’s price it would pay about ${usdText(gain)}.` : 'Bitcoin is not below the protected price: it would pay nothing now.'}
      </p>
      <button id="activate-${policy.id}" class="main" @click=${() => actions.askActivation(policy)}>
        Ask for the payout
      </button>
    </div>
  `;
}

/** Dollars that a policy would pay at a price, near enough to be shown. */
export function gainOf(policy, spot) {
  return spot === null ? 0 : (strikeOf(policy) - spot) * (Number(policy.protected_amount_sats) / SATS);
}

function strikeOf(policy) {
  return toUsd(policy.protected_value_price_feed_units);
}

function endText({ expiration_timestamp_estimate: end, expiration_height: height }) {
  return end === null ? `ends at height ${height}` : `ends about ${dayText(end)}`;
}
