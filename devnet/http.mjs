/** HTTP on the loopback interface: routes with `:names`, JSON answers, and errors that say so. */
import http from 'node:http';

const MOST_BODY_BYTES = 4 * 1024 * 1024;
// Longer than any client keeps an idle connection: which side closes first must not be a race.
const KEEP_ALIVE_MS = 75_000;

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

  /** @param {(request: {params, query: URLSearchParams, headers, body: Buffer}) => object} answer */
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

/** @returns the server; it listens on 127.0.0.1 once `listen` was called on it */
export function serve(router, log) {
  const server = http.createServer((request, response) => {
    const chunks = [];
    let size = 0;
    request.on('data', (chunk) => {
      size += chunk.length;
      if (size <= MOST_BODY_BYTES) chunks.push(chunk);
    });
    request.on('end', () => {
      const answer = size > MOST_BODY_BYTES ? text(413, 'Body too large') : answered(router, request, chunks, log);
      response.writeHead(answer.status, { 'content-type': answer.type });
      response.end(answer.content);
    });
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  return server;
}

function answered(router, { method, url, headers }, chunks, log) {
  try {
    const answer = router.answer(method, url, headers, Buffer.concat(chunks));
    log.debug('answered', { method, url, status: answer.status });
    return answer;
  } catch (error) {
    if (error instanceof HttpError) return error.answer;
    log.error('failed', { method, url, error: error.stack });
    return json(500, { error: error.message });
  }
}
