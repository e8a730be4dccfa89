/** What statuses and edges of a policy are called on the page. */

const STATUSES = {
  PendingCreation: { name: 'Waiting for purchase', step: 'Purchase', tone: 'waiting' },
  Active: { name: 'Active', tone: 'good' },
  Settling: { name: 'Paying out', step: 'Payout', tone: 'waiting' },
  Settled: { name: 'Paid out', tone: 'good' },
  Expiring: { name: 'Ending', tone: 'waiting' },
  Expired: { name: 'Ended', tone: 'over' },
  FailedCreation: { name: 'Not bought', tone: 'over' },
  FailedSettlement: { name: 'Payout delayed', tone: 'bad' },
  FailedExpiration: { name: 'Ending delayed', tone: 'bad' },
  Quarantined: { name: 'Looked into', tone: 'bad' },
};

const EDGES = {
  a: 'Quoted, and the collateral set aside',
  b: 'Purchase confirmed by the chain',
  c: 'Payout decided, and its amount fixed',
  d: 'Payout confirmed by the chain',
  e: 'Not bought in time; nothing was paid',
  f: 'The payout was refused by the contract',
  h: 'Payout tried again',
  i: 'Purchase confirmed after all',
  j: 'Ran out',
  k: 'Collateral given back',
  l: 'Giving back the collateral was refused',
  m: 'Tried again',
  n: 'A purchase that is looked into',
  o: 'Looked into, and stands',
  p: 'The chain took back the purchase’s block',
  q: 'The chain took back the payout’s block',
  r: 'The chain took back the end’s block',
  s: 'The chain took back the purchase’s block',
};

const BEGINNING = ['PendingCreation', 'Active'];
const ENDS = { Settled: ['Settling', 'Settled'], Expired: ['Expiring', 'Expired'] };

/** @returns {{name: string, step?: string, tone: 'waiting' | 'good' | 'over' | 'bad'}} `step` where it is called otherwise on the way */
export function statusOf(status) {
  return STATUSES[status] ?? { name: status, tone: 'waiting' };
}

export function edgeText({ edge, to }) {
  return EDGES[edge] ?? statusOf(to).name;
}

/** @returns {{status: string, name: string, state: 'done' | 'current' | 'coming'}[]} the way of a policy, and where it stands */
export function stepsOf(status) {
  const way = wayOf(status);
  const place = way.indexOf(status);
  return way.map((each, index) => ({
    status: each,
    name: statusOf(each).step ?? statusOf(each).name,
    state: index < place ? 'done' : index === place ? 'current' : 'coming',
  }));
}

function wayOf(status) {
  if (status === 'FailedCreation') return ['PendingCreation', 'FailedCreation'];
  if (status === 'Quarantined') return ['Quarantined'];
  if (status === 'FailedSettlement') return [...BEGINNING, 'FailedSettlement', 'Settled'];
  if (status === 'FailedExpiration') return [...BEGINNING, 'FailedExpiration', 'Expired'];
  const end = Object.values(ENDS).find((each) => each.includes(status)) ?? ENDS.Settled;
  return [...BEGINNING, ...end];
}
