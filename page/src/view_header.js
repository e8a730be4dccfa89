/** The head of the page: its name, the network, and whose wallet is connected. */
import { html } from 'lit-html';
import { shortPrincipal } from './units.js';

export function header({ config, session, isConnecting }, actions) {
  return html`
    <header class="top">
      <a class="brand" href="/">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M16 3 27 7v8c0 7-4.6 11.7-11 14C9.6 26.7 5 22 5 15V7z" />
          <path class="tick" d="m11 16 4 4 7-8" />
        </svg>
        <span>Policy Registry</span>
      </a>
      ${config?.network === 'testnet' ? html`<span class="chip">testnet</span>` : null}
      <span class="space"></span>
      ${session === null ? connect(isConnecting, actions) : account(session, actions)}
    </header>
  `;
}

function connect(isConnecting, actions) {
  return html`
    <button id="connect" class="plain" ?disabled=${isConnecting} @click=${actions.connect}>
      ${isConnecting ? 'Connecting…' : 'Connect wallet'}
    </button>
  `;
}

function account({ principal }, actions) {
  return html`
    <span class="account" title=${principal}>
      <span class="hidden">Signed in as</span><span aria-hidden="true">${shortPrincipal(principal)}</span>
      <span class="hidden">${principal}</span>
    </span>
    <button id="sign-out" class="plain" @click=${actions.signOut}>Sign out</button>
  `;
}
