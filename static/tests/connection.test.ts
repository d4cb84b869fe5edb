import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Connection } from "../src/connection";
import type { FakeEnv } from "./fakes";
import { Line, event } from "./line";

let line: Line;
let env: FakeEnv;
let told: unknown[][];
let connection: Connection;

beforeEach(() => {
  line = new Line();
  ({ env, told, connection } = line);
});

test("the first stream asks for what came after the page's cursor", () => {
  connection.start();
  connection.start();
  assert.equal(env.sources.length, 1);
  assert.equal(env.last.url.pathname, "/sse/stream");
  assert.deepEqual(env.last.grants, ["one"]);
  assert.equal(env.last.cursor, "e:5");
});

test("it is online only after stream-open", () => {
  connection.start();
  assert.deepEqual(line.states, ["connecting"]);
  env.last.open();
  env.last.open();
  assert.deepEqual(line.states, ["connecting", "connected"]);
});

test("a cut stream is resumed from the last event", async () => {
  connection.start();
  env.last.open({ id: "e:5" });
  env.last.send(event(6));
  env.last.cut();
  assert.deepEqual(line.states, ["connecting", "connected", "disconnected"]);
  await env.pass(250);
  assert.equal(env.sources.length, 2);
  assert.equal(env.last.cursor, "e:6");
  env.last.open();
  assert.equal(line.states.at(-1), "connected");
});

test("an id on a keep-alive or a reset is a place to resume from", async () => {
  connection.start();
  env.last.open();
  env.last.send({ type: "keep-alive", id: "e:9" });
  env.last.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:9");
  env.last.open();
  env.last.send({ type: "stream-reset", id: "f:1", groups: ["news"] });
  env.last.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "f:1");
});

test("behind a proxy that orders by group a stream is resumed from the places of all", async () => {
  const [first, second] = ["12345678:e-5,9abcdef0:e-7", "12345678:e-6,9abcdef0:e-7"];
  connection.start();
  env.last.open({ id: first });
  env.last.send(event(6), second);
  env.last.send({ type: "keep-alive" });
  env.last.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, second);
  env.last.open({ id: second });
  env.last.send(event(8));
  env.last.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:8");
  assert.deepEqual(line.heard, ["e:6", "e:8"]);
});

test("a grant of HTML that is newer than some group is heard from the oldest on", async () => {
  const vector = "12345678:e-6,9abcdef0:e-9";
  connection.start();
  env.last.open({ id: vector });
  env.last.send(event(6), vector);
  connection.addGrant("two", "e:8");
  await env.pass(2_100);
  await line.renew("both");
  const [first, next] = env.open;
  assert.equal(next?.cursor, "e:6");
  next?.open({ id: "12345678:e-6,9abcdef0:e-6" });
  next?.send({ type: "keep-alive", id: "12345678:e-6,9abcdef0:e-9" });
  assert.ok(first?.closed);
  next?.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "12345678:e-6,9abcdef0:e-9");
});

test("a proxy that takes the ids away leaves those of the events", async () => {
  connection.start();
  env.last.open();
  env.last.send(event(6), "");
  env.last.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:6");
});

test("an event is told of once", () => {
  connection.start();
  env.last.open();
  env.last.send(event(6));
  env.last.send(event(6));
  env.last.send(event(7));
  assert.deepEqual(line.heard, ["e:6", "e:7"]);
});

test("a stream is listened to for presence", () => {
  connection.start();
  env.last.open();
  const names = ["join", "leave", "online", "offline", "count"];
  names.forEach((name, n) => env.last.send({ ...event(6 + n), type: `presence.${name}` }));
  assert.equal(line.heard.length, names.length);
});

test("what isn't a frame stops nothing", () => {
  connection.start();
  env.last.open();
  env.last.send("nonsense" as never);
  env.last.send(event(6));
  assert.deepEqual(line.heard, ["e:6"]);
});

test("attempts are further apart, up to 4 s in the first minute, then up to 30 s", async () => {
  env.chance = 1;
  connection.start();
  const gaps: number[] = [];
  for (let attempt = 0; attempt < 24; attempt++) {
    const [count, before] = [env.sources.length, env.now()];
    env.last.cut();
    while (env.sources.length === count) await env.pass(100);
    gaps.push(env.now() - before);
  }
  assert.deepEqual(gaps.slice(0, 5), [500, 1000, 2000, 4000, 4000]);
  assert.equal(Math.max(...gaps.slice(0, 17)), 4000);
  assert.equal(gaps.at(-1), 30_000);
});

