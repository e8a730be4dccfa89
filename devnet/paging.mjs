/** Pages of lists: by cursor, which names the first item of its page, or by offset. */
import { HttpError } from './http.mjs';

/** @throws HttpError 400 as the API does for a limit beyond its most */
export function limitOf(query, { otherwise, most }, name = 'limit') {
  return wholeNumber(query, name, otherwise, most);
}

export function offsetOf(query, name = 'offset') {
  return wholeNumber(query, name, 0, Number.MAX_SAFE_INTEGER);
}

/**
 * A page of v3.
 * @param items all of them, in order
 * @param cursorOf (item) => its cursor
 */
export function cursorPage(items, cursorOf, query, limits) {
  const page = cut(items, cursorOf, query.get('cursor'), limitOf(query, limits));
  return {
    total: items.length,
    limit: page.limit,
    cursor: { next: page.next, previous: page.previous, current: page.current },
    results: page.results,
  };
}

/** A page of v2, which takes an offset too, from the cursor on. Its next page is the newer one, a whole one or none. */
export function offsetPage(items, cursorOf, query, limits) {
  const limit = limitOf(query, limits);
  const offset = offsetOf(query);
  const start = startOf(items, cursorOf, query.get('cursor')) + offset;
  const at = (place) => (items[place] === undefined ? null : cursorOf(items[place]));
  return {
    limit,
    offset,
    total: items.length,
    next_cursor: at(start - limit),
    prev_cursor: at(start + limit),
    cursor: at(start),
    results: items.slice(start, start + limit),
  };
}

function cut(items, cursorOf, cursor, limit) {
  const start = startOf(items, cursorOf, cursor);
  const at = (place) => (items[place] === undefined ? null : cursorOf(items[place]));
  return {
    limit,
    results: items.slice(start, start + limit),
    current: at(start),
    next: at(start + limit),
    previous: start === 0 ? null : at(Math.max(0, start - limit)),
  };
}

function startOf(items, cursorOf, cursor) {
  const start = cursor === null ? 0 : items.findIndex((item) => cursorOf(item) === cursor);
  if (start < 0) throw new HttpError(400, { error: 'Cursor not found' });
  return start;
}

function wholeNumber(query, name, otherwise, most) {
  const given = query.get(name);
  if (given === null) return otherwise;
  const number = Number(given);
  if (!/^\d+$/.test(given) || number > most) {
    throw new HttpError(400, { error: `querystring/${name} must be a whole number of at most ${most}` });
  }
  return number;
}
