// The contract call of codec.py, built, signed and encoded with stacks.js: a rate for each number of calls asked for.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [packageFile, key, address, name, functionName] = process.argv.slice(2);
const stacks = createRequire(packageFile)("@stacks/transactions");

const call = async (nonce) => {
  const transaction = await stacks.makeContractCall({
    contractAddress: address,
    contractName: name,
    functionName,
    functionArgs: [stacks.uintCV(nonce), stacks.uintCV(2)],
    senderKey: key,
    network: "testnet",
    nonce,
    fee: 3000,
    postConditionMode: stacks.PostConditionMode.Deny,
  });
  return [transaction.serialize(), transaction.txid()];
};

for await (const line of createInterface({ input: process.stdin })) {
  const calls = Number(line);
  let txid;
  const start = performance.now();
  for (let nonce = 0; nonce < calls; nonce++) [, txid] = await call(nonce);
  console.log(JSON.stringify({ rate: (calls * 1000) / (performance.now() - start), txid }));
}
