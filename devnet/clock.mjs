/** Block production on timers: every so often a Stacks block, every so often a Bitcoin block. */

export class BlockClock {
  #chain;
  #log;
  #isRunning = false;
  #timers = [];
  #burnBlocksDue = 0;
  paused = false;

  /** @param periods {blockMs, burnBlockMs}; 0 means that none comes by itself, and so it is until `start` */
  constructor(chain, { blockMs, burnBlockMs }, log) {
    this.#chain = chain;
    this.#log = log;
    this.set({ blockMs, burnBlockMs });
  }

  start() {
    this.#isRunning = true;
    this.#wind();
  }

  /** Other periods from now on; a paused clock stays paused. */
  set({ blockMs = this.blockMs, burnBlockMs = this.burnBlockMs }) {
    this.blockMs = blockMs;
    this.burnBlockMs = burnBlockMs;
    this.#wind();
  }

  pause() {
    this.paused = true;
    this.#wind();
  }

  resume() {
    if (!this.paused) return;
    this.paused = false;
    this.#wind();
  }

  stop() {
    this.#isRunning = false;
    this.#wind();
  }

  #wind() {
    this.#timers.forEach(clearInterval);
    this.#timers = [];
    if (!this.#isRunning || this.paused) return;
    if (this.burnBlockMs > 0) this.#timers.push(setInterval(() => this.#burnBlock(), this.burnBlockMs));
    if (this.blockMs > 0) this.#timers.push(setInterval(() => this.#block(), this.blockMs));
  }

  /** Bitcoin's block shows with the next Stacks block, at once where those do not come by themselves. */
  #burnBlock() {
    this.#burnBlocksDue += 1;
    if (this.blockMs === 0) this.#block();
  }

  #block() {
    const burnBlocks = this.#burnBlocksDue;
    this.#burnBlocksDue = 0;
    const block = this.#chain.mine(burnBlocks);
    const { height, burnHeight, transactions } = block;
    this.#log.debug('block_sealed', { height, burn_height: burnHeight, transactions: transactions.length });
  }
}
