import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf } from "../src/config";
import { Sources, openSocket } from "../src/link";
import { increasing, increasingThrough } from "../src/match";
import { Ring } from "../src/ring";
import { StatusTeller, initialStatus } from "../src/status";
import { covers, isAfter, isBefore, older, parse } from "../src/wire";
import { FakeEnv } from "./fakes";

test("a ring remembers the last ids", () => {
  const ring = new Ring(2);
  assert.ok(ring.add("a"));
  assert.ok(!ring.add("a"));
  assert.ok(ring.add("b"));
  assert.ok(ring.add("c"));
  assert.ok(ring.add("a"));
});

test("positions are compared as numbers, within an epoch", () => {
  assert.ok(isAfter("e:10", "e:9"));
  assert.ok(!isAfter("e:9", "e:9"));
  assert.ok(isAfter("f:1", "e:9"));
  assert.ok(isBefore("e:9", "e:10"));
  assert.ok(!isBefore("e:9", "e:9"));
  assert.ok(!isBefore("f:1", "e:9"));
  assert.equal(older("e:10", "e:9"), "e:9");
  assert.equal(older("e:9", null), "e:9");
  assert.equal(older("e:9", "f:9"), "0:0");
});

test("of the positions of several groups the oldest counts, if they are of one epoch", () => {
  const vector = "12345678:e-12,9abcdef0:e-9,00000000:e-10";
  assert.equal(older(vector, null), vector);
  assert.equal(older(null, vector), vector);
  assert.equal(older(vector, "e:10"), "e:9");
  assert.equal(older("e:8", vector), "e:8");
  assert.equal(older("f:8", vector), "0:0");
  assert.equal(older("12345678:e-12,9abcdef0:f-9", "e:10"), "0:0");
  assert.equal(older("12345678:7-12", "7:9007199254740991"), "7:12");
});

test("a pattern covers exactly one more segment", () => {
  assert.ok(covers("a.*", "a.b"));
  assert.ok(covers("a.*", "a.*"));
  assert.ok(covers("a", "a"));
  for (const group of ["a", "a.", "a.b.c", "ab", "b.c"]) assert.ok(!covers("a.*", group), group);
});

test("only an object with a type is a frame", () => {
  assert.deepEqual(parse('{"type":"x"}'), { type: "x" });
  for (const text of ["", "1", "null", '"type"', "{}", "{"]) assert.equal(parse(text), null);
});

test("a longest increasing run is found, also through a given place", () => {
  assert.deepEqual([...increasing([3, 1, 2, 5, 4])].sort(), [1, 2, 4]);
  assert.deepEqual([...increasing([])], []);
  assert.deepEqual([...increasingThrough([3, 1, 2, 5, 4], 0)].sort(), [0, 4]);
});

test("the status tells of each change once", () => {
  const target = new EventTarget();
  const told: string[] = [];
  for (const name of ["sse:connected", "sse:disconnected", "sse:reset", "sse:denied"])
    target.addEventListener(name, () => told.push(name));
  const status = initialStatus();
  const teller = new StatusTeller(status, target);
  teller.state("connecting", null);
  assert.deepEqual(status, {
    online: false,
    state: "connecting",
    transport: null,
    lastActivity: null,
  });
  teller.state("connected", "sse");
  teller.activity(5);
  assert.deepEqual(status, { online: true, state: "connected", transport: "sse", lastActivity: 5 });
  teller.denied(["a"], null);
  teller.denied(["a"], null);
  teller.reset(["a"]);
  teller.state("disconnected", null);
  teller.state("closed", null);
  assert.deepEqual(told, ["sse:connected", "sse:denied", "sse:reset", "sse:disconnected"]);
});

test("the same refusal is told of once more after the stream was open", () => {
  const target = new EventTarget();
  let count = 0;
  target.addEventListener("sse:denied", () => count++);
  const teller = new StatusTeller(initialStatus(), target);
  for (let n = 0; n < 2; n++) {
    teller.denied(["a"], "forbidden");
    teller.denied(["a"], "forbidden");
    teller.state("connected", "sse");
  }
  assert.equal(count, 2);
});

/** Writes down what a link tells of. */
function hearing() {
  const told: string[] = [];
  const heard = {
    frame: ({ type }: { type: string }) => void told.push(type),
    end: () => void told.push("end"),
  };
  return { told, heard };
}

test("a link that is closed tells of nothing more", () => {
  const env = new FakeEnv();
  const { told, heard } = hearing();
  const sources = new Sources(env, "/sse/stream");
  for (const link of [sources.open("", heard), openSocket(env, "/sse/ws")("", heard)]) link.close();
  sources.listen("goal");
  for (const stream of [env.last, env.sockets[0]!]) {
    assert.ok(stream.closed);
    stream.send({ type: "keep-alive" });
    stream.send({ type: "goal" });
    stream.cut();
  }
  assert.deepEqual(told, []);
});

test("a link that is cut is closed, and tells of its end once", () => {
  const env = new FakeEnv();
  const { told, heard } = hearing();
  new Sources(env, "/sse/stream").open("", heard);
  openSocket(env, "/sse/ws")("", heard);
  for (const stream of [env.last, env.sockets[0]!]) {
    for (let n = 0; n < 2; n++) stream.cut();
    stream.send({ type: "keep-alive" });
    assert.ok(stream.closed);
  }
  assert.deepEqual(told, ["end", "end"]);
});

test("a type that is asked for twice is told of once", () => {
  const env = new FakeEnv();
  const { told, heard } = hearing();
  const sources = new Sources(env, "/sse/stream");
  sources.listen("goal");
  sources.open("", heard);
  for (const type of ["goal", "notify", "own", "own"]) sources.listen(type);
  for (const type of ["goal", "notify", "own"]) env.last.send({ type });
  assert.deepEqual(told, ["goal", "notify", "own"]);
});

test("a script without a stream says so", () => {
  const config = (dataset: Record<string, string>) => configOf({ dataset } as unknown as HTMLElement);
  assert.equal(config({ stream: "off", components: "/c/" }).stream, null);
  assert.deepEqual(
    config({
      stream: "/s",
      socket: "/w",
      components: "/c/",
      grants: "/g",
      grant: "g",
      cursor: "e:1",
      csrf: "t",
    }),
    {
      stream: "/s",
      socket: "/w",
      components: "/c/",
      renewal: "/g",
      grants: ["g"],
      cursor: "e:1",
      csrf: "t",
    },
  );
});
