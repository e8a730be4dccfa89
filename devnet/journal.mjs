/** The journal: every operation that changes the chain or the market, a line of JSON each, done again at the next start. */
import fs from 'node:fs';

const VERSION = 1;
const FORMAT = 'devnet_journal';
const BEGINNING = `{"${FORMAT}":`;
const CHUNK_BYTES = 1024 * 1024;
const OWNER_ONLY = 0o600;

/** The journal cannot be followed; the message is a sentence for whoever starts the process. */
export class BadJournal extends Error {
  constructor(path, reason) {
    const plain = reason.replaceAll(/\s+/g, ' ');
    super(
      `the journal ${path} cannot be followed: ${plain}; ` +
        'it must be removed together with the database (registry reset does both)',
    );
  }
}

/** What there is instead of a journal where none is asked for. */
export class NoJournal {
  figures = null;

  /** @param {{run: string, born: number}} birth of the chain */
  constructor(birth) {
    this.birth = birth;
  }

  record() {}

  *entries() {}

  resume() {}
}

export class Journal {
  #path;
  #fd;
  #lost;
  #lines;
  #bytes = 0;
  #operations = 0;
  #replay = null;

  /**
   * Opens a journal, or begins one.
   * @param {{epoch: string, transactionsPerBlock: number}} settings with which it has to have been written
   * @param {{birth: {run: string, born: number}, lost: (sentence: string) => never}} given `birth` of a chain that begins
   *   now; `lost` is called when an operation cannot be written, and must end the process
   * @throws BadJournal, or a system error of opening it
   */
  constructor(path, settings, { birth, lost }) {
    this.#path = path;
    this.#lost = lost;
    this.#fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_APPEND, OWNER_ONLY);
    this.#lines = this.#read();
    const header = headerOf(settings, birth);
    const first = this.#lines.next();
    if (first.done) this.#write(header);
    const { run, born } = first.done ? birth : this.#checked(this.#parse(first.value), header);
    this.birth = { run, born };
    fs.fchmodSync(this.#fd, OWNER_ONLY);
  }

  /** For the status: how many operations it holds, and what replaying took. Null before that is over. */
  get figures() {
    return this.#replay && { operations: this.#operations, bytes: this.#bytes, ...this.#replay };
  }

  /** The part of the journal that `entries` has given out, from 0 to 1. */
  get progress() {
    return this.#bytes / Math.max(1, fs.fstatSync(this.#fd).size);
  }

  /** What was done, in order; what was not written to its end is cut off. @throws BadJournal */
  *entries() {
    for (const line of this.#lines) {
      this.#operations += 1;
      yield this.#parse(line);
    }
  }

  /** From now on operations are written. @param {number} ms how long it took to do all again */
  resume(ms) {
    this.#replay = { replayed: this.#operations, replay_ms: ms };
  }

  /** Writes one operation, before its caller is answered; what is being done again is there already. */
  record(entry) {
    if (this.#replay === null) return;
    this.#operations += 1;
    try {
      this.#write(entry);
    } catch (error) {
      this.#lost(`the journal ${this.#path} cannot be written any more: ${error.message}`);
    }
  }

  bad(reason) {
    return new BadJournal(this.#path, reason);
  }

  /** The lines that were written to their end. */
  *#read() {
    const chunk = Buffer.alloc(CHUNK_BYTES);
    let rest = Buffer.alloc(0);
    for (let at = 0, size; (size = fs.readSync(this.#fd, chunk, 0, CHUNK_BYTES, at)) > 0; at += size) {
      rest = Buffer.concat([rest, chunk.subarray(0, size)]);
      if (at === 0 && !isBeginning(rest.toString('utf8', 0, BEGINNING.length))) throw this.bad('it is no journal');
      let start = 0;
      for (let end; (end = rest.indexOf('\n', start)) >= 0; start = end + 1) {
        this.#bytes += end + 1 - start;
        yield rest.toString('utf8', start, end);
      }
      rest = rest.subarray(start);
    }
    if (rest.length > 0) fs.ftruncateSync(this.#fd, this.#bytes);
  }

  #parse(line) {
    try {
      return JSON.parse(line);
    } catch (error) {
      throw this.bad(`its line at byte ${this.#bytes - Buffer.byteLength(line) - 1} is no JSON (${error.message})`);
    }
  }

  #checked(found, expected) {
    for (const name of [FORMAT, 'epoch', 'transactions_per_block']) {
      if (found[name] !== expected[name]) {
        throw this.bad(`its ${name} is ${JSON.stringify(found[name])}, not ${JSON.stringify(expected[name])}`);
      }
    }
    return found;
  }

  #write(entry) {
    const { size, nlink } = fs.fstatSync(this.#fd);
    if (nlink === 0) throw new Error('it was removed');
    if (size !== this.#bytes) throw new Error('somebody else writes into it');
    const line = Buffer.from(`${JSON.stringify(entry)}\n`);
    if (fs.writeSync(this.#fd, line) !== line.length) throw new Error('there is no room for it');
    this.#bytes += line.length;
  }
}

function headerOf({ epoch, transactionsPerBlock }, { run, born }) {
  return { [FORMAT]: VERSION, epoch, transactions_per_block: transactionsPerBlock, run, born };
}

/** Whether a file that begins so is a journal, or was going to be one: it may be somebody's other file. */
function isBeginning(text) {
  return BEGINNING.startsWith(text);
}
