import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CallFailed } from "../src/calls";
import { type Pace, Pacer } from "../src/pace";
import { FakeEnv } from "./fakes";
import { Stage, answer } from "./stage";

let env: FakeEnv;
let runs: [number, unknown[]][];

beforeEach(() => {
  env = new FakeEnv();
  runs = [];
});

/** A method that returns how often it ran. */
const paced = (pace: Pace): Pacer =>
  new Pacer(env, pace, (args) => {
    runs.push([env.now(), args]);
    return Promise.resolve(runs.length);
  });

test("without a pace every call runs at once", async () => {
  const pacer = paced({});
  assert.deepEqual(await Promise.all([pacer.call([1]), pacer.call([2])]), [1, 2]);
  assert.deepEqual(runs, [
    [0, [1]],
    [0, [2]],
  ]);
});

test("a debounced method runs once it was quiet, with the last arguments", async () => {
  const pacer = paced({ debounce: 300 });
  for (const letter of "abc") {
    void pacer.call([letter]);
    await env.pass(299);
  }
  assert.deepEqual(runs, []);
  await env.pass(1);
  assert.deepEqual(runs, [[898, ["c"]]]);
  void pacer.call(["d"]);
  await env.pass(300);
  assert.deepEqual(runs[1], [1198, ["d"]]);
});

test("all who called a debounced method learn how its one run ended", async () => {
  const pacer = paced({ debounce: 300 });
  const calls = [pacer.call([1]), pacer.call([2])];
  await env.pass(300);
  assert.deepEqual(await Promise.all(calls), [1, 1]);
  const refused = new CallFailed(422, "args", "One too many.");
  const failing = new Pacer(env, { debounce: 300 }, () => Promise.reject(refused));
  const rejected = [1, 2].map((n) => assert.rejects(failing.call([n]), refused));
  await env.pass(300);
  await Promise.all(rejected);
});

test("a throttled method runs at once, and what comes too early runs last", async () => {
  const pacer = paced({ throttle: 100 });
  const calls = ["a", "b", "c"].map((letter) => pacer.call([letter]));
  assert.deepEqual(runs, [[0, ["a"]]]);
  await env.pass(1000);
  assert.deepEqual(runs, [
    [0, ["a"]],
    [100, ["c"]],
  ]);
  assert.deepEqual(await Promise.all(calls), [1, 2, 2]);
  void pacer.call(["d"]);
  assert.deepEqual(runs[2], [1000, ["d"]]);
});

test("a throttled method that is called all the time runs at its pace", async () => {
  const pacer = paced({ throttle: 100 });
  for (let n = 0; n < 10; n++) {
    void pacer.call([n]);
    await env.pass(30);
  }
  await env.pass(1000);
  assert.deepEqual(
    runs.map(([at]) => at),
    [0, 100, 200, 300],
  );
  assert.deepEqual(runs.at(-1)?.[1], [9]);
});

test("of both paces debounce is the one that counts", async () => {
  const pacer = paced({ debounce: 300, throttle: 100 });
  void pacer.call([1]);
  void pacer.call([2]);
  await env.pass(1000);
  assert.deepEqual(runs, [[300, [2]]]);
});

test("what waits when the component leaves the page doesn't run, nor seem to have", async () => {
  const settled: unknown[] = [];
  const [slow, fast] = [paced({ debounce: 300 }), paced({ throttle: 100 })];
  void fast.call([1]);
  for (const call of [slow.call([2]), fast.call([3])])
    void call.finally(() => settled.push(call)).catch(() => undefined);
  slow.stop();
  fast.stop();
  await env.pass(1000);
  assert.deepEqual(runs, [[0, [1]]]);
  assert.deepEqual(settled, []);
});

test("a component calls each of its methods at that method's pace", async () => {
  const stage = new Stage();
  const methods = { save: {}, search: { debounce: 300 }, follow: { throttle: 100 } };
  const [component] = stage.add({ query: "" }, { methods });
  const called = () => stage.requests.map(({ url, body }) => [url.split("/").at(-1), body.args]);
  for (const n of [1, 2]) {
    for (const method of Object.keys(methods)) void component.call(method, [n]);
  }
  assert.deepEqual(called(), [
    ["save", [1]],
    ["follow", [1]],
    ["save", [2]],
  ]);
  await stage.env.pass(300);
  assert.deepEqual(called().slice(3), [
    ["follow", [2]],
    ["search", [2]],
  ]);
});

test("a call that waited sends the properties as they are when it is made", async () => {
  const stage = new Stage();
  const [component, view] = stage.add({ query: "a" }, { methods: { search: { debounce: 300 } } });
  const call = component.call("search", []);
  view.set("query", "ab");
  await stage.env.pass(300);
  assert.deepEqual(stage.last.body.props, { query: "ab" });
  stage.last.answer(answer({ result: 7 }));
  assert.equal(await call, 7);
});

test("a component that leaves the page calls nothing any more", async () => {
  const stage = new Stage();
  const methods = { search: { debounce: 300 } };
  const [component] = stage.add({ query: "" }, { methods, listen: { ping: ["search"] } });
  void component.call("search", []);
  stage.event("notify", 11, { event_name: "ping", data: {} }, { spread: 2000 });
  component.remove();
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 0);
});
