/** Clarity values from hex, read as strictly as the VM reads them: what the library lets pass would break it. */
import { Cl, ClarityType } from '@stacks/transactions';

const ASCII = /^[\t\n\v\f\r\x20-\x7e]*$/;

/** @throws Error that says why it is none */
export function decodeValue(hex) {
  const plain = hex.toLowerCase().replace(/^0x/, '');
  const value = Cl.deserialize(plain);
  if (Cl.serialize(value) !== plain) throw new Error('the bytes are not those of the value they say');
  requireAscii(value);
  return value;
}

/** @throws Error where a string-ascii holds something else */
export function requireAscii(value) {
  switch (value.type) {
    case ClarityType.StringASCII:
      if (!ASCII.test(value.value)) throw new Error('a string-ascii holds other characters');
      break;
    case ClarityType.Tuple:
      Object.values(value.value).forEach(requireAscii);
      break;
    case ClarityType.List:
      value.value.forEach(requireAscii);
      break;
    case ClarityType.OptionalSome:
    case ClarityType.ResponseOk:
    case ClarityType.ResponseErr:
      requireAscii(value.value);
      break;
    default:
  }
}
