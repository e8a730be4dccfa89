/** Streams: events come whole however their bytes are cut, and after a break from where they were left. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { eventParser, follow } from '../src/stream.js';

const STREAM =
  'retry: 1000\n\nevent: ready\ndata: {"seq":1}\nid: 1\n\n: ping\n\nevent: policy\ndata: {"a":\ndata: 2}\nid: 2\n\n';
let server;
let asked;
let scripts;

before(async () => {
  server = createServer((request, response) => {
    asked.push([request.headers['last-event-id'], request.headers.authorization]);
    const { status = 200, text = '' } = scripts.shift() ?? {};
    response.writeHead(status, { 'content-type': 'text/event-stream' });
    response.write(text);
    // the last one stays open
    if (scripts.length > 0 || status !== 200) response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.close();
  server.closeAllConnections();
});

test('wherever a stream is cut, its events are the same', () => {
  for (let at = 0; at <= STREAM.length; at += 1) {
    const parse = eventParser();
    const events = [...parse(STREAM.slice(0, at)), ...parse(STREAM.slice(at))];
    assert.deepEqual(events, [
      { id: '1', event: 'ready', data: '{"seq":1}' },
      { id: '2', event: 'policy', data: '{"a":\n2}' },
    ]);
  }
});

/** Follows until so many events came, or it was told not to come again. */
async function followed({ events: most = Infinity, comesAgain = () => true, last = null }) {
  const cut = new AbortController();
  const told = [];
  asked = [];
  const listener = {
    token: () => 'secret',
    signal: cut.signal,
    changed: () => {},
    refused: (status) => {
      told.push(status);
      return comesAgain(status);
    },
    heard: ({ id }) => {
      told.push(id);
      if (told.length >= most) cut.abort();
    },
  };
  await follow(`http://127.0.0.1:${server.address().port}/`, listener, last);
  return told;
}

const event = (id) => ({ text: `data: x\nid: ${id}\n\n` });

test('after a break it goes on behind the last event', async () => {
  scripts = [event(1), { text: 'data: half of' }, event(2), event(3)];
  assert.deepEqual(await followed({ events: 3 }), ['1', '2', '3']);
  assert.deepEqual(
    asked.map(([last]) => last),
    [undefined, '1', '1', '2'],
  );
  assert.equal(asked[0][1], 'Bearer secret');
});

test('a server that has no room yet is asked again, from the same place', async () => {
  scripts = [{ status: 503 }, event(8)];
  assert.deepEqual(await followed({ events: 2, last: '7' }), [503, '8']);
  assert.deepEqual(
    asked.map(([last]) => last),
    ['7', '7'],
  );
});

test('a place that the server does not know is given up', async () => {
  scripts = [{ status: 422 }, event(1)];
  await followed({ events: 2, last: '900' });
  assert.deepEqual(
    asked.map(([last]) => last),
    ['900', undefined],
  );
});

test('whoever is signed out does not come again', async () => {
  scripts = [{ status: 401 }, event(1)];
  assert.deepEqual(await followed({ comesAgain: (status) => status !== 401 }), [401]);
  assert.equal(asked.length, 1);
});
