/** Whether the arguments of a call are of the function's types, which the VM itself does not ask. */
import { ClarityType, validateContractCall } from '@stacks/transactions';

/** @throws Error that names the argument */
export function checkArguments(contractInterface, functionName, values) {
  validateContractCall({ functionName: { content: functionName }, functionArgs: values }, contractInterface);
  const { args } = contractInterface.functions.find(({ name }) => name === functionName);
  values.forEach((value, place) => {
    if (!hasOnlyKnownKeys(value, args[place].type)) {
      throw new Error(`argument ${place + 1} (${args[place].name}) has a tuple with keys that its type lacks`);
    }
  });
}

/** For a value that fits its type otherwise: the library lets tuples with more keys pass. */
function hasOnlyKnownKeys(value, type) {
  switch (value.type) {
    case ClarityType.Tuple:
      return (
        Object.keys(value.value).length === type.tuple.length &&
        type.tuple.every((entry) => hasOnlyKnownKeys(value.value[entry.name], entry.type))
      );
    case ClarityType.List:
      return value.value.every((item) => hasOnlyKnownKeys(item, type.list.type));
    case ClarityType.OptionalSome:
      return hasOnlyKnownKeys(value.value, type.optional);
    case ClarityType.ResponseOk:
      return hasOnlyKnownKeys(value.value, type.response.ok);
    case ClarityType.ResponseErr:
      return hasOnlyKnownKeys(value.value, type.response.error);
    default:
      return true;
  }
}
