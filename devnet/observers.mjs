/** Whoever wants to be told of blocks: a node's event observer and chainhooks, delivered beside the chain. */
import { BadFault, generator, shareOf } from './faults.mjs';
import {
  chainhookV1,
  chainhookV2,
  hookedBlockV1,
  hookedBlockV2,
  newBlockJson,
  newBurnBlockJson,
} from './shapes_pushed.mjs';

const HOOKS = {
  'chainhook-v1': { delivery: chainhookV1, hooked: hookedBlockV1 },
  'chainhook-v2': { delivery: chainhookV2, hooked: hookedBlockV2 },
};
const KINDS = ['node', ...Object.keys(HOOKS)];
const FIELDS = ['url', 'kind', 'secret', 'contract', 'repeat', 'lose', 'shuffle'];
const MOST_WAITING = 1000;
const TRIES = 3;
const ANSWER_MS = 5000;
const SHUFFLED_MS = 400;

export class Observers {
  #all = [];
  #log;

  constructor(log) {
    this.#log = log;
  }

  /** Replaces all of them. @throws BadFault; nothing has changed then */
  set({ observers = [], seed = 1, ...unknown }) {
    const odd = Object.keys(unknown);
    if (odd.length > 0) throw new BadFault(`there is no ${odd.join(', ')}`);
    if (!Array.isArray(observers)) throw new BadFault('observers must be a list');
    const successors = observers.map((told) => new Observer(read(told), generator(seed), this.#log));
    for (const observer of this.#all) observer.stop();
    this.#all = successors;
    return this.told();
  }

  told() {
    return { observers: this.#all.map((observer) => observer.told()) };
  }

  sealed(block) {
    for (const observer of this.#all) observer.sealed(block);
  }

  /** @param orphaned newest block first */
  reorganised(orphaned) {
    for (const observer of this.#all) observer.reorganised(orphaned);
  }
}

class Observer {
  #told;
  #random;
  #log;
  #queue = [];
  #busy = false;
  #rolledBack = [];
  #counts = { delivered: 0, failed: 0, lost: 0, overflowed: 0 };

  constructor(told, random, log) {
    this.#told = told;
    this.#random = random;
    this.#log = log;
  }

  told() {
    const { secret, ...shown } = this.#told;
    return { ...shown, waiting: this.#queue.length, ...this.#counts };
  }

  sealed(block) {
    const { kind, contract } = this.#told;
    if (kind === 'node') {
      this.#offer('/new_block', newBlockJson(block));
      if (block.burnBlocks > 0) this.#offer('/new_burn_block', newBurnBlockJson(block));
      return;
    }
    const { delivery, hooked } = HOOKS[kind];
    this.#offer('', delivery({ apply: [hooked(block, contract)], rollback: this.#rolledBack.splice(0) }));
  }

  /** Kept as they are now: what happened in them is taken back next. */
  reorganised(orphaned) {
    const { kind, contract } = this.#told;
    if (kind !== 'node') this.#rolledBack.push(...orphaned.map((block) => HOOKS[kind].hooked(block, contract)));
  }

  /** Forgets what waits; nothing new is told to it. */
  stop() {
    this.#queue.length = 0;
  }

  #offer(path, body) {
    if (this.#random() < this.#told.lose) {
      this.#counts.lost += 1;
      return;
    }
    const times = this.#random() < this.#told.repeat ? 2 : 1;
    for (let time = 0; time < times; time += 1) this.#enqueue({ path, content: JSON.stringify(body) });
  }

  #enqueue(delivery) {
    if (this.#queue.length >= MOST_WAITING) {
      this.#queue.shift();
      this.#counts.overflowed += 1;
    }
    this.#queue.push(delivery);
    if (this.#told.shuffle) setTimeout(() => this.#work(), this.#random() * SHUFFLED_MS).unref();
    else this.#work();
  }

  async #work() {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#queue.length > 0) {
      const place = this.#told.shuffle ? Math.floor(this.#random() * this.#queue.length) : 0;
      const [delivery] = this.#queue.splice(place, 1);
      const arrived = await this.#deliver(delivery);
      this.#counts[arrived ? 'delivered' : 'failed'] += 1;
    }
    this.#busy = false;
  }

  async #deliver({ path, content }) {
    const { url, secret } = this.#told;
    const headers = { 'content-type': 'application/json' };
    if (secret !== null) headers.authorization = `Bearer ${secret}`;
    for (let time = 0; time < TRIES; time += 1) {
      try {
        const signal = AbortSignal.timeout(ANSWER_MS);
        const answer = await fetch(url + path, { method: 'POST', body: content, headers, signal });
        await answer.arrayBuffer();
        if (answer.ok) return true;
      } catch (error) {
        this.#log.debug('not delivered', { url, error: error.message });
      }
    }
    return false;
  }
}

function read(told) {
  if (typeof told !== 'object' || told === null) throw new BadFault('an observer must be an object');
  const { url, kind, secret = null, contract = null, repeat = '0', lose = '0', shuffle = false } = told;
  const odd = Object.keys(told).filter((name) => !FIELDS.includes(name));
  if (odd.length > 0) throw new BadFault(`an observer has no ${odd.join(', ')}`);
  if (typeof url !== 'string' || !/^http:\/\/(127\.0\.0\.1|localhost):\d+(\/|$)/.test(url)) {
    throw new BadFault('url must be http and on loopback, with its port');
  }
  if (!KINDS.includes(kind)) throw new BadFault(`kind must be one of ${KINDS.join(', ')}`);
  if (secret !== null && typeof secret !== 'string') throw new BadFault('secret must be text');
  if (contract !== null && typeof contract !== 'string') throw new BadFault('contract must be an id');
  if (typeof shuffle !== 'boolean') throw new BadFault('shuffle must be true or false');
  return { url, kind, secret, contract, repeat: shareOf('repeat', repeat), lose: shareOf('lose', lose), shuffle };
}
