import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Sources, openSocket } from "../src/link";
import { Slots } from "../src/slots";
import { Transports } from "../src/transports";
import { FakeEnv } from "./fakes";
import { Line, event } from "./line";

let line: Line;
let env: FakeEnv;

const anyTransport = (env: FakeEnv) =>
  new Transports(
    env,
    new Sources(env, "/sse/stream").open,
    openSocket(env, "/sse/ws"),
    new Slots(env, "tab"),
  );

/** As another page of the same tab would, later. */
function visit(): void {
  const { stored } = env ?? { stored: new Map<string, string>() };
  line = new Line(anyTransport);
  env = line.env;
  env.stored = stored;
  line.connection.start();
}

beforeEach(() => {
  env = new FakeEnv();
  visit();
});

const socket = () => env.sockets.at(-1)!;

/** SSE is blocked; a WebSocket is open instead. */
async function fallBack(): Promise<void> {
  env.last.cut();
  socket().open({ id: "e:5" });
  await env.pass(0);
}

// A9
test("what swallows a stream makes it a WebSocket after 4.5 s, with the same query", async () => {
  await env.pass(4_499);
  assert.equal(env.sockets.length, 0);
  await env.pass(1);
  assert.equal(socket().url.pathname, "/sse/ws");
  assert.equal(socket().url.search, env.last.url.search);
  socket().open({ id: "e:5" });
  assert.deepEqual(env.open, []);
  assert.deepEqual(line.states, ["connecting", "connected"]);
  assert.deepEqual(line.transports, [null, "websocket"]);
  socket().send(event(6));
  assert.deepEqual(line.heard, ["e:6"]);
});

test("SSE that opens late beside a WebSocket that hasn't wins", async () => {
  await env.pass(4_600);
  env.last.open();
  assert.deepEqual(env.openSockets, []);
  assert.deepEqual(line.transports, [null, "sse"]);
  await env.pass(60_000 - 30_000);
  assert.equal(env.sockets.length, 1);
});

// A9
test("where SSE is refused, a WebSocket is tried at once", async () => {
  env.last.cut();
  assert.equal(env.openSockets.length, 1);
  socket().open();
  assert.equal(line.states.at(-1), "connected");
});

test("where both are refused, both are tried again, later", async () => {
  env.last.cut();
  socket().cut();
  assert.equal(line.states.at(-1), "disconnected");
  await env.pass(250);
  assert.equal(env.sources.length, 2);
  env.last.open();
  assert.deepEqual(line.transports, [null, null, "sse"]);
  assert.deepEqual(env.openSockets, []);
});

test("SSE that has worked is taken for a server that restarts, once", async () => {
  env.last.open();
  await env.pass(20_000 - 10_000);
  env.last.cut();
  await env.pass(250);
  env.last.cut();
  assert.equal(env.sockets.length, 0);
  await env.pass(500);
  env.last.cut();
  assert.equal(env.sockets.length, 1);
});

// A9: what lets the first kilobyte through at once, and holds back what comes after.
test("a stream that falls silent after its first frame makes it a WebSocket", async () => {
  env.last.begin({ id: "e:5" });
  await env.pass(4_999);
  assert.equal(env.open.length, 1);
  await env.pass(1);
  assert.deepEqual(env.open, []);
  await env.pass(250);
  socket().open();
  assert.equal(line.transports.at(-1), "websocket");
});

// A9: 3 failures.
test("a stream that is cut three times in a row soon after makes it a WebSocket", async () => {
  for (let n = 0; n < 3; n++) {
    assert.equal(env.sockets.length, 0);
    env.last.open();
    await env.pass(6_000);
    env.last.cut();
    await env.pass(2_000);
  }
  assert.equal(env.sockets.length, 1);
  socket().open();
  assert.equal(line.transports.at(-1), "websocket");
});

test("after an outage SSE is back, without a gap, and nothing is remembered", async () => {
  await fallBack();
  socket().send(event(6));
  await env.pass(1_000);
  assert.equal(env.last.cursor, "e:6");
  env.last.open({ id: "e:6" });
  env.last.send({ type: "keep-alive", id: "e:6" });
  socket().send(event(7));
  env.last.send(event(7));
  await env.pass(9_999);
  assert.equal(env.openSockets.length, 1);
  await env.pass(1);
  assert.deepEqual(env.openSockets, []);
  assert.equal(env.open.length, 1);
  assert.deepEqual(line.transports, [null, "websocket", "sse"]);
  assert.deepEqual(line.heard, ["e:6", "e:7"]);
  visit();
  assert.equal(env.sources.length, 1);
});

