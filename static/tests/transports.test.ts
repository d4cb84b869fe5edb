import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Sources, openSocket } from "../src/link";
import { Slots } from "../src/slots";
import { Transports } from "../src/transports";
import { FakeEnv } from "./fakes";
import { Line, event } from "./line";

let line: Line;
let env: FakeEnv;
/** Other tabs, each of which holds a connection. */
let others: Slots[];

const anyTransport = (env: FakeEnv) =>
  new Transports(
    env,
    new Sources(env, "/sse/stream").open,
    openSocket(env, "/sse/ws"),
    new Slots(env, "tab"),
  );

/** As another page of the same tab would, later. */
function visit(prepare: (env: FakeEnv) => void = () => undefined): void {
  const { stored } = env ?? { stored: new Map<string, string>() };
  line = new Line((fresh) => {
    prepare(fresh);
    return anyTransport(fresh);
  });
  env = line.env;
  env.stored = stored;
  line.connection.start();
}

beforeEach(() => {
  env = new FakeEnv();
  visit();
});

const socket = () => env.sockets.at(-1)!;
const openings = () => env.sources.length + env.sockets.length;
const remembered = () => Number(env.stored.get("sse:websocket") ?? 0);

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

// A9: the first chunk has the first keep-alive too.
test("a stream that falls silent after its first chunk makes it a WebSocket", async () => {
  env.last.begin({ id: "e:5" });
  env.last.send({ type: "keep-alive", id: "e:5" });
  await env.pass(5_000);
  assert.deepEqual(env.open, []);
  await env.pass(500);
  socket().open();
  assert.equal(line.transports.at(-1), "websocket");
});

// A9
test("frequent keep-alives that don't get through make it a WebSocket too", async () => {
  env.last.begin({ id: "e:5", keep_alive: 1 });
  await env.pass(4_999);
  assert.equal(env.open.length, 1);
  await env.pass(501);
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

test("a stream that lives in between makes up for those that are cut soon after", async () => {
  for (const life of [0, 0, 20_000, 0, 0]) {
    env.last.open();
    await keepAlive(env.last, life);
    env.last.cut();
    await env.pass(4_000);
  }
  assert.equal(env.open.length, 1);
  assert.equal(env.sockets.length, 0);
});

test("a stream that is heard in between makes up for one that is refused", async () => {
  for (let n = 0; n < 2; n++) {
    env.last.open();
    await keepAlive(env.last, 20_000);
    env.last.cut();
    await env.pass(500);
    env.last.cut();
    assert.equal(env.sockets.length, 0);
    await env.pass(1_000);
  }
});

test("what the page itself closes says nothing against SSE", async () => {
  const again = () => {
    line.connection.sleep();
    line.connection.wake();
  };
  for (let n = 0; n < 4; n++) {
    env.last.open();
    again();
  }
  for (let n = 0; n < 4; n++) again();
  env.last.cut();
  await env.pass(500);
  assert.equal(env.open.length, 1);
  assert.equal(env.sockets.length, 0);
});

test("a WebSocket that fails where SSE has worked once leaves it to SSE at once", async () => {
  env.last.begin({ id: "e:5" });
  await env.pass(5_500);
  assert.deepEqual([env.open, env.openSockets.length], [[], 1]);
  socket().cut();
  assert.equal(env.open.length, 1);
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
    "held back after its first chunk",
    async () => {
      env.last.begin({ id: "e:5" });
      env.last.send({ type: "keep-alive", id: "e:5" });
      await env.pass(5_000);
    },
  ],
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

test("a page that begins with a WebSocket doesn't try SSE any sooner", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.cut();
  visit();
  socket().open({ id: "e:5" });
  await keepAlive(socket(), 590_000);
  assert.equal(env.sources.length, 0);
});

test("SSE that lives after all is what the next page begins with", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.cut();
  visit();
  socket().cut();
  env.last.open();
  await keepAlive(env.last, 20_000);
  visit();
  assert.deepEqual([env.open.length, env.openSockets], [1, []]);
});

test("SSE that is cut once it has taken over is tried again by itself", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.open({ id: "e:5" });
  env.last.send({ type: "keep-alive", id: "e:5" });
  await env.pass(10_000);
  assert.equal(line.transports.at(-1), "sse");
  env.last.cut();
  await env.pass(500);
  assert.deepEqual([env.open.length, env.openSockets], [1, []]);
});

test("a clock that was set back keeps no page from SSE", () => {
  env.stored.set("sse:websocket", String(24 * 3_600_000));
  visit();
  assert.deepEqual([env.open.length, env.openSockets], [1, []]);
});

