import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { ConnectOptions, StreamEvent, StreamStatus } from "../src/client";
import type { Connection } from "../src/connection";
import { Listeners } from "../src/listeners";
import { FakeEnv } from "./fakes";
import { event } from "./line";

let env: FakeEnv;
let client: Listeners;
let told: string[];
let errors: unknown[];
let connection: Connection;
let signal: AbortSignal;

function connect(options: ConnectOptions = {}): void {
  env = new FakeEnv();
  client = new Listeners(env, options, (...followed) => {
    [connection, signal] = followed;
  });
}

beforeEach(() => {
  connect();
  told = [];
  errors = [];
  globalThis.reportError = (error: unknown) => void errors.push(error);
});

const note = ({ id, group }: StreamEvent) => void told.push(`${group} ${id}`);
const changed = "component.data_changed";

/** The second stream has all; it is the only one from now on. */
function settle(seq: number): void {
  env.last.open({ id: `e:${seq}` });
  env.last.send({ type: "keep-alive", id: `e:${seq}` });
}

test("there is a stream when there is something to hear, for all of it", async () => {
  await env.pass(0);
  assert.equal(env.sources.length, 0);
  client.on("news", changed, note);
  client.on("sport.*", "goal", note);
  await env.pass(100);
  assert.equal(env.sources.length, 1);
  assert.deepEqual(env.last.names, ["news", "sport.*"]);
  assert.equal(env.last.url.pathname, "/sse/stream");
  assert.equal(env.last.cursor, null);
});

test("listeners are told of their group and type, patterns of all groups under them", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  client.on("sport.*", "goal", note);
  await env.pass(50);
  env.last.open({ id: "e:5" });
  assert.equal(env.last.cursor, "e:5");
  assert.deepEqual(env.last.names, ["news", "sport.*"]);
  settle(5);
  env.last.send(event(6));
  env.last.send({ ...event(7, "sport.7"), type: "goal" });
  env.last.send(event(8, "sport.7"));
  env.last.send({ ...event(9), type: "notify" });
  env.last.send({ ...event(10, "sport.7.home"), type: "goal" });
  assert.deepEqual(told, ["news e:6", "sport.7 e:7"]);
});

test("a star is every type", async () => {
  client.on("news", "*", note);
  await env.pass(0);
  env.last.open();
  env.last.send(event(6));
  env.last.send({ ...event(7), type: "notify" });
  assert.deepEqual(told, ["news e:6", "news e:7"]);
});

test("a type of the application's own is heard on a stream that is open already", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  env.last.open();
  client.on("news", "headline", note);
  env.last.send({ ...event(6), type: "headline" });
  assert.deepEqual(told, ["news e:6"]);
});

test("a new group takes a second stream that resumes where the first is", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  env.last.open({ id: "e:5" });
  env.last.send(event(6));
  client.on("sport", changed, note);
  client.on("sport", "goal", note);
  await env.pass(50);
  assert.equal(env.open.length, 2);
  assert.deepEqual(env.last.names, ["news", "sport"]);
  assert.equal(env.last.cursor, "e:6");
  env.last.send(event(7, "sport"));
  settle(7);
  assert.equal(env.open.length, 1);
  assert.deepEqual(told, ["news e:6", "sport e:7"]);
});

test("a group that is added before the first stream is open is heard from its start", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  client.on("sport", changed, note);
  await env.pass(50);
  assert.equal(env.sources.length, 1);
  env.last.open({ id: "e:5" });
  assert.equal(env.open.length, 2);
  assert.deepEqual(env.last.names, ["news", "sport"]);
  assert.equal(env.last.cursor, "e:5");
});

test("a first stream that ends before it is open leaves all to the next", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  client.on("sport", changed, note);
  await env.pass(50);
  env.last.cut();
  for (const each of env.openSockets) each.cut();
  await env.pass(500);
  assert.equal(env.open.length, 1);
  assert.deepEqual(env.last.names, ["news", "sport"]);
  assert.equal(env.last.cursor, null);
});

test("a first stream that ends before the second is open loses no event", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  client.on("sport", changed, note);
  await env.pass(50);
  const [first] = env.sources;
  first?.open({ id: "e:5" });
  first?.send(event(6));
  const second = env.last;
  first?.cut();
  assert.ok(second.closed);
  await env.pass(500);
  assert.deepEqual(env.last.names, ["news", "sport"]);
  assert.equal(env.last.cursor, "e:5");
});

