// Random histories of a bad network: once all is quiet one stream is open, by SSE where
// that gets through, and every event was told of once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Conditions, Network } from "./network";

const SEEDS = 200;

async function isRightInTheEnd(conditions: Conditions): Promise<void> {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const network = new Network(seed, conditions);
    await network.run();
    const { line, due, faults, slots } = network;
    const { open, openSockets } = line.env;
    const isBlocked = !!conditions.blocked;
    const story = [`seed ${seed}`, ...network.log, line.states.join(" ")].join("\n");
    assert.deepEqual(faults, [], story);
    assert.equal(line.states.at(-1), "connected", story);
    assert.equal(line.transports.at(-1), isBlocked ? "websocket" : "sse", story);
    assert.equal(openSockets.length, isBlocked ? 1 : 0, story);
    if (!isBlocked) assert.deepEqual([open.length, slots.held], [1, 1], story);
    assert.deepEqual(network.open[0]?.names.sort(), [...network.names].sort(), story);
    const states = line.states.map((state, n) => `${state} ${line.transports[n]}`);
    assert.ok(states.every((state, n) => state !== states[n - 1]), `told twice, ${story}`);
    assert.equal(new Set(line.heard).size, line.heard.length, `doubled, ${story}`);
    assert.deepEqual([...due].filter((id) => !line.heard.includes(id)), [], `lost, ${story}`);
  }
}

test("a stream is there in the end, and nothing is missed, over any network", async () => {
  await isRightInTheEnd({});
});

test("nothing is missed where grants come and are too old", async () => {
  await isRightInTheEnd({ grants: true });
});

test("nothing is missed where groups are asked for by name, and no longer", async () => {
  await isRightInTheEnd({ names: true });
  await isRightInTheEnd({ names: true, grants: true });
});

test("nothing is missed where a page sleeps, and stops", async () => {
  await isRightInTheEnd({ pauses: true });
  await isRightInTheEnd({ pauses: true, names: true, grants: true });
});

test("nothing is missed where tabs share a few connections", async () => {
  await isRightInTheEnd({ cramped: true });
  await isRightInTheEnd({ cramped: true, pauses: true, names: true, grants: true });
});

test("nothing is missed where SSE is blocked, and a WebSocket is open in the end", async () => {
  await isRightInTheEnd({ blocked: true });
  await isRightInTheEnd({ blocked: true, cramped: true, pauses: true, names: true, grants: true });
});

test("nothing is missed behind a proxy that keeps the order of each group alone", async () => {
  await isRightInTheEnd({ held: true });
  await isRightInTheEnd({ held: true, grants: true });
  await isRightInTheEnd({ held: true, names: true });
  await isRightInTheEnd({ held: true, names: true, pauses: true });
  await isRightInTheEnd({ held: true, cramped: true, names: true, grants: true });
});
