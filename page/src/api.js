/** The front door's API: asks, acts under an idempotency key, and tells what went wrong in the API's own sentence. */
const API = '/v1';
const TRIES = 6;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8_000;
const ANSWER_MS = 45_000;

/** The API answered, and refused. */
export class Problem extends Error {
  constructor({ status, code = 'unknown', detail = `the answer was ${status}`, figures = {} }) {
    super(detail);
    Object.assign(this, { status, code, figures });
  }

  /** Whether the same request may be answered otherwise later. */
  get isPassing() {
    return this.status === 503 || this.status === 429;
  }
}

/** No answer came. */
export class Unreachable extends Error {
  isPassing = true;

  constructor() {
    super('the registry cannot be reached');
  }
}

/** @param {{token: () => string | null, signedOut: () => void}} session `signedOut` is called where a token is refused */
export function createApi({ token, signedOut }) {
  async function send(method, path, { body, key, signal } = {}) {
    const bearer = token();
    const headers = {
      accept: 'application/json',
      ...(bearer === null ? {} : { authorization: `Bearer ${bearer}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    };
    const limit = AbortSignal.timeout(ANSWER_MS);
    const init = { method, headers, signal: signal === undefined ? limit : AbortSignal.any([signal, limit]) };
    if (body !== undefined) init.body = JSON.stringify(body);
    const response = await fetch(path, init).catch(() => {
      signal?.throwIfAborted();
      throw new Unreachable();
    });
    if (response.status === 401 && bearer !== null && bearer === token()) signedOut();
    return response;
  }

  async function ask(method, path, more) {
    return read(await send(method, API + path, more));
  }

  /** Does something once, however often it has to be asked for. @returns the final answer @throws Problem, Unreachable */
  async function act(path, { body = {}, key }) {
    return repeated(async () => {
      const response = await send('POST', API + path, { body, key });
      return response.status === 202 ? awaited(response.headers.get('location')) : read(response);
    });
  }

  async function awaited(location) {
    for (;;) {
      await pause(2 * FIRST_PAUSE_MS);
      const submission = await repeated(async () => read(await send('GET', location)));
      if (submission.state !== 'done') continue;
      if (submission.status >= 400) throw new Problem({ ...submission.answer, status: submission.status });
      return submission.answer;
    }
  }

  return { ask, act, settings: async () => read(await send('GET', '/page.json')) };
}

async function repeated(attempt) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!error.isPassing || tries === TRIES) throw error;
      await pause(backOff(tries));
    }
  }
}

/** @param {number} tries that failed so far @returns milliseconds; not the same for everybody who waits */
export function backOff(tries) {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (tries - 1));
  return longest * (0.5 + Math.random() / 2);
}

export function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

async function read(response) {
  if (response.status === 204) return null;
  const value = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem({ ...value, status: response.status });
  return value;
}