test("a group is left with its last listener, the stream with the last group", async () => {
  const leave = [client.on("news", changed, note), client.on("sport", changed, note)];
  const again = client.on("sport", changed, note);
  await env.pass(50);
  settle(5);
  leave[1]?.();
  await env.pass(200);
  assert.equal(env.open.length, 1);
  again();
  await env.pass(200);
  assert.deepEqual(env.last.names, ["news"]);
  settle(5);
  leave[0]?.();
  await env.pass(200);
  assert.deepEqual(env.open, []);
  assert.equal(client.status.state, "closed");
});

test("who leaves and comes back at once keeps the stream", async () => {
  const leave = client.on("news", changed, note);
  await env.pass(0);
  env.last.open();
  leave();
  await env.pass(40);
  client.on("news", changed, note);
  await env.pass(200);
  assert.equal(env.sources.length, 1);
  env.last.send(event(6));
  assert.deepEqual(told, ["news e:6"]);
});

test("who listens again an hour later hears from then on", async () => {
  const leave = client.on("news", changed, note);
  await env.pass(0);
  env.last.open({ id: "e:5" });
  leave();
  await env.pass(3_600_000);
  client.on("sport", changed, note);
  await env.pass(0);
  assert.deepEqual(env.last.names, ["sport"]);
  assert.equal(env.last.cursor, null);
});

test("who leaves and listens anew on an event is told once of it", async () => {
  let leave = () => {};
  const again = (event: StreamEvent) => {
    if (told.length > 9) return; // else it never ends
    note(event);
    leave();
    leave = client.on("news", changed, again);
  };
  leave = client.on("news", changed, again);
  await env.pass(0);
  env.last.open();
  for (const seq of [6, 7]) env.last.send(event(seq));
  assert.deepEqual(told, ["news e:6", "news e:7"]);
});

test("who leaves and listens anew on a reset is told once of it", async () => {
  let leave = () => {};
  const again = () => {
    if (told.push("reset") > 9) return; // else it never ends
    leave();
    leave = client.on("news", "reset", again);
  };
  leave = client.on("news", "reset", again);
  await env.pass(0);
  env.last.open();
  env.last.send({ type: "stream-reset", groups: ["news"] });
  assert.deepEqual(told, ["reset"]);
});

const refuse = (condition: string) =>
  env.last.send({ type: "stream-error", id: "error", condition, groups: env.last.names });

test("who leaves after a refusal opens no stream", async () => {
  const leave = client.on("news", changed, note);
  client.on("sport", changed, note);
  await env.pass(0);
  refuse("forbidden");
  leave();
  await env.pass(60_000);
  assert.equal(env.sources.length, 1);
});

test("a new group after a refusal is asked for with all that are listened to", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  refuse("too_many_groups");
  client.on("sport", changed, note);
  await env.pass(0);
  assert.deepEqual(env.last.names, ["news", "sport"]);
});

test("a visitor who was disconnected comes back within 3 s, for the server to decide", async () => {
  env.chance = 1;
  client.on("news", changed, note);
  await env.pass(0);
  env.last.open({ id: "e:5" });
  refuse("revoked");
  assert.deepEqual(env.open, []);
  await env.pass(2_999);
  assert.equal(env.sources.length, 1);
  await env.pass(1);
  assert.equal(env.sources.length, 2);
  assert.deepEqual(env.last.names, ["news"]);
  assert.equal(env.last.cursor, "e:5");
  env.last.open({ id: "e:5" });
  refuse("revoked");
  await env.pass(60_000);
  assert.equal(env.sources.length, 2);
  assert.equal(client.status.state, "closed");
});

test("a reset and a refusal are told to the groups they are about", async () => {
  for (const group of ["news", "sport.*", "other"])
    for (const what of ["reset", "denied"] as const)
      client.on(group, what, () => told.push(`${group} ${what}`));
  await env.pass(0);
  env.last.open({ denied: ["other"] });
  env.last.send({ type: "stream-reset", groups: ["news", "sport.*", "sport.7"] });
  assert.deepEqual(told, ["other denied", "news reset", "sport.* reset"]);
});

test("what a listener throws is reported, and the others are told all the same", async () => {
  const error = new Error("mine");
  client.on("news", changed, () => {
    throw error;
  });
  client.on("news", changed, note);
  await env.pass(0);
  env.last.open();
  env.last.send(event(6));
  assert.deepEqual(errors, [error]);
  assert.deepEqual(told, ["news e:6"]);
});

test("the status is another object after a change, and told of", async () => {
  const states: string[] = [];
  const stop = client.onStatus(({ state }) => states.push(state));
  client.on("news", changed, note);
  await env.pass(0);
  const before = client.status;
  env.last.open();
  assert.deepEqual(client.status, { online: true, state: "connected", transport: "sse" });
  assert.notEqual(client.status, before);
  const now = client.status;
  env.last.send(event(6));
  assert.equal(client.status, now);
  assert.equal(client.lastActivity, env.now());
  stop();
  env.last.cut();
  assert.equal(client.status.state, "disconnected");
  assert.deepEqual(states, ["connecting", "connected"]);
});

