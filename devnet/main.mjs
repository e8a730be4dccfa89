/** The devnet's process: boots the VM, answers HTTP, makes blocks, and ends when told to. */
import { addAdminApi } from './admin_api.mjs';
import { Chain } from './chain.mjs';
import { BlockClock } from './clock.mjs';
import { addHiroApi } from './hiro_api.mjs';
import { Router, serve } from './http.mjs';
import { Log } from './log.mjs';
import { Market } from './market.mjs';
import { addNodeApi } from './node_api.mjs';
import { BadOption, readOptions } from './options.mjs';
import { addBinance } from './venues/binance.mjs';
import { addBitstamp } from './venues/bitstamp.mjs';
import { addCoinbase } from './venues/coinbase.mjs';
import { addKraken } from './venues/kraken.mjs';
import { addPyth } from './venues/pyth.mjs';
import { Vm } from './vm.mjs';

const BAD_USAGE = 2;

async function main() {
  const options = readOptions(process.argv.slice(2), process.env);
  const log = new Log(options.logLevel);
  const chain = new Chain(await Vm.boot(options.epoch, log), options);
  const clock = new BlockClock(chain, options, log);
  const server = serve(routes(chain, clock, new Market()), log);
  endWhenTold(() => {
    clock.stop();
    server.close(() => process.exit(0));
    server.closeAllConnections();
  }, options);
  server.listen(options.port, '127.0.0.1', () => {
    const { port } = server.address();
    process.stdout.write(`${JSON.stringify({ listening: port })}\n`);
    log.info('listening', { port, boot_ms: Math.round(performance.now()) });
  });
}

function routes(chain, clock, market) {
  const router = new Router();
  addNodeApi(router, chain);
  addHiroApi(router, chain);
  addAdminApi(router, { chain, clock, market });
  for (const addVenue of [addBinance, addBitstamp, addCoinbase, addKraken, addPyth]) addVenue(router, market);
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

main().catch((error) => {
  process.stderr.write(`${error instanceof BadOption ? error.message : error.stack}\n`);
  process.exit(error instanceof BadOption ? BAD_USAGE : 1);
});