test("the wait has jitter down to nothing", async () => {
  env.chance = 0;
  connection.start();
  env.last.cut();
  await env.pass(0);
  assert.equal(env.sources.length, 2);
});

test("ten seconds of health make the next outage a new one", async () => {
  env.chance = 1;
  connection.start();
  for (const wait of [500, 1000, 2000]) {
    env.last.cut();
    await env.pass(wait);
  }
  assert.equal(env.sources.length, 4);
  env.last.open();
  await env.pass(10_000);
  env.last.cut();
  await env.pass(500);
  assert.equal(env.sources.length, 5);
});

test("a server that says goodbye says when to come back", async () => {
  connection.start();
  env.last.open();
  env.last.send({ type: "stream-close", reason: "shutdown", retry: 1500 });
  assert.ok(env.last.closed);
  await env.pass(1499);
  assert.equal(env.sources.length, 1);
  await env.pass(1);
  assert.equal(env.sources.length, 2);
});

test("a stream that is silent for 2.5 keep-alives is given up", async () => {
  connection.start();
  env.last.open({ keep_alive: 2 });
  await env.pass(4000);
  env.last.send({ type: "keep-alive" });
  await env.pass(4999);
  assert.equal(env.open.length, 1);
  assert.equal(line.states.at(-1), "connected");
  await env.pass(1);
  assert.equal(line.states.at(-1), "disconnected");
  assert.ok(env.sources[0]?.closed);
});

test("a stream that never opens is given up", async () => {
  connection.start();
  await env.pass(11_000);
  assert.equal(env.sources.length, 2);
  assert.ok(env.sources[0]?.closed);
});

test("a sign of life from the browser ends the wait", () => {
  env.chance = 1;
  connection.start();
  env.last.cut();
  connection.wake();
  assert.equal(env.open.length, 1);
  connection.wake();
  assert.equal(env.open.length, 1);
});

test("a page out of sight has no stream, and comes back with its cursor", async () => {
  connection.start();
  env.last.open();
  env.last.send(event(6));
  connection.sleep();
  assert.equal(env.open.length, 0);
  await env.pass(60_000);
  assert.equal(env.open.length, 0);
  connection.wake();
  assert.equal(env.last.cursor, "e:6");
  assert.deepEqual(line.states.slice(-1), ["disconnected"]);
  env.last.open();
  assert.deepEqual(line.states.slice(-1), ["connected"]);
});

test("being offline is one change, being back another", async () => {
  connection.start();
  env.last.open();
  connection.lost();
  connection.lost();
  connection.wake();
  env.last.open();
  assert.deepEqual(line.states, ["connecting", "connected", "disconnected", "connected"]);
});

test("a stopped connection stays closed", async () => {
  connection.start();
  env.last.open();
  env.last.cut();
  connection.stop();
  await env.pass(60_000);
  assert.equal(env.open.length, 0);
  assert.equal(line.states.at(-1), "closed");
});

test("a new grant is heard beside the first stream until nothing can be missed", async () => {
  connection.start();
  const [first] = env.sources;
  first?.open({ groups: ["news"] });
  first?.send(event(20));
  connection.addGrant("two", "e:10");
  connection.addGrant("three", "e:12");
  await env.pass(50);
  await line.refuse();
  assert.equal(env.sources.length, 2);
  const second = env.last;
  assert.deepEqual(second.grants, ["one", "two", "three"]);
  assert.equal(second.cursor, "e:10");
  second.open({ id: "e:10", groups: ["news", "chat"] });
  second.send(event(15, "chat"));
  second.send(event(20));
  first?.send(event(21));
  assert.ok(!first?.closed);
  second.send({ type: "keep-alive" });
  assert.ok(!first?.closed);
  second.send({ type: "keep-alive", id: "e:21" });
  assert.ok(first?.closed);
  assert.ok(!second.closed);
  assert.deepEqual(line.heard, ["e:20", "e:15", "e:21"]);
  assert.deepEqual(connection.groups, ["news", "chat"]);
  assert.deepEqual(line.states, ["connecting", "connected"]);
  second.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:21");
});

test("a stream cut during a handover costs no event of the new groups", async () => {
  connection.start();
  env.last.open();
  env.last.send(event(20));
  connection.addGrant("two", "e:10");
  await env.pass(50);
  await line.refuse();
  const [first, second] = env.sources;
  first?.send(event(22));
  first?.cut();
  assert.equal(line.states.at(-1), "disconnected");
  second?.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:10");
  assert.deepEqual(env.last.grants, ["one", "two"]);
});

