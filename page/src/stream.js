/** Server-Sent Events by fetch, for an EventSource sends no token: read, resumed behind the last event, without gap. */
import { backOff, pause } from './api.js';

/** The server says something at least every 15 s. */
const SILENT_MS = 40_000;

/**
 * Splits a stream's text into events.
 * @returns {(text: string) => {id?: string, event: string, data: string}[]} takes what came, gives what is whole
 */
export function eventParser() {
  let rest = '';
  return (text) => {
    const blocks = (rest + text.replaceAll('\r\n', '\n')).split('\n\n');
    rest = blocks.pop();
    return blocks.map(eventOf).filter(({ data }) => data !== '');
  };
}

function eventOf(block) {
  const lines = block.split('\n').map((line) => /^([a-z]+): ?(.*)$/.exec(line) ?? []);
  const value = (name) => lines.filter(([, field]) => field === name).map(([, , content]) => content);
  return { id: value('id').at(-1), event: value('event').at(-1) ?? 'message', data: value('data').join('\n') };
}

/**
 * Follows a stream until `signal` is aborted; comes again whenever it ends.
 * @param {{token: () => string | null, signal: AbortSignal, heard: (event: {id, event, data}) => void,
 *   changed: (isLive: boolean) => void, refused: (status: number) => boolean}} listener `refused` says whether to come again
 * @param {string | null} last the id of the last event that is known
 */
export async function follow(url, listener, last = null) {
  const { signal, changed } = listener;
  let known = last;
  for (let tries = 1; !signal.aborted; tries += 1) {
    try {
      known = await once(url, listener, known, () => {
        tries = 0;
        changed(true);
      });
    } catch (error) {
      if (signal.aborted) return;
      known = error.known;
      if (error instanceof Refused && !listener.refused(error.status)) return;
      // a place that the server does not know is of another database
      if (error.status === 422) known = null;
    }
    if (signal.aborted) return;
    changed(false);
    await pause(backOff(Math.max(1, tries)));
  }
}

class Refused extends Error {
  constructor(status) {
    super(`the stream answers ${status}`);
    this.status = status;
  }
}

/** One connection. @returns the last id; an error that breaks it off has it as `known` */
async function once(url, { token, signal, heard }, last, opened) {
  const cut = new AbortController();
  const headers = { accept: 'text/event-stream', authorization: `Bearer ${token()}` };
  if (last !== null) headers['last-event-id'] = last;
  const silence = watchdog(() => cut.abort());
  let known = last;
  try {
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, cut.signal]), cache: 'no-store' });
    if (!response.ok) throw new Refused(response.status);
    opened();
    const parse = eventParser();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return known;
      silence.heard();
      for (const event of parse(value)) {
        known = event.id ?? known;
        heard(event);
      }
    }
  } catch (error) {
    throw Object.assign(error, { known });
  } finally {
    silence.end();
  }
}

function watchdog(bark) {
  let timer = setTimeout(bark, SILENT_MS);
  return {
    heard() {
      clearTimeout(timer);
      timer = setTimeout(bark, SILENT_MS);
    },
    end: () => clearTimeout(timer),
  };
}
