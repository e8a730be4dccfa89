/** The Clarity VM: a simnet session whose whole state lies in one wasm memory, which can be put back. */
import { createRequire } from 'node:module';
import { Snapshots } from './snapshot.mjs';

/** Receives every fee. It is not anybody's address; it also pays the marks below. */
export const FEE_COLLECTOR = 'ST000000000000000000002AMW42H';
/** Gets one micro-STX before each transaction, so that its balance tells how far a block came that threw. */
const PROGRESS = 'ST000000000000000000042DB08Y';
const MARKS = 1_000_000_000n;
const MARK = { transferSTX: { amount: 1, recipient: PROGRESS, sender: FEE_COLLECTOR } };

/** What may have to be done again to stand at a state, before its memory is kept instead: some 5 ms, half a restore. */
const MOST_WEIGHT = 500;
const CALL_WEIGHT = 50;

/** The VM takes STX amounts as JSON numbers; below this sum of all balances none of them can lose a digit. */
const MOST_STX = BigInt(Number.MAX_SAFE_INTEGER);

/** A transaction of a block threw; `index` is its place, or null where the VM itself broke down. */
export class VmThrew extends Error {
  constructor(index, message) {
    super(message);
    this.index = index;
  }
}

/** A read failed inside the VM. */
export class ReadFailed extends Error {}

/** More STX than there can be, or for somebody who cannot have any. */
export class CannotMint extends Error {}

export class Vm {
  #wasm;
  #session;
  #snapshots;
  #log;
  /** The image that the memory came from, or null where that is not known; and what was done since. */
  #base = null;
  #steps = [];

  /**
   * @param {string} epoch such as "3.4"
   * @param {number} born Unix seconds: the VM's block times start from here, whatever the machine's clock says
   */
  static async boot(epoch, log, born = Math.floor(Date.now() / 1000)) {
    const { wasm, memory } = load();
    return withClockAt(born, async () => {
      const session = new wasm.SDK(async () => false, new wasm.SDKOptions(false, false, false));
      await session.initEmptySession({ enabled: false, api_url: '' });
      session.setEpoch(epoch);
      session.mintSTX(FEE_COLLECTOR, MARKS);
      return new Vm(wasm, session, new Snapshots(memory), log);
    });
  }

  constructor(wasm, session, snapshots, log) {
    this.#wasm = wasm;
    this.#session = session;
    this.#snapshots = snapshots;
    this.#log = log;
  }

  get burnHeight() {
    return this.#session.burnBlockHeight;
  }

