/** Pyth's Hermes: prices as whole numbers with an exponent; a key is asked for, any will do. */
import { shifted } from '../decimals.mjs';
import { json, text } from '../http.mjs';

const FEEDS = {
  e62df6c8b4a85fe1a67db44dc12de5db330f7ac66b72dc658afedf0f4a415b43: 'BTC/USD',
  ec7a775f46379b5e943c3526b1c8d54cd49749176b0b98e02dde68d1bd335c17: 'STX/USD',
};
const EXPONENT = -8;
/** The confidence interval, in 100 000ths of the price. */
const CONFIDENCE = 40;

export function addPyth(router, market) {
  router.on('GET', '/venues/pyth/v2/updates/price/latest', ({ query, headers }) => latest(market, query, headers));
}

function latest(market, query, { authorization = '' }) {
  if (!/^Bearer \S+$/.test(authorization)) return text(401, 'Unauthorized');
  const ids = query.getAll('ids[]').map((id) => id.toLowerCase().replace(/^0x/, ''));
  const unknown = ids.filter((id) => FEEDS[id] === undefined);
  if (ids.length === 0) return text(400, 'Failed to deserialize query string: missing field `ids`');
  if (unknown.length > 0) return text(404, `Price ids not found: ${unknown.map((id) => `0x${id}`).join(', ')}`);
  const binary = { encoding: 'hex', data: [`504e4155${'00'.repeat(32)}`] };
  if (query.get('parsed') === 'false') return json(200, { binary });
  return json(200, { binary, parsed: ids.map((id) => feedJson(market, id)) });
}

function feedJson(market, id) {
  const publishTime = Math.floor(market.now('pyth') / 1000);
  const units = market.price('pyth', FEEDS[id]);
  const confidence = shifted(units, CONFIDENCE) - units;
  const price = { price: String(units), conf: String(confidence), expo: EXPONENT, publish_time: publishTime };
  const metadata = { slot: publishTime * 2, proof_available_time: publishTime, prev_publish_time: publishTime - 1 };
  return { id, price, ema_price: { ...price }, metadata };
}
