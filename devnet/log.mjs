/** One JSON object a line on stderr, from the chosen level up. */
const LEVELS = ['debug', 'info', 'warning', 'error', 'silent'];

export class Log {
  #from;

  constructor(level) {
    this.#from = LEVELS.indexOf(level);
  }

  debug(event, figures) {
    this.#write('debug', event, figures);
  }

  info(event, figures) {
    this.#write('info', event, figures);
  }

  error(event, figures) {
    this.#write('error', event, figures);
  }

  /** What somebody who waits wants to know: written at every level but silent. */
  notice(event, figures) {
    this.#write('error', event, figures, 'info');
  }

  #write(importance, event, figures, level = importance) {
    if (LEVELS.indexOf(importance) < this.#from) return;
    process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...figures })}\n`);
  }
}

export const LOG_LEVELS = LEVELS;
