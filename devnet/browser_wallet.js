/**
 * The devnet's wallet in a page: a provider after SIP-030 that asks its owner, and lets the devnet sign.
 *
 * A classic script, loaded as it is: it knows the devnet by where it was loaded from.
 */
(() => {
  const devnet = new URL('wallet', document.currentScript.src).href;
  const ID = 'DevnetWallet';
  const REMEMBERED = 'devnet-wallet-account';
  const USER_REFUSED = 4001;
  const NO_WALLET = -32603;
  const METHODS = [
    'getAddresses',
    'stx_getAddresses',
    'stx_signMessage',
    'stx_signStructuredMessage',
    'stx_callContract',
  ];
  const TITLES = {
    getAddresses: 'Show your address?',
    stx_getAddresses: 'Show your address?',
    stx_signMessage: 'Sign this message?',
    stx_signStructuredMessage: 'Sign this data?',
    stx_callContract: 'Send this transaction?',
  };
  const ICON = `data:image/svg+xml,${encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><rect width="24" height="24" rx="6" fill="#475569"/>' +
      '<path d="M6 8h12v9H6z" fill="none" stroke="#fff" stroke-width="1.6"/><circle cx="15" cy="12.5" r="1.3" fill="#fff"/></svg>',
  )}`;
  const STYLE = `
    dialog { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; width: min(28rem, calc(100vw - 2rem));
      box-sizing: border-box; border: 0; border-radius: 16px; padding: 1.5rem; background: Canvas; color: CanvasText;
      box-shadow: 0 0 0 1px #64748b55, 0 24px 64px #00000059; }
    dialog::backdrop { background: #0f172a99; }
    h2 { margin: 0 0 .25rem; font-size: 1.25rem; } p { margin: 0 0 1rem; opacity: .8; font-size: .875rem; }
    pre { margin: 0 0 1rem; padding: .75rem; max-height: 40vh; overflow: auto; border-radius: 8px; background: #64748b22;
      font: 12px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
    label { display: block; font-size: .875rem; margin-bottom: .25rem; }
    select, button { font: inherit; min-height: 44px; border-radius: 10px; border: 1px solid #64748b; padding: 0 1rem;
      background: Canvas; color: CanvasText; }
    select { width: 100%; margin-bottom: 1.25rem; }
    div { display: flex; gap: .75rem; justify-content: flex-end; }
    button[value='approve'] { background: #334155; color: #fff; border-color: #334155; }
    :focus-visible { outline: 3px solid #60a5fa; outline-offset: 2px; }`;

  let turn = Promise.resolve();

  async function request(method, params = {}) {
    const asked = turn.then(() => answer(method, params ?? {}));
    // one dialog at a time
    turn = asked.catch(() => {});
    return asked;
  }

  async function answer(method, params) {
    const { accounts } = await told(await fetch(devnet).catch(lost));
    const account = METHODS.includes(method) ? await ask(method, params, accounts) : accounts[0].name;
    if (account === null) throw failure(USER_REFUSED, 'the owner of the wallet refused');
    const init = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ method, params, account }),
    };
    const { result } = await told(await fetch(devnet, init).catch(lost));
    return { jsonrpc: '2.0', id: null, result };
  }

  async function told(response) {
    const given = await response.json();
    if (given.error) throw failure(given.error.code, given.error.message);
    return given;
  }

  function lost() {
    throw failure(NO_WALLET, 'the devnet does not answer');
  }

  function failure(code, message) {
    return Object.assign(new Error(message), { code, jsonrpc: '2.0', id: null, error: { code, message } });
  }

  /** @returns the name of the account that approves, null for a refusal */
  function ask(method, params, accounts) {
    const host = document.body.appendChild(document.createElement('div'));
    const root = host.attachShadow({ mode: 'open' });
    // not a style element: a page's policy may forbid those
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    const dialog = filled(method, params, accounts);
    root.append(dialog);
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener('close', () => {
        const name = dialog.querySelector('select').value;
        host.remove();
        if (dialog.returnValue !== 'approve') return resolve(null);
        localStorage.setItem(REMEMBERED, name);
        return resolve(name);
      });
    });
  }

  function filled(method, params, accounts) {
    const title = element('h2', { id: 'title' }, TITLES[method]);
    const from = element('p', {}, `${location.host} asks the devnet’s wallet, which spends nothing of value.`);
    const choice = element('select', { id: 'account' });
    for (const { name, address } of accounts) {
      choice.append(element('option', { value: name }, `${name} – ${address.slice(0, 6)}…${address.slice(-4)}`));
    }
    const named = accounts.find(({ address }) => address === params.address)?.name;
    choice.value = named ?? localStorage.getItem(REMEMBERED) ?? accounts[0].name;
    if (choice.value === '') choice.value = accounts[0].name;
    const buttons = element('div');
    buttons.append(
      element('button', { value: 'refuse' }, 'Refuse'),
      element('button', { value: 'approve' }, 'Approve'),
    );
    const form = element('form', { method: 'dialog' });
    form.append(
      title,
      from,
      ...shown(method, params),
      element('label', { for: 'account' }, 'Account'),
      choice,
      buttons,
    );
    const dialog = element('dialog', { 'aria-labelledby': 'title' });
    dialog.append(form);
    return dialog;
  }

  function shown(method, params) {
    const sentence = {
      stx_signMessage: () => params.message,
      stx_signStructuredMessage: () => `domain ${params.domain}\nmessage ${params.message}`,
      stx_callContract: () =>
        [`${params.contract}\n${params.functionName}`, ...(params.postConditions ?? []).map(condition)].join('\n\n'),
    }[method];
    return sentence === undefined ? [] : [element('pre', { tabindex: '0' }, sentence())];
  }

  function condition({ type, condition: how, amount, asset }) {
    const moved = type === 'stx-postcondition' ? `${Number(amount) / 1e6} STX` : `${amount} of ${asset}`;
    return `You send ${how === 'eq' ? 'exactly' : how} ${moved}, or nothing happens.`;
  }

  function element(name, attributes = {}, content = '') {
    const made = document.createElement(name);
    for (const [key, given] of Object.entries(attributes)) made.setAttribute(key, given);
    made.textContent = content;
    return made;
  }

  window[ID] = { request };
  window.wbip_providers = [
    ...(window.wbip_providers ?? []),
    { id: ID, name: 'Devnet wallet', icon: ICON, webUrl: new URL('/', devnet).href, methods: METHODS },
  ];
})();
