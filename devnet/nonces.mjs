/** What the API makes of a principal's nonces, in whichever shape it says so. */

/** The next nonce passes over gaps; those of an account that never had a transaction mined are not seen at all. */
export function nonces(chain, principal) {
  const pending = chain.mempool.sentBy(principal).map(({ nonce }) => Number(nonce));
  const next = Number(chain.nextNonce(principal));
  const confirmed = next === 0 ? null : next - 1;
  const last = pending.at(-1) ?? null;
  const missing = [];
  if (confirmed !== null && last !== null) {
    for (let nonce = next; nonce < last; nonce += 1) if (!pending.includes(nonce)) missing.push(nonce);
  }
  return { next: Math.max(next, (last ?? -1) + 1), confirmed, last, pending, missing };
}
