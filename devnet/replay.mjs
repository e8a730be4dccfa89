/** Does again what a journal says, and holds every block against the one that was made then. */
import { setImmediate } from 'node:timers/promises';
import { markOf } from './chain.mjs';

/** So often signals are listened to meanwhile, and so often a line says how far it is. */
const BREATH_MS = 50;
const TELL_MS = 2000;

/**
 * @param {{chain, orders: Record<string, (figures: object) => object>, log}} target `orders` are the admin API's, by name
 * @throws BadJournal
 */
export async function replay(journal, target) {
  const started = performance.now();
  const due = { breath: started + BREATH_MS, told: started + TELL_MS };
  let operations = 0;
  for (const entry of journal.entries()) {
    operations += 1;
    doAgain(journal, { entry, place: operations }, target);
    if (performance.now() < due.breath) continue;
    await setImmediate();
    due.breath = performance.now() + BREATH_MS;
    if (performance.now() < due.told) continue;
    due.told = performance.now() + TELL_MS;
    target.log.notice('replaying', { operations, percent: Math.floor(100 * journal.progress) });
  }
  journal.resume(Math.round(performance.now() - started));
}

function doAgain(journal, { entry, place }, { chain, orders }) {
  try {
    if (entry?.block !== undefined) mineAgain(chain, entry);
    else if (entry?.tx !== undefined) chain.submitAgain(Buffer.from(entry.tx, 'base64'), entry.at);
    else if (Object.hasOwn(orders, entry?.order)) orders[entry.order](entry.figures);
    else throw new Error(`there is no operation ${JSON.stringify(entry)}`);
  } catch (error) {
    throw journal.bad(`its operation ${place} comes to another end (${error.message})`);
  }
}

function mineAgain(chain, { block: mark, time, burn }) {
  const block = chain.mine(burn, time);
  if (markOf(block) !== mark) throw new Error(`block ${block.height} has the hash ${markOf(block)}…, not ${mark}…`);
}
