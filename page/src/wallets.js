/** Wallets of the browser: found where they register themselves, asked after SIP-030. */
const REFUSALS = new Set([4001, -32000, -31001]);
/** No such method, or none that may be used before another one. */
const ELSEWHERE = new Set([-32601, -32002, -31000]);

/** The owner of the wallet said no. */
export class WalletRefused extends Error {
  constructor() {
    super('you refused in your wallet');
  }
}

/** The wallet cannot do it, and says why. */
export class WalletFailed extends Error {
  constructor(message, code) {
    super(message);
    this.code = code;
  }
}

/** @returns {{id: string, name: string, icon: string | null}[]} each once */
export function foundWallets() {
  const registered = [...(window.wbip_providers ?? []), ...(window.webbtc_stx_providers ?? [])];
  const found = new Map();
  for (const each of registered) if (!found.has(each.id) && providerOf(each.id)) found.set(each.id, each);
  if (found.size === 0 && window.StacksProvider)
    found.set('StacksProvider', { id: 'StacksProvider', name: 'Stacks wallet' });
  // pictures of other schemes are fetched from elsewhere, which the page's policy forbids
  return [...found.values()].map(({ id, name, icon }) => ({
    id,
    name,
    icon: icon?.startsWith('data:image/') ? icon : null,
  }));
}

function providerOf(id) {
  return id.split('.').reduce((place, name) => place?.[name], window);
}

/** @throws WalletRefused, WalletFailed */
export async function askWallet(id, method, params) {
  const provider = providerOf(id);
  if (provider === undefined) throw new WalletFailed('the wallet is not there any more; load the page again');
  let answer;
  try {
    answer = await provider.request(method, params);
  } catch (error) {
    throw failureOf(error);
  }
  if (answer?.error) throw failureOf(answer);
  return answer?.result ?? answer;
}

/** Wallets throw errors, or objects that hold one. */
function failureOf(thrown) {
  const { code, message } = thrown?.error ?? thrown ?? {};
  if (REFUSALS.has(code)) return new WalletRefused();
  return new WalletFailed(message ?? 'the wallet gave no reason', code);
}

/** @returns {Promise<string>} the Stacks address of the account that the owner chose */
export async function walletAddress(id, network) {
  const given = await firstKnown(id, ['stx_getAddresses', 'getAddresses', 'wallet_connect'], { network });
  const { address } = given?.addresses?.find((each) => /^S[TPMN]/.test(each.address)) ?? {};
  if (address === undefined) throw new WalletFailed('the wallet named no Stacks address');
  return address;
}

async function firstKnown(id, [method, ...others], params) {
  try {
    return await askWallet(id, method, params);
  } catch (error) {
    if (others.length === 0 || !ELSEWHERE.has(error.code)) throw error;
    return firstKnown(id, others, params);
  }
}

/** Loads the script of a wallet that registers itself, as the devnet's does. */
export function loadWallet(url) {
  return new Promise((resolve) => {
    const script = document.createElement('script');
    script.src = url;
    script.addEventListener('load', resolve);
    // without it the page still has the browser's own wallets
    script.addEventListener('error', resolve);
    document.head.append(script);
  });
}
