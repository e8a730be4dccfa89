/** HTTP on the loopback interface: routes with `:names`, JSON answers, errors that say so, and faults on demand. */
import { createHash } from 'node:crypto';
import http from 'node:http';

const MOST_BODY_BYTES = 4 * 1024 * 1024;
// Longer than any client keeps an idle connection: which side closes first must not be a race.
const KEEP_ALIVE_MS = 3_600_000;

/** An answer other than the one hoped for; `body` is JSON, or plain text where it is a string. */
export class HttpError extends Error {
  constructor(status, body) {
    super(typeof body === 'string' ? body : JSON.stringify(body));
    this.answer = typeof body === 'string' ? text(status, body) : json(status, body);
  }
}

export function json(status, body) {
  return { status, type: 'application/json', content: JSON.stringify(body) };
}

export function text(status, content) {
  return { status, type: 'text/plain', content };
}

/** @param body a Buffer, empty for nothing: then an empty object
 * @throws HttpError */
export function parseJson(body) {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (error) {
    throw new HttpError(400, `Body is not JSON: ${error.message}`);
  }
}

export class Router {
  #routes = [];

  /** @param {(request: {params, query: URLSearchParams, headers, body: Buffer}) => object} answer or the promise of one */
  on(method, path, answer) {
    const pattern = path.replace(/[.$]/g, '\\$&').replace(/:(\w+)/g, '(?<$1>[^/]+)');
    this.#routes.push({ method, pattern: new RegExp(`^${pattern}$`), answer });
  }

  /** @throws HttpError, or whatever the route throws */
  answer(method, url, headers, body) {
    const { pathname, searchParams: query } = new URL(url, 'http://localhost');
    const matching = this.#routes.filter(({ pattern }) => pattern.test(pathname));
    if (matching.length === 0) {
      return json(404, { message: `Route ${method}:${url} not found`, error: 'Not Found', statusCode: 404 });
    }
    const route = matching.find((candidate) => candidate.method === method);
    if (route === undefined) return json(405, { error: `${method} is not allowed here` });
    const params = { ...route.pattern.exec(pathname).groups };
    for (const name of Object.keys(params)) params[name] = decodeURIComponent(params[name]);
    return route.answer({ params, query, headers, body });
  }
}

/**
 * @param faults what strikes requests before they are answered, if anything
 * @returns the server; it listens on 127.0.0.1 once `listen` was called on it
 */
export function serve(router, log, faults) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= MOST_BODY_BYTES) chunks.push(chunk);
    });
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      const answer = async () =>
        size > MOST_BODY_BYTES ? text(413, 'Body too large') : answered(router, request, body, log);
      const { pathname } = new URL(request.url, 'http://localhost');
      const struck = faults?.strike(request.method, pathname);
      if (struck === undefined) answer().then((given) => send(response, given));
      else suffer(struck, { response, answer, body });
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function send(response, { status, type, content, headers = {} }) {
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(content);
}

/** What becomes of a request that a fault strikes. A connection is cut without a word, as a network does it. */
function suffer(rule, { response, answer, body }) {
  const cut = () => response.socket?.resetAndDestroy();
  const told = {
    delay: () => setTimeout(async () => send(response, await answer()), rule.ms).unref(),
    timeout: () => setTimeout(cut, rule.ms).unref(),
    reset: cut,
    lose_answer: () => {
      answer();
      cut();
    },
    limit: () =>
      send(response, {
        ...json(429, { error: 'Too Many Requests', message: 'Rate limit exceeded', statusCode: 429 }),
        headers: { 'retry-after': String(rule.retry_after) },
      }),
    error: () => send(response, json(rule.status, { error: http.STATUS_CODES[rule.status], statusCode: rule.status })),
    garbage: () => send(response, text(400, 'upstream said something that nobody understands')),
    html: () => send(response, { ...text(200, '<html><body>Just a moment…</body></html>'), type: 'text/html' }),
    not_stored: () => send(response, json(200, createHash('sha512-256').update(body).digest('hex'))),
  };
  told[rule.fault]();
}

async function answered(router, { method, url, headers }, body, log) {
  try {
    const answer = await router.answer(method, url, headers, body);
    log.debug('answered', { method, url, status: answer.status });
    return answer;
  } catch (error) {
    if (error instanceof HttpError) return error.answer;
    log.error('failed', { method, url, error: error.stack });
    return json(500, { error: error.message });
  }
}
