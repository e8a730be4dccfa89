/** Post-conditions: what the signer allows a transaction to move. */
import * as stacks from '@stacks/transactions';

const { FungibleConditionCode, NonFungibleConditionCode, PostConditionMode, PostConditionPrincipalId } = stacks;
const { PostConditionType, PoxConditionCode } = stacks;

const COMPARE = {
  [FungibleConditionCode.Equal]: (sent, amount) => sent === amount,
  [FungibleConditionCode.Greater]: (sent, amount) => sent > amount,
  [FungibleConditionCode.GreaterEqual]: (sent, amount) => sent >= amount,
  [FungibleConditionCode.Less]: (sent, amount) => sent < amount,
  [FungibleConditionCode.LessEqual]: (sent, amount) => sent <= amount,
};

/**
 * @param wire the decoded transaction
 * @param origin the address that signed it
 * @param events what it moved, as the VM tells it
 * @returns null if all hold, else the sentence for vm_error
 */
export function brokenPostCondition(wire, origin, events) {
  const sent = sentBy(events);
  const covered = new Set();
  for (const condition of wire.postConditions.values) {
    const key = keyOf(condition, origin);
    covered.add(key);
    if (!holds(condition, sent.get(key) ?? 0n)) return `Post-condition check failure on ${key}`;
  }
  for (const key of sent.keys()) {
    if (!covered.has(key) && mustBeCovered(key, wire.postConditionMode, origin)) {
      return `Post-condition check failure: ${key} was sent and not covered`;
    }
  }
  return null;
}

/** Amounts (for a single token: 1) by "principal asset [token id]". Fees and mints are not in the events counted. */
function sentBy(events) {
  const sent = new Map();
  for (const { event, data } of events) {
    const [, kind] = /^(stx|ft|nft)_(?:transfer|burn)_event$/.exec(event) ?? [];
    if (kind === undefined) continue;
    const key = kind === 'stx' ? `${data.sender} STX` : `${data.sender} ${data.asset_identifier}`;
    if (kind === 'nft') sent.set(`${key} ${data.raw_value.replace(/^0x/, '')}`, 1n);
    else sent.set(key, (sent.get(key) ?? 0n) + BigInt(data.amount));
  }
  return sent;
}

function keyOf(condition, origin) {
  const who = principalOf(condition.principal, origin);
  switch (condition.conditionType) {
    case PostConditionType.STX:
      return `${who} STX`;
    case PostConditionType.Fungible:
      return `${who} ${assetOf(condition.asset)}`;
    case PostConditionType.NonFungible:
      return `${who} ${assetOf(condition.asset)} ${stacks.Cl.serialize(condition.assetName)}`;
    default:
      return `${who} staking`;
  }
}

function principalOf(principal, origin) {
  if (principal.prefix === PostConditionPrincipalId.Origin) return origin;
  const address = stacks.addressToString(principal.address);
  if (principal.prefix === PostConditionPrincipalId.Standard) return address;
  return `${address}.${principal.contractName.content}`;
}

function assetOf({ address, contractName, assetName }) {
  return `${stacks.addressToString(address)}.${contractName.content}::${assetName.content}`;
}

function holds({ conditionType, conditionCode, amount }, sent) {
  switch (conditionType) {
    case PostConditionType.NonFungible:
      if (conditionCode === NonFungibleConditionCode.Sends) return sent > 0n;
      if (conditionCode === NonFungibleConditionCode.DoesNotSend) return sent === 0n;
      return true;
    case PostConditionType.PoX:
      return conditionCode !== PoxConditionCode.WillPerform; // nobody stakes here
    default:
      return COMPARE[conditionCode](sent, amount);
  }
}

function mustBeCovered(key, mode, origin) {
  if (mode === PostConditionMode.Allow) return false;
  return mode === PostConditionMode.Deny || key.startsWith(`${origin} `);
}
