/** The owner's policies: listed, opened, followed as they change, activated. */
import { forget, keep, recall } from './memory.js';
import { sentenceOf } from './sentences.js';
import { follow } from './stream.js';
import { statusOf } from './words.js';

const PAGE = 20;
const KEPT = 'activation';
export const NO_POLICIES = { items: [], next: null, isLoaded: false };

/** @param {{store, api, tell: (sentence: string) => void, lost: () => void}} app `lost`: the stream's token is refused */
export function createPolicies({ store, api, tell, lost }) {
  let following = new AbortController();
  let last = null;
  let touched = new Set();
  let asked = 0;

  /** What comes by the stream while a page is on its way is newer than the page. */
  async function load(after = null) {
    touched = new Set();
    const query = after === null ? '' : `&after=${encodeURIComponent(after)}`;
    const page = await api.ask('GET', `/policies?limit=${PAGE}${query}`);
    store.set(({ policies }) => ({
      policies: {
        items: merged(
          page.items.filter(({ id }) => !touched.has(id)),
          policies.items,
        ),
        next: after === null && policies.isLoaded ? policies.next : page.next,
        isLoaded: true,
      },
    }));
  }

  /** Takes in a policy as it stands now. */
  function changed(policy, { isOpened = false } = {}) {
    touched.add(policy.id);
    store.set(({ policies }) => ({ policies: { ...policies, items: merged([policy], policies.items) } }));
    if (isOpened) open(policy.id);
    else if (store.get().opened?.id === policy.id) open(policy.id);
  }

  /** Answers may overtake one another: the last one asked for counts. */
  async function open(id) {
    const before = store.get().opened;
    const place = (asked += 1);
    store.set({ opened: { timeline: [], ...(before?.id === id ? before : {}), id } });
    const whole = await api.ask('GET', `/policies/${id}/timeline`).catch((error) => ({ error }));
    const { opened } = store.get();
    if (place !== asked || opened?.id !== id) return;
    if (whole.error) store.set({ opened: { ...opened, problem: sentenceOf(whole.error) } });
    else store.set({ opened: { ...opened, ...whole, problem: null } });
  }

  function noted(error) {
    store.set({ notice: sentenceOf(error) });
  }

  function heard({ event, id, data }) {
    last = id ?? last;
    // from here on everything is told: what was listed before may be older
    if (event === 'ready') load().catch(noted);
    if (event !== 'policy') return;
    const { policy, from, to } = JSON.parse(data);
    changed(policy);
    if (from !== to) tell(`A policy of yours: ${statusOf(policy.status_detailed).name}.`);
  }

  function listen() {
    following.abort();
    following = new AbortController();
    const listener = {
      signal: following.signal,
      token: () => store.get().session?.token ?? null,
      heard,
      changed: (isLive) => store.set({ isLive }),
      refused(status) {
        if (status === 401) lost();
        return status !== 401;
      },
    };
    follow('/v1/streams/policies', listener, last);
  }

  /** Asks for the payout, once, whatever happens to the answer. */
  async function activate(id, leastUnits) {
    const body = leastUnits === null ? {} : { min_payout_base_units: leastUnits };
    const kept = recall(KEPT);
    const asked = kept?.id === id && JSON.stringify(kept.body) === JSON.stringify(body) ? kept : null;
    const key = asked?.key ?? crypto.randomUUID();
    keep(KEPT, { id, key, body });
    const done = () => forget(KEPT);
    const { policy } = await api.act(`/policies/${id}/activation`, { body, key }).then(
      (answer) => (done(), answer),
      (error) => {
        if (!error.isPassing) done();
        throw error;
      },
    );
    changed(policy);
    tell('The payout is asked for. The price of this moment decides.');
  }

  return {
    more: () => load(store.get().policies.next).catch(noted),
    changed,
    open,
    activate,
    close: () => store.set({ opened: null }),
    /** Lists and follows; called again with a new token it goes on behind the last event. */
    begin() {
      listen();
      if (!store.get().policies.isLoaded) load().catch(noted);
    },
    end() {
      following.abort();
      last = null;
      store.set({ policies: NO_POLICIES, opened: null, isLive: false });
    },
  };
}

/** Each policy once, in the order in which they were made, newest first; of two the first is kept. */
function merged(newer, older) {
  const known = new Set(newer.map(({ id }) => id));
  const both = [...newer, ...older.filter(({ id }) => !known.has(id))];
  return both.sort((a, b) => (a.created_at < b.created_at ? 1 : a.created_at > b.created_at ? -1 : 0));
}