for (const [what, fail] of [
  ["refused", () => env.last.cut()],
  ["swallowed", () => env.pass(10_000)],
  [
    "cut soon after",
    async () => {
      env.last.open({ id: "e:5" });
      env.last.send({ type: "keep-alive", id: "e:5" });
      await env.pass(5_000);
      env.last.cut();
    },
  ],
] as const)
  test(`SSE that is ${what} beside a WebSocket is forgotten for ten minutes`, async () => {
    await fallBack();
    await env.pass(1_000);
    await fail();
    const opened = env.sources.length;
    await keepAlive(socket(), 580_000);
    assert.equal(env.sources.length, opened);
    assert.deepEqual(line.states, ["connecting", "connected"]);
    await keepAlive(socket(), 20_000);
    assert.equal(env.sources.length, opened + 1);
  });

test("the next page of the tab begins with a WebSocket, and with SSE where that fails", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.cut();
  visit();
  assert.equal(env.sources.length, 0);
  socket().cut();
  assert.equal(env.sources.length, 1);
  env.last.open();
  assert.deepEqual(line.transports, [null, "sse"]);
});

// A restart behind a proxy that swallows streams.
test("a WebSocket that is refused is tried again while SSE is swallowed", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.cut();
  socket().cut();
  await env.pass(250);
  socket().cut();
  assert.equal(env.open.length, 1);
  const tried = env.sockets.length;
  await env.pass(1_250);
  assert.equal(env.sockets.length, tried + 1);
  socket().cut();
  await env.pass(1_250);
  socket().open();
  assert.deepEqual([env.open, env.openSockets.length], [[], 1]);
  assert.equal(line.transports.at(-1), "websocket");
  await env.pass(4_000);
  assert.deepEqual([env.open, env.openSockets.length], [[], 1]);
});

test("new grants are heard over a WebSocket too, without a gap", async () => {
  await fallBack();
  line.connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  const [first, second] = env.openSockets;
  assert.ok(first && second);
  assert.equal(env.open.length, 0);
  assert.deepEqual(second.grants, ["one", "two"]);
  assert.equal(second.cursor, "e:3");
  first.send(event(6));
  second.open({ id: "e:3" });
  second.send(event(4, "other"));
  second.send(event(6));
  second.send({ type: "keep-alive", id: "e:6" });
  assert.deepEqual(env.openSockets, [second]);
  assert.deepEqual(line.heard, ["e:6", "e:4"]);
});

test("a grant that comes while SSE is tried beside a WebSocket isn't lost", async () => {
  await fallBack();
  await env.pass(1_000);
  assert.equal(env.open.length, 1);
  line.connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  assert.deepEqual(env.open, []);
  assert.deepEqual(socket().grants, ["one", "two"]);
  socket().open({ id: "e:3" });
  socket().send({ type: "keep-alive", id: "e:9" });
  assert.equal(env.openSockets.length, 1);
  await env.pass(1_000);
  assert.deepEqual(env.last.grants, ["one", "two"]);
});

test("a WebSocket that ends while SSE is tried leaves the events to it", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.open({ id: "e:5" });
  socket().cut();
  assert.equal(line.transports.at(-1), "sse");
  env.last.send(event(6));
  assert.deepEqual(line.heard, ["e:6"]);
});

test("a page that sleeps holds neither, and comes back by what worked", async () => {
  await fallBack();
  line.connection.sleep();
  assert.deepEqual([env.open, env.openSockets], [[], []]);
  line.connection.wake();
  assert.equal(env.openSockets.length, 1);
});

test("a forbidden storage forgets, and stops nothing", async () => {
  env.storage = () => {
    throw new Error("SecurityError");
  };
  await fallBack();
  await env.pass(1_000);
  env.last.cut();
  assert.equal(line.states.at(-1), "connected");
});

/** Let time pass without any silence. */
async function keepAlive(link: { send(frame: { type: string }): void }, time: number) {
  for (let passed = 0; passed < time; passed += 10_000) {
    link.send({ type: "keep-alive" });
    await env.pass(10_000);
  }
}
