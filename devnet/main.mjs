/** The devnet's process: boots the VM, answers HTTP, makes blocks, and ends when told to. */
import { addAdminApi, orderTaker, ordersOf } from './admin_api.mjs';
import { Chain, newBirth } from './chain.mjs';
import { BlockClock } from './clock.mjs';
import { Faults } from './faults.mjs';
import { addHiroApi } from './hiro_api.mjs';
import { Router, serve } from './http.mjs';
import { BadJournal, Journal, NoJournal } from './journal.mjs';
import { LaggingView } from './lagging.mjs';
import { Log } from './log.mjs';
import { Market } from './market.mjs';
import { addNodeApi } from './node_api.mjs';
import { Observers } from './observers.mjs';
import { BadOption, readOptions } from './options.mjs';
import { replay } from './replay.mjs';
import { addBinance } from './venues/binance.mjs';
import { addBitstamp } from './venues/bitstamp.mjs';
import { addCoinbase } from './venues/coinbase.mjs';
import { addKraken } from './venues/kraken.mjs';
import { addPyth } from './venues/pyth.mjs';
import { Vm } from './vm.mjs';
import { addWalletApi } from './wallet_api.mjs';

const BAD_USAGE = 2;
const BAD_JOURNAL = 3;

async function main() {
  const options = readOptions(process.argv.slice(2), process.env);
  const log = new Log(options.logLevel);
  const journal = journalOf(options);
  const chain = new Chain(await Vm.boot(options.epoch, log, journal.birth.born), options, journal);
  const devnet = {
    chain,
    clock: new BlockClock(chain, options, log),
    market: new Market(),
    faults: new Faults(),
    observers: new Observers(log),
    journal,
  };
  const server = serve(routes(devnet, options.api), log, devnet.faults);
  endWhenTold(() => {
    devnet.clock.stop();
    server.close(() => process.exit(0));
    server.closeAllConnections();
  }, options);
  await replay(journal, { chain, orders: ordersOf(devnet), log });
  chain.watch(devnet.observers);
  devnet.clock.start();
  server.listen(options.port, '127.0.0.1', () => {
    const { port } = server.address();
    process.stdout.write(`${JSON.stringify({ listening: port })}\n`);
    log.info('listening', { port, boot_ms: Math.round(performance.now()) });
  });
}

function journalOf(options) {
  const birth = newBirth();
  if (options.journal === null) return new NoJournal(birth);
  try {
    return new Journal(options.journal, options, { birth, lost: (sentence) => end(sentence, 1) });
  } catch (error) {
    throw error.code === undefined ? error : new BadOption(`--journal cannot be opened: ${error.message}`);
  }
}

function routes(devnet, api) {
  const router = new Router();
  addNodeApi(router, devnet.chain, devnet.faults);
  addHiroApi(router, new LaggingView(devnet.chain, devnet.faults), api);
  addAdminApi(router, devnet);
  addWalletApi(router, { chain: devnet.chain, order: orderTaker(devnet) });
  for (const addVenue of [addBinance, addBitstamp, addCoinbase, addKraken, addPyth]) addVenue(router, devnet.market);
  return router;
}

function endWhenTold(end, { exitWithParent }) {
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
  if (!exitWithParent) return;
  process.stdin.once('end', end);
  process.stdin.once('close', end);
  process.stdin.resume();
}

function end(sentence, status) {
  process.stderr.write(`${sentence}\n`);
  process.exit(status);
}

main().catch((error) => {
  if (error instanceof BadOption) end(error.message, BAD_USAGE);
  if (error instanceof BadJournal) end(error.message, BAD_JOURNAL);
  end(error.stack, 1);
});