test("SSE is tried again ten minutes later also where nothing can be stored", async () => {
  env.storage = () => {
    throw new Error("SecurityError");
  };
  await fallBack();
  await env.pass(1_000);
  env.last.cut();
  await keepAlive(socket(), 590_000);
  assert.equal(env.sources.length, 2);
  await keepAlive(socket(), 10_000);
  assert.equal(env.sources.length, 3);
});

test("no trial is made while there is no stream, and no event is lost", async () => {
  env.chance = 1;
  await fallBack();
  socket().send(event(6));
  await env.pass(900);
  const tried = env.sources.length;
  socket().cut();
  await env.pass(499);
  assert.equal(env.sources.length, tried);
  for (let n = 0; n < 3; n++) {
    await env.pass(4_000);
    for (const each of [...env.open, ...env.openSockets]) each.cut();
  }
  for (const each of [...env.sources.slice(tried), ...env.sockets.slice(1)])
    assert.equal(each.cursor, "e:6");
  assert.equal(remembered(), 0);
});

test("a trial is a second after the last WebSocket has opened", async () => {
  await fallBack();
  await env.pass(900);
  line.connection.sleep();
  line.connection.wake();
  socket().open({ id: "e:5" });
  await env.pass(500);
  line.connection.addGrant("two", "e:5");
  await env.pass(50);
  await line.refuse();
  socket().open({ id: "e:5" });
  socket().send({ type: "keep-alive", id: "e:5" });
  await env.pass(999);
  assert.equal(env.sources.length, 1);
  await env.pass(1);
  assert.equal(env.sources.length, 2);
});

test("a sleeping page tries nothing", async () => {
  await fallBack();
  line.connection.sleep();
  await env.pass(60_000);
  assert.deepEqual([env.open, env.openSockets], [[], []]);
});

test("no trial is made before the time at which a server wants its clients back", async () => {
  await fallBack();
  socket().send({ type: "stream-close", reason: "busy", retry: 30_000 });
  const before = openings();
  await env.pass(29_999);
  assert.equal(openings(), before);
  await env.pass(1);
  assert.ok(openings() > before);
});

test("a server that shuts down during a trial says nothing against SSE", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.open({ id: "e:5" });
  for (const each of [env.last, socket()])
    each.send({ type: "stream-close", reason: "shutdown", retry: 1_000 });
  assert.equal(remembered(), 0);
});

test("a trial that a busy server sends away is made again when it was told to", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.send({ type: "stream-close", reason: "busy", retry: 20_000 });
  await keepAlive(socket(), 10_000);
  await env.pass(9_999);
  assert.equal(env.sources.length, 2);
  await env.pass(1);
  assert.equal(env.sources.length, 3);
});

test("a trial that the server refuses is made again, and nobody is told of it", async () => {
  await fallBack();
  await env.pass(1_000);
  await line.end(env.last, "bad_request");
  const opened = env.sources.length;
  await keepAlive(socket(), 600_000);
  assert.equal(env.sources.length, opened + 1);
  assert.ok(!line.told.some(([what]) => what === "denied"));
});

test("a WebSocket that ends while a trial is swallowed is open again soon", async () => {
  await fallBack();
  await env.pass(1_000);
  socket().cut();
  assert.deepEqual(env.open, []);
  await env.pass(500);
  assert.equal(env.openSockets.length, 1);
});

// More of them than what is remembered of ids.
test("the events of a trial that ends with the WebSocket aren't told of again", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.open({ id: "e:5" });
  env.last.send({ type: "keep-alive", id: "e:5" });
  for (let seq = 6; seq < 1_300; seq++)
    for (const each of [socket(), env.last]) each.send(event(seq));
  socket().cut();
  env.last.cut();
  await env.pass(500);
  assert.equal(socket().cursor, "e:1299");
});

test("SSE that has taken over and lived is what a second stream goes by", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.open({ id: "e:5" });
  env.last.send({ type: "keep-alive", id: "e:5" });
  socket().cut();
  await keepAlive(env.last, 60_000);
  line.connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  assert.equal(env.open.length, 2);
  assert.deepEqual(env.openSockets, []);
});