test("a grant that comes during an outage is part of the next attempt", async () => {
  connection.start();
  env.last.open();
  env.last.send(event(20));
  env.last.cut();
  connection.addGrant("two", "e:10");
  await env.pass(500);
  assert.equal(env.sources.length, 2);
  assert.equal(env.last.cursor, "e:10");
  assert.deepEqual(env.last.grants, ["one", "two"]);
});

test("a stream that has been silent for long is doubted when the page is seen again", async () => {
  connection.start();
  env.last.open({ id: "e:5", keep_alive: 15 });
  await env.pass(16_000);
  connection.wake();
  assert.equal(env.open.length, 1);
  await env.pass(4_000);
  connection.wake();
  assert.equal(env.open.length, 2);
  env.last.open();
  env.last.send({ type: "keep-alive", id: "e:9" });
  assert.equal(env.open.length, 1);
  assert.ok(env.sources[0]?.closed);
  assert.deepEqual(line.states, ["connecting", "connected"]);
});

test("a second stream that fails is tried again beside the first", async () => {
  connection.start();
  env.last.open();
  connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  env.last.cut();
  await env.pass(1000);
  assert.equal(env.sources.length, 3);
  assert.equal(env.last.cursor, "e:3");
  assert.deepEqual(line.states, ["connecting", "connected"]);
});

test("a position of another epoch resumes from nowhere, which resets", async () => {
  connection.start();
  env.last.open();
  connection.addGrant("two", "f:3");
  await env.pass(50);
  await line.refuse();
  assert.equal(env.last.cursor, "0:0");
});

test("a refusal is final and told of once", async () => {
  connection.start();
  env.last.send({ type: "stream-error", id: "error", condition: "forbidden", groups: ["x"] });
  await env.pass(60_000);
  assert.equal(env.sources.length, 1);
  assert.deepEqual(told.at(-2), ["denied", ["x"], "forbidden"]);
  assert.deepEqual(told.at(-1), ["state", "closed"]);
  connection.addGrant("two", "e:6");
  assert.deepEqual(env.last.grants, ["two"]);
});

test("a group that is denied is told of, and the stream goes on", () => {
  connection.start();
  env.last.open({ denied: ["secret"] });
  assert.deepEqual(told.at(-1), ["denied", ["secret"], null]);
  assert.equal(line.states.at(-1), "connected");
});

test("a second stream that never opens is given up too", async () => {
  connection.start();
  env.last.open();
  connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  await env.pass(9_000);
  env.sources[0]?.send({ type: "keep-alive" });
  await env.pass(2_000);
  assert.equal(env.sources.length, 3);
  assert.ok(env.sources[1]?.closed);
  assert.equal(env.last.cursor, "e:3");
});

test("a grant that is part of the next attempt opens no other stream", async () => {
  connection.start();
  env.last.open();
  env.last.cut();
  await env.pass(220);
  connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  await env.pass(100);
  assert.equal(env.sources.length, 2);
  assert.deepEqual(env.last.grants, ["one", "two"]);
  assert.equal(env.last.cursor, "e:3");
});

test("a second stream that takes over too early still owes the newest grant's events", async () => {
  connection.start();
  const [first] = env.sources;
  first?.open();
  first?.send(event(20));
  connection.addGrant("two", "e:15");
  await env.pass(50);
  await line.refuse();
  env.last.open();
  connection.addGrant("three", "e:10");
  first?.cut();
  env.last.send(event(21));
  await env.pass(50);
  await line.refuse();
  assert.equal(env.sources.length, 3);
  assert.deepEqual(env.last.grants, ["one", "two", "three"]);
  assert.equal(env.last.cursor, "e:10");
});

test("a second stream that takes over too early, and ends too, loses no event", async () => {
  connection.start();
  const [first] = env.sources;
  first?.open();
  first?.send(event(20));
  connection.addGrant("two", "e:10");
  await env.pass(50);
  await line.refuse();
  env.last.open({ id: "e:10" });
  first?.cut();
  env.last.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:10");
});

