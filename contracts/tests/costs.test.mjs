// What a batch costs: the laws by which the backend chooses how many policies go into one transaction.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openPool } from "./open-pool.mjs";
import { countCosts } from "./vm.mjs";

countCosts();

const LONGEST = 200;
const TENURE = { reads: 15_000, writes: 15_000, runtime: 5_000_000_000 }; // until epoch 4.0, which doubles the reads

const pool = await openPool();
const owner = pool.buyer();
const sell = (count, token) => Array.from({ length: count }, () => pool.policy({ token, collateral: 10n }, owner).id);

/** Reads, writes and runtime of a batch in which every entry was accepted. */
function costOf(method, entries) {
  const { ok, costs } = pool.asBackend(method, entries);
  assert.deepEqual(ok.filter(({ err }) => err !== undefined), []);
  return { reads: costs.readCount, writes: costs.writeCount, runtime: costs.runtime };
}

/** Assert that the batch costs no more than its law says, and that the longest fits a tenure. */
function assertWithin(cost, law) {
  for (const unit of ["reads", "writes", "runtime"]) {
    assert.ok(cost[unit] <= law[unit], `${cost[unit]} ${unit}, the law says ${law[unit]}`);
    assert.ok(cost[unit] <= TENURE[unit]);
  }
}

test("expiring n policies reads 14 + 5 n, writes 1 + 2 n", () => {
  for (const count of [1, LONGEST]) {
    const ids = sell(count, "STX");
    pool.world.mineBurnBlocks(1_100);
    const law = { reads: 14 + 5 * count, writes: 1 + 2 * count, runtime: 90_000 + 110_000 * count };
    assertWithin(costOf("expire-policies", ids), law);
  }
});

for (const [token, reads, writes] of [["STX", 7, 3], ["sBTC", 11, 4]]) {
  test(`settling n policies in ${token} reads 14 + ${reads} n, writes 1 + ${writes} n`, () => {
    for (const count of [1, LONGEST]) {
      const entries = sell(count, token).map((id) => ({ "policy-id": id, amount: 1n }));
      const law = { reads: 14 + reads * count, writes: 1 + writes * count, runtime: 100_000 + 155_000 * count };
      assertWithin(costOf("settle-policies", entries), law);
    }
  });
}
