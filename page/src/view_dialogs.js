/** What is asked in between: which wallet, and whether to activate. */
import { html } from 'lit-html';
import { tokenText } from './units.js';

export function dialogs({ wallets, activating }, actions) {
  return html`${walletChoice(wallets, actions)} ${activationQuestion(activating, actions)}`;
}

function walletChoice(wallets, actions) {
  return html`
    <dialog id="wallets" aria-labelledby="wallets-title" @close=${actions.walletChosen}>
      <form method="dialog">
        <h2 id="wallets-title">Which wallet?</h2>
        ${wallets.length === 0 ? html`<p>This browser has no Stacks wallet. Install one, Leather or Xverse for example, and load this page again.</p>` : null}
        <ul class="wallets">
          ${wallets.map(
            ({ id, name, icon }) => html`
              <li>
                <button class="plain" value=${id}>
                  ${icon === null ? null : html`<img src=${icon} alt="" width="28" height="28" />`}${name}
                </button>
              </li>
            `,
          )}
        </ul>
        <div class="buttons"><button class="plain" value="">Cancel</button></div>
      </form>
    </dialog>
  `;
}

function activationQuestion(activating, actions) {
  return html`
    <dialog id="activating" aria-labelledby="activating-title" @close=${actions.activationClosed}>
      ${activating === null ? null : question(activating, actions)}
    </dialog>
  `;
}

function question({ policy, problem, isAsking }, actions) {
  return html`
    <form method="dialog" @submit=${actions.activate}>
      <h2 id="activating-title">Ask for the payout?</h2>
      <p>The price of the moment at which it is asked for decides, and the policy is over with it.</p>
      <label for="least">At least, in ${policy.premium_token} (if you like)</label>
      <input id="least" name="least" inputmode="decimal" autocomplete="off" aria-describedby="least-help" />
      <p id="least-help" class="small">
        If it came to less, nothing happens and the policy stays active. You paid
        ${tokenText(policy.premium_amount_base_units ?? '0', policy.premium_token)} for it.
      </p>
      ${problem ? html`<p class="problem" role="alert">${problem}</p>` : null}
      <div class="buttons">
        <button type="button" class="plain" @click=${actions.closeActivation}>Not now</button>
        <button id="confirm-activation" class="main" ?disabled=${isAsking}>
          ${isAsking ? 'Asking…' : 'Ask for it'}
        </button>
      </div>
    </form>
  `;
}