test("a second stream that is refused costs the first one nothing", async () => {
  connection.start();
  const [first] = env.sources;
  first?.open({ id: "e:5" });
  connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.renew("both");
  connection.addGrant("three", "e:4");
  await line.end(env.last, "too_many_groups");
  assert.deepEqual(told.at(-1), ["denied", ["news"], "too_many_groups"]);
  await env.pass(50);
  assert.deepEqual(line.request.body, { grants: ["one", "three"] });
  await line.refuse();
  assert.deepEqual(env.last.grants, ["one", "three"]);
  assert.equal(env.last.cursor, "e:3");
});

test("a second stream that a busy server sends away comes back when it was told to", async () => {
  connection.start();
  env.last.open({ id: "e:5" });
  connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  env.last.send({ type: "stream-close", reason: "busy", retry: 30_000 });
  await keepAlive(29_900);
  assert.equal(env.sources.length, 2);
  await keepAlive(100);
  assert.equal(env.sources.length, 3);
  assert.equal(env.last.cursor, "e:3");
});

test("a second stream that fails again and again is tried ever less often", async () => {
  env.chance = 1;
  connection.start();
  env.last.open({ id: "e:5" });
  connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  const gaps: number[] = [];
  for (let attempt = 0; attempt < 24; attempt++) {
    const [count, before] = [env.sources.length, env.now()];
    env.last.cut();
    while (env.sources.length === count) await keepAlive(100);
    gaps.push(env.now() - before);
  }
  assert.deepEqual(gaps.slice(0, 5), [1_000, 1_000, 2_000, 4_000, 4_000]);
  assert.equal(gaps.at(-1), 30_000);
  assert.equal(env.last.cursor, "e:3");
});

test("a second stream that settles makes the next failure a first one", async () => {
  env.chance = 1;
  connection.start();
  env.last.open({ id: "e:5" });
  for (const grant of ["two", "three"]) {
    connection.addGrant(grant, "e:3");
    await env.pass(50);
    await line.refuse();
    for (const wait of [1_000, 1_000, 2_000]) {
      const count = env.sources.length;
      env.last.cut();
      await keepAlive(wait - 100);
      assert.equal(env.sources.length, count);
      await keepAlive(100);
      assert.equal(env.sources.length, count + 1);
    }
    env.last.open({ id: "e:3" });
    env.last.send({ type: "keep-alive", id: "e:5" });
  }
});

test("a second stream is complete only once it has caught up, also after another was", async () => {
  connection.start();
  env.last.open({ id: "e:5" });
  for (const grant of ["two", "three"]) {
    connection.addGrant(grant, "e:3");
    await env.pass(50);
    await line.refuse();
    assert.equal(env.last.cursor, "e:3");
    env.last.open({ id: "e:3" });
    env.last.send(event(20));
    env.last.cut();
    await env.pass(1_000);
    assert.equal(env.last.cursor, "e:3");
    env.last.open({ id: "e:3" });
    env.last.send({ type: "keep-alive", id: "e:20" });
  }
});

for (const wait of [0, 50])
  test(`a grant that comes ${wait} ms before the stream opens is made one with it`, async () => {
    connection.start();
    connection.addGrant("two", "e:3");
    await env.pass(wait);
    env.last.open({ id: "e:5" });
    await env.pass(50 - wait);
    assert.equal(env.sources.length, 1);
    await line.renew("both");
    assert.equal(env.sources.length, 2);
    assert.deepEqual(env.last.grants, ["both"]);
    assert.equal(env.last.cursor, "e:3");
  });

test("a connection that forgets hears from now on when it starts again", () => {
  connection.start();
  env.last.open({ id: "e:5" });
  connection.forget();
  assert.deepEqual(env.open, []);
  assert.equal(line.states.at(-1), "closed");
  connection.start();
  assert.equal(env.last.cursor, null);
});

test("a name is asked for as long as it is wanted", async () => {
  connection.start();
  env.last.open({ id: "e:5" });
  connection.addName("sport");
  await env.pass(50);
  assert.deepEqual([env.last.grants, env.last.names], [["one"], ["sport"]]);
  assert.equal(env.last.cursor, "e:5");
  env.last.open({ id: "e:5" });
  env.last.send({ type: "keep-alive", id: "e:5" });
  connection.removeName("sport");
  await env.pass(50);
  assert.deepEqual([env.last.grants, env.last.names], [["one"], []]);
});

/** Let time pass without any silence of the first stream that is open. */
async function keepAlive(time: number): Promise<void> {
  env.open[0]?.send({ type: "keep-alive" });
  await env.pass(time);
}