test("the same watcher may watch twice, and is told twice", async () => {
  const states: string[] = [];
  const watch = ({ state }: StreamStatus) => void states.push(state);
  client.onStatus(watch);
  const stop = client.onStatus(watch);
  client.on("news", changed, note);
  await env.pass(0);
  assert.deepEqual(states, ["connecting", "connecting"]);
  stop();
  env.last.open();
  assert.deepEqual(states, ["connecting", "connecting", "connected"]);
});

test("a grant is asked for first, again if that fails, and when it is too old", async () => {
  let asked = 0;
  let answer = (): Promise<string> => Promise.reject(new Error("503"));
  connect({
    lastEventId: "e:5",
    getGrant: () => {
      asked++;
      return answer();
    },
  });
  client.on("news", changed, note);
  client.on("sport", changed, note);
  await env.pass(0);
  await env.pass(0);
  assert.equal(asked, 1);
  assert.equal(env.sources.length, 0);
  answer = async () => `grant ${asked}`;
  await env.pass(250);
  assert.deepEqual(env.last.grants, ["grant 2"]);
  assert.deepEqual(env.last.names, ["news", "sport"]);
  assert.equal(env.last.cursor, "e:5");
  env.last.open({ id: "e:5", expires: 10 });
  await env.pass(8_000);
  assert.equal(asked, 3);
  await env.pass(50);
  assert.deepEqual(env.last.grants, ["grant 3"]);
  assert.deepEqual(env.last.names, ["news", "sport"]);
  settle(6);
  assert.equal(env.open.length, 1);
});

/** A client whose grants the application refuses from now on, and when it was asked. */
function refused(): { times: number[]; answer: () => Promise<string> } {
  const grants = { times: [] as number[], answer: () => Promise.reject(new Error("503")) };
  const getGrant = () => {
    grants.times.push(env.now());
    return grants.answer();
  };
  connect({ getGrant });
  env.chance = 1;
  return grants;
}

test("a grant is asked for ever less often, until there is one", async () => {
  const grants = refused();
  client.on("news", changed, note);
  await env.pass(3_500);
  assert.deepEqual(grants.times, [0, 500, 1_500, 3_500]);
  const { answer } = grants;
  grants.answer = async () => "grant";
  await env.pass(4_000);
  env.last.open({ id: "e:5", expires: 10 });
  const [, ...before] = grants.times;
  grants.answer = answer;
  await env.pass(8_500);
  const since = grants.times.slice(1 + before.length).map((time) => time - 7_500);
  assert.deepEqual(since, [8_000, 8_500]);
});

for (const [what, end] of [
  ["who listens to nothing", (leave: () => void) => leave()],
  [
    "who has closed",
    () => {
      client.close();
      client.on("sport", changed, note);
    },
  ],
] as const)
  test(`${what} asks for no grant`, async () => {
    const grants = refused();
    const leave = client.on("news", changed, note);
    await env.pass(0);
    end(leave);
    await env.pass(500);
    const before = grants.times.length;
    await env.pass(600_000);
    assert.equal(grants.times.length, before);
    assert.ok(before <= 2);
  });

test("a grant that comes too late opens no stream", async () => {
  for (const close of [true, false]) {
    let give = (_grant: string) => {};
    connect({ getGrant: () => new Promise((resolve) => (give = resolve)) });
    const leave = client.on("news", changed, note);
    await env.pass(0);
    if (close) client.close();
    else leave();
    await env.pass(100);
    give("grant");
    await env.pass(1_000);
    assert.equal(env.sources.length, 0);
  }
});

test("a stream on another origin", async () => {
  connect({ url: "https://events.example/live/" });
  client.on("news", changed, note);
  await env.pass(0);
  assert.equal(env.last.url.href.split("?")[0], "https://events.example/live/stream");
});

test("closed for good is closed for good", async () => {
  client.on("news", changed, note);
  await env.pass(0);
  env.last.open();
  client.close();
  assert.ok(signal.aborted);
  client.on("sport", changed, note);
  connection.wake();
  await env.pass(60_000);
  assert.deepEqual(env.open, []);
  assert.equal(env.sources.length, 1);
});

test("closed for good is closed for good, also before the stream and after a refusal", async () => {
  client.on("news", changed, note);
  client.close();
  await env.pass(1_000);
  assert.equal(env.sources.length, 0);
  connect();
  client.on("news", changed, note);
  await env.pass(0);
  refuse("forbidden");
  client.close();
  client.on("sport", changed, note);
  await env.pass(1_000);
  assert.equal(env.sources.length, 1);
});
