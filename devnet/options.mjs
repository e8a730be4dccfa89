/** The settings: `--name value` on the command line, or DEVNET_NAME in the environment. */
import { parseArgs } from 'node:util';
import { API_VERSIONS } from './api_versions.mjs';
import { LOG_LEVELS } from './log.mjs';

/** Epochs that the VM knows and that have Nakamoto blocks. */
const EPOCHS = ['3.0', '3.1', '3.2', '3.3', '3.4', '4.0'];

const WHOLE_NUMBERS = {
  port: 0,
  'block-ms': 0,
  'burn-block-ms': 0,
  'transactions-per-block': 100,
  snapshots: 192,
};

export class BadOption extends Error {}

/**
 * @param {string[]} argv without the program's name
 * @returns frozen settings; a period of 0 ms means "only on demand"
 * @throws BadOption, which says what is wrong with which option
 */
export function readOptions(argv, environment) {
  const given = parse(argv);
  const text = (name, otherwise) => given[name] ?? environment[variable(name)] ?? otherwise;
  const numbers = Object.fromEntries(
    Object.entries(WHOLE_NUMBERS).map(([name, otherwise]) => [name, wholeNumber(name, text(name, String(otherwise)))]),
  );
  return Object.freeze({
    port: numbers.port,
    blockMs: numbers['block-ms'],
    burnBlockMs: numbers['burn-block-ms'],
    transactionsPerBlock: atLeastOne('transactions-per-block', numbers),
    snapshots: atLeastOne('snapshots', numbers),
    epoch: oneOf('epoch', text('epoch', '3.4'), EPOCHS),
    api: oneOf('api', text('api', 'v3'), API_VERSIONS),
    journal: text('journal', '') || null,
    logLevel: oneOf('log-level', text('log-level', 'error'), LOG_LEVELS),
    exitWithParent: given['exit-with-parent'] ?? environment[variable('exit-with-parent')] === '1',
  });
}

function parse(argv) {
  const names = [...Object.keys(WHOLE_NUMBERS), 'epoch', 'api', 'journal', 'log-level'];
  const texts = names.map((name) => [name, { type: 'string' }]);
  const options = { ...Object.fromEntries(texts), 'exit-with-parent': { type: 'boolean' } };
  try {
    return parseArgs({ args: argv, options }).values;
  } catch (error) {
    throw new BadOption(error.message);
  }
}

function variable(name) {
  return `DEVNET_${name.toUpperCase().replaceAll('-', '_')}`;
}

function wholeNumber(name, text) {
  if (!/^\d{1,9}$/.test(text)) throw new BadOption(`--${name} must be a whole number, not ${JSON.stringify(text)}`);
  return Number(text);
}

function atLeastOne(name, numbers) {
  if (numbers[name] < 1) throw new BadOption(`--${name} must be at least 1`);
  return numbers[name];
}

function oneOf(name, text, allowed) {
  if (!allowed.includes(text)) throw new BadOption(`--${name} must be one of ${allowed.join(', ')}, not ${text}`);
  return text;
}