test("a second stream that is slow by SSE once leaves no page on a WebSocket", async () => {
  env.last.open({ id: "e:5" });
  await keepAlive(env.last, 20_000);
  line.connection.addGrant("two", "e:3");
  await env.pass(50);
  await line.refuse();
  await env.pass(4_500);
  socket().open({ id: "e:3" });
  socket().send({ type: "keep-alive", id: "e:9" });
  assert.equal(line.transports.at(-1), "websocket");
  await env.pass(1_000);
  assert.equal(env.open.length, 1);
  assert.equal(env.last.cursor, "e:9");
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

test("no trial is made while a grant waits for its stream", async () => {
  await fallBack();
  await env.pass(980);
  line.connection.addGrant("two", "e:3");
  await env.pass(50);
  assert.deepEqual(env.open, []);
  await line.refuse();
  assert.equal(socket().cursor, "e:3");
});

test("a grant that comes while a trial goes well is heard from its position", async () => {
  await fallBack();
  await env.pass(1_000);
  env.last.open({ id: "e:5" });
  env.last.send({ type: "keep-alive", id: "e:5" });
  line.connection.addGrant("two", "e:3");
  env.last.send(event(7));
  await env.pass(50);
  await line.refuse();
  assert.deepEqual(socket().grants, ["one", "two"]);
  assert.equal(socket().cursor, "e:3");
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

const crowded = (count: number) => (fresh: FakeEnv) => {
  fresh.isCramped = true;
  others = Array.from({ length: count }, (_, n) => new Slots(fresh, `other ${n}`));
  for (const other of others) other.hold();
};

/** Whether another tab would have room. */
async function hasRoom(): Promise<boolean> {
  let found: boolean | undefined;
  new Slots(env, "new").ask((isFree) => (found = isFree));
  await env.pass(150);
  return found as boolean;
}

// A78
test("a tab without room takes a WebSocket, and doesn't doubt SSE for that", async () => {
  visit(crowded(4));
  await env.pass(150);
  assert.deepEqual([env.sources, env.openSockets.length], [[], 1]);
  socket().open({ id: "e:5" });
  await keepAlive(socket(), 600_000);
  assert.deepEqual(env.sources, []);
  others[0]?.drop();
  socket().cut();
  await env.pass(650);
  assert.deepEqual([env.open.length, env.openSockets], [1, []]);
});

// A78
test("a tab tries SSE beside a WebSocket only where there is room", async () => {
  visit(crowded(3));
  await env.pass(150);
  await fallBack();
  new Slots(env, "other 3").hold();
  await env.pass(1_200);
  assert.equal(env.sources.length, 1);
  assert.equal(line.states.at(-1), "connected");
  assert.equal(remembered(), 0); // that says nothing against SSE
});

// A78
test("a tab has its place as long as its EventSource is open", async () => {
  visit(crowded(3));
  await env.pass(150);
  env.last.open({ id: "e:5" });
  assert.ok(!(await hasRoom()));
  line.connection.sleep();
  assert.ok(await hasRoom());
});

test("a trial that is cut gives its place back, once", async () => {
  visit(crowded(3));
  await env.pass(150);
  await fallBack();
  assert.ok(await hasRoom());
  await env.pass(1_000);
  assert.ok(!(await hasRoom()));
  env.last.cut();
  assert.ok(await hasRoom());
  new Slots(env, "other 3").hold();
  await keepAlive(socket(), 610_000);
  assert.equal(env.sources.length, 2);
});

test("what was remembered long ago is tried after a second", async () => {
  env.stored.set("sse:websocket", "100");
  visit(crowded(4));
  await env.pass(150);
  socket().open({ id: "e:5" });
  for (const other of others) other.drop();
  await env.pass(1_149);
  assert.deepEqual(env.sources, []);
  await env.pass(1);
  assert.equal(env.open.length, 1);
});

test("a page that sleeps while it asks opens nothing, and asks anew when it wakes", async () => {
  visit(crowded(4));
  line.connection.sleep();
  assert.equal(env.tabs.channels.size, 4);
  await env.pass(200);
  assert.equal(openings(), 0);
  for (const other of others) other.drop();
  line.connection.wake();
  assert.equal(env.tabs.channels.size, 1);
  await env.pass(150);
  assert.equal(env.open.length, 1);
});

test("a hidden page, whose timers run once a minute, comes back", async () => {
  visit(crowded(0));
  await env.pass(150);
  env.last.begin({ id: "e:5" });
  const after = env.after.bind(env);
  env.after = (wait, run) => {
    const due = env.now() + wait;
    return after(Math.ceil((due + 1) / 60_000) * 60_000 - env.now(), run);
  };
  env.last.cut();
  await env.pass(60_000);
  await env.pass(60_000);
  env.last.begin({ id: "e:5" });
  for (let n = 0; n < 20; n++) {
    await env.pass(15_000);
    env.last.send({ type: "keep-alive" });
  }
  assert.deepEqual(line.states, ["connecting", "connected", "disconnected", "connected"]);
  assert.equal(env.sources.length, 2);
});

/** Let time pass without any silence. */
async function keepAlive(link: { send(frame: { type: string }): void }, time: number) {
  for (let passed = 0; passed < time; passed += 10_000) {
    link.send({ type: "keep-alive" });
    await env.pass(10_000);
  }
}