  /** The state as it is, to be stood at later: a copy of the memory, or what little was done since another image. */
  snapshot() {
    const weight = this.#steps.reduce((sum, step) => sum + step.weight, this.#base?.weight ?? Infinity);
    const isLittle = weight <= MOST_WEIGHT;
    const image = isLittle
      ? { pages: null, parent: this.#base, steps: this.#steps, weight }
      : { pages: this.#snapshots.take(), parent: null, steps: [], weight: 0 };
    this.#standAt(image);
    return image;
  }

  /** Goes to a state; costs nothing where the VM stands there already. */
  stand(image) {
    const way = [];
    let from = image;
    for (; from.pages === null && !this.#standsAt(from); from = from.parent) way.push(from);
    if (!this.#standsAt(from)) this.#snapshots.restore(from.pages);
    this.#base = null;
    for (const { steps } of way.reverse()) steps.forEach(({ again }) => again());
    this.#standAt(image);
  }

  #standsAt(image) {
    return this.#base === image && this.#steps.length === 0;
  }

  #standAt(image) {
    this.#base = image;
    this.#steps = [];
  }

  /** Does what can be done again to the same end. @throws what `step` throws; where the VM stands is then not known */
  #do(weight, step) {
    const [base, steps] = [this.#base, this.#steps];
    this.#base = null;
    const result = step();
    this.#base = base;
    steps.push({ weight, again: step });
    return result;
  }

  mineBurnBlocks(count) {
    this.#do(count, () => this.#session.mineEmptyBurnBlocks(count));
  }

  /**
   * Runs groups of simnet calls, one group per transaction, as one block.
   * @returns for each group its results {result: hex, events: [{event, data}]}
   * @throws VmThrew; the state is then half done and must be put back
   */
  mineBlock(groups) {
    const before = this.#marks();
    const calls = groups.flatMap((group) => [MARK, ...group]);
    let results;
    try {
      results = this.#do(weightOf(groups), () => this.#muted(() => this.#session.mineBlock(calls)));
    } catch (error) {
      const index = this.#progressSince(before);
      if (index === -1) throw error; // not a single mark: these were no calls at all
      throw new VmThrew(index, messageOf(error));
    }
    const parsed = results.map(parseResult);
    return groups.map((group) => parsed.splice(0, group.length + 1).slice(1));
  }

  /** Only where the VM stands at an image. @returns hex of the value; the state is left as it was */
  callReadOnly(contractId, functionName, args, sender) {
    const call = new this.#wasm.CallFnArgs(contractId, functionName, args, sender);
    try {
      const answer = this.#muted(() => this.#session.callReadOnlyFn(call));
      const { result } = answer;
      answer.free();
      call.free();
      return result;
    } catch (error) {
      // Errors of Clarity are strings; anything else is a panic, after which the session answers nothing any more.
      if (error instanceof Error) this.#recover();
      else call.free();
      throw new ReadFailed(messageOf(error));
    }
  }

  /** Micro-STX by principal, contracts too; who never had any is missing. */
  stxBalances() {
    return this.#session.getAssetsMap().get('STX') ?? new Map();
  }

  mintStx(recipient, amount) {
    if (recipient.includes('.')) throw new CannotMint('STX can be minted for an address, not for a contract');
    const all = [...this.stxBalances().values()].reduce((sum, balance) => sum + balance, 0n);
    if (amount < 1n || all + amount > MOST_STX) {
      throw new CannotMint(`amount must be from 1 to ${MOST_STX - all} micro-STX, not ${amount}`);
    }
    this.#do(1, () => this.#session.mintSTX(recipient, amount));
  }

  /** The interface in the node's JSON form; a contract without any definition has an empty one. */
  contractInterface(contractId) {
    const known = this.#session.getContractsInterfaces().get(contractId);
    if (known !== undefined) return known;
    const empty = { functions: [], variables: [], maps: [], fungible_tokens: [], non_fungible_tokens: [] };
    return { ...empty, epoch: this.#session.currentEpoch, clarity_version: null };
  }

  #recover() {
    const image = this.#base;
    this.#base = null;
    this.stand(image);
  }

  /** What was deployed, to the letter; only where the VM stands at an image. */
  contractSource(contractId) {
    return this.#session.getContractSource(contractId);
  }

  #marks() {
    return this.stxBalances().get(PROGRESS) ?? 0n;
  }

  #progressSince(before) {
    try {
      return Number(this.#marks() - before) - 1;
    } catch {
      return null; // a panic inside the wasm: nothing can be asked until the memory is put back
    }
  }

  /** The VM prints the traces of Clarity errors on the console; they belong into the log. */
  #muted(work) {
    const { log, error } = console;
    const toLog = (...texts) => this.#log.debug('vm_printed', { text: texts.join(' ') });
    console.log = toLog;
    console.error = toLog;
    try {
      return work();
    } finally {
      console.log = log;
      console.error = error;
    }
  }
}

/**
 * Loads the wasm so that its memory can be put back: the instance is caught as it is made, and its objects get no
 * finalizers, which after a restore would free what belongs to another object by then.
 */
function load() {
  const { Instance } = WebAssembly;
  const { FinalizationRegistry } = globalThis;
  let instance;
  WebAssembly.Instance = function recordingInstance(module, imports) {
    instance = new Instance(module, imports);
    return instance;
  };
  globalThis.FinalizationRegistry = class NoFinalizers {
    register() {}

    unregister() {}
  };
  try {
    const here = createRequire(import.meta.url);
    const wasm = createRequire(here.resolve('@stacks/clarinet-sdk'))('@stacks/clarinet-sdk-wasm');
    return { wasm, memory: instance.exports.memory };
  } finally {
    WebAssembly.Instance = Instance;
    globalThis.FinalizationRegistry = FinalizationRegistry;
  }
}

/** Runs `work` with the machine's clock stopped. */
async function withClockAt(seconds, work) {
  const { Date } = globalThis;
  globalThis.Date = class StoppedDate extends Date {
    constructor(...given) {
      super(...(given.length === 0 ? [seconds * 1000] : given));
    }

    static now() {
      return seconds * 1000;
    }
  };
  try {
    return await work();
  } finally {
    globalThis.Date = Date;
  }
}

/** A deployment costs too much to be done twice. */
function weightOf(groups) {
  const calls = groups.flat();
  return calls.some(({ deployContract }) => deployContract) ? Infinity : 1 + CALL_WEIGHT * groups.length;
}

function parseResult({ result, events }) {
  return { result, events: JSON.parse(events).map((event) => JSON.parse(event)) };
}

function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
