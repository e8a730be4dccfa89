/** Clarity values as the API prints them; unlike the library's text, tuples are `(tuple (key value))`. */
import { Cl, ClarityType } from '@stacks/transactions';

/** @param {string} hex with or without 0x */
export function reprOfHex(hex) {
  return repr(Cl.deserialize(hex));
}

function repr(value) {
  switch (value.type) {
    case ClarityType.Tuple:
      return `(tuple ${Object.entries(value.value)
        .sort(byKey)
        .map(([key, item]) => `(${key} ${repr(item)})`)
        .join(' ')})`;
    case ClarityType.List:
      return value.value.length === 0 ? '(list)' : `(list ${value.value.map(repr).join(' ')})`;
    case ClarityType.OptionalSome:
      return `(some ${repr(value.value)})`;
    case ClarityType.ResponseOk:
      return `(ok ${repr(value.value)})`;
    case ClarityType.ResponseErr:
      return `(err ${repr(value.value)})`;
    default:
      return Cl.stringify(value);
  }
}

function byKey([a], [b]) {
  return a < b ? -1 : 1;
}
