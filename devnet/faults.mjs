/** Faults on demand: what a network, a proxy or a tired node does to a request, by rules and from a seed. */
/** Thrown where a rule cannot be meant. */
export class BadFault extends Error {}

const SURFACES = {
  broadcast: (method, path) => method === 'POST' && path === '/v2/transactions',
  node: (_, path) => path.startsWith('/v2/'),
  api: (_, path) => path.startsWith('/extended/'),
  venues: (_, path) => path.startsWith('/venues/'),
  any: () => true,
};
const FAULTS = ['delay', 'limit', 'error', 'timeout', 'reset', 'lose_answer', 'garbage', 'not_stored', 'html'];
const FIELDS = ['on', 'fault', 'share', 'times', 'ms', 'status', 'retry_after'];
const TIMEOUT_MS = 60_000;
const MOST_MS = 600_000;

export class Faults {
  lag = 0;
  unsynced = false;
  #rules = [];
  #random = () => 0;

  /** Replaces all of them; nothing given is no fault. @throws BadFault; nothing has changed then */
  set({ seed = 1, rules = [], lag = 0, unsynced = false, ...unknown }) {
    const odd = Object.keys(unknown);
    if (odd.length > 0) throw new BadFault(`there is no ${odd.join(', ')}`);
    whole('seed', seed, 2 ** 32 - 1);
    whole('lag', lag, 1000);
    if (typeof unsynced !== 'boolean') throw new BadFault('unsynced must be true or false');
    if (!Array.isArray(rules)) throw new BadFault('rules must be a list');
    this.#rules = rules.map(read);
    this.#random = generator(seed);
    Object.assign(this, { lag, unsynced });
    return this.told();
  }

  told() {
    const rules = this.#rules.map(({ share, ...rule }) => ({ ...rule, share: String(share) }));
    return { rules, lag: this.lag, unsynced: this.unsynced };
  }

  /** The rule that strikes this request, if one does; the first whose turn it is. */
  strike(method, path) {
    if (path.startsWith('/devnet/')) return undefined;
    const rule = this.#rules.find(
      ({ on, share, times, struck }) =>
        SURFACES[on](method, path) && (times === null || struck < times) && this.#random() < share,
    );
    if (rule !== undefined) rule.struck += 1;
    return rule;
  }
}

function read(rule) {
  if (typeof rule !== 'object' || rule === null) throw new BadFault('a rule must be an object');
  const { on, fault, share = '1', times = null, ms = TIMEOUT_MS, status = 503, retry_after: retryAfter = 1 } = rule;
  const odd = Object.keys(rule).filter((name) => !FIELDS.includes(name));
  if (odd.length > 0) throw new BadFault(`a rule has no ${odd.join(', ')}`);
  if (!Object.hasOwn(SURFACES, on)) throw new BadFault(`on must be one of ${Object.keys(SURFACES).join(', ')}`);
  if (!FAULTS.includes(fault)) throw new BadFault(`fault must be one of ${FAULTS.join(', ')}`);
  if (fault === 'not_stored' && on !== 'broadcast') throw new BadFault('not_stored is a fault of broadcast only');
  if (times !== null) whole('times', times, 1_000_000);
  whole('ms', ms, MOST_MS);
  whole('retry_after', retryAfter, 86_400);
  if (!Number.isInteger(status) || status < 500 || status > 599) throw new BadFault('status must be from 500 to 599');
  return { on, fault, share: shareOf('share', share), times, ms, status, retry_after: retryAfter, struck: 0 };
}

/** @throws BadFault */
export function shareOf(name, given) {
  if (typeof given !== 'string' || !/^(0(\.\d+)?|1(\.0+)?)$/.test(given)) {
    throw new BadFault(`${name} must be a decimal string from 0 to 1`);
  }
  return Number(given);
}

function whole(name, given, most) {
  if (!Number.isInteger(given) || given < 0 || given > most) {
    throw new BadFault(`${name} must be a whole number from 0 to ${most}`);
  }
}

/** Mulberry32: enough to choose by, and the same from the same seed. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
