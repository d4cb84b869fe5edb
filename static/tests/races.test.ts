// Random histories: whatever overtakes whatever, once all is quiet the page is right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Conditions, World } from "./world";

const SEEDS = 100;

const sorted = (rows: Map<number, unknown>) => [...rows].sort(([one], [other]) => one - other);

async function isRightInTheEnd(conditions: Conditions): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World(seed, conditions);
    await world.run();
    const story = [`seed ${seed}`, ...world.log].join("\n");
    assert.deepEqual(sorted(world.shown), sorted(world.stored), story);
  }
}

// A47
test("a row is right in the end, in whichever order its changes are published", async () => {
  await isRightInTheEnd({ data: 1, disorder: true });
  await isRightInTheEnd({ data: 0.6, disorder: true });
});

test("a row is right in the end where answers overtake events", async () => {
  await isRightInTheEnd({ data: 1 });
  await isRightInTheEnd({ data: 0.6 });
  await isRightInTheEnd({ data: 0.6, lag: true, disorder: true });
});

test("a row that the page itself changes too is right in the end", async () => {
  await isRightInTheEnd({ data: 0.6, calls: true });
  await isRightInTheEnd({ data: 0.6, calls: true, disorder: true });
  await isRightInTheEnd({ data: 0.6, calls: true, lag: true });
});

test("a row is right in the end where answers get lost", async () => {
  await isRightInTheEnd({ data: 1, calls: true, lost: true });
  await isRightInTheEnd({ data: 0.6, calls: true, lost: true, lag: true, disorder: true });
});

test("a list whose rows come, change and go is right in the end", async () => {
  await isRightInTheEnd({ list: true, data: 0.6 });
  await isRightInTheEnd({ list: true, data: 0, lag: true });
  await isRightInTheEnd({ list: true, data: 0.6, calls: true, lag: true, lost: true });
});
