import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Component } from "../src/component";
import { type FakeView, Stage, answer, senderOf } from "./stage";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

const watching = (
  data: Record<string, unknown> = { title: "a" },
  fields: Partial<FakeView> = {},
): [Component, FakeView] => stage.add(data, { watch: { title: { rename: 1 } }, ...fields });

/** The calls so far: method and arguments. */
const calls = (): unknown[] =>
  stage.requests.map(({ url, body }) => [url.split("/").at(-1), body.args]);

async function type(view: FakeView, value: unknown, name = "title"): Promise<void> {
  view.set(name, value);
  await stage.env.pass(0);
}

test("a change by the visitor calls the watching method once", async () => {
  const [, view] = watching();
  await type(view, "ab");
  assert.deepEqual(calls(), [["rename", ["ab"]]]);
  assert.deepEqual(stage.last.body.props, { title: "ab" });
  await type(view, "ab");
  assert.equal(stage.requests.length, 1);
  await type(view, "abc");
  assert.deepEqual(calls()[1], ["rename", ["abc"]]);
});

test("a method gets as much of value, old value and name as it takes", async () => {
  const methods = { none: 0, one: 1, two: 2, all: 3 };
  const [, view] = watching({ title: "a", other: 1 }, { watch: { title: methods, other: {} } });
  await type(view, 2, "other");
  await type(view, "b");
  assert.deepEqual(calls(), [
    ["none", []],
    ["one", ["b"]],
    ["two", ["b", "a"]],
    ["all", ["b", "a", "title"]],
  ]);
});

test("lists and objects are watched to the bottom, with what they were before", async () => {
  const [, view] = watching(
    { title: [{ tags: ["x"] }], other: { n: 1 } },
    { watch: { title: { rename: 2 }, other: { count: 2 } } },
  );
  (view.data.title as { tags: string[] }[])[0]?.tags.push("y");
  await type(view, view.data.title);
  await type(view, view.data.title); // Alpine tells of every change inside, also of none
  await type(view, { n: 1 }, "other");
  assert.deepEqual(calls(), [["rename", [[{ tags: ["x", "y"] }], [{ tags: ["x"] }]]]]);
});

// A51
test("what is pushed calls nothing", async () => {
  const [, view] = watching();
  stage.changed(11, { title: "b" });
  await stage.env.pass(0);
  stage.changed(12, { title: "c" }, { model: "demo.todoitem" });
  await stage.env.pass(0);
  assert.equal(view.data.title, "c");
  assert.deepEqual(calls(), []);
  await type(view, "cd");
  assert.deepEqual(calls(), [["rename", ["cd"]]]);
});

test("an object that is pushed calls nothing, also if it is the same", async () => {
  const [, view] = watching({ title: { n: 1 } });
  for (const [seq, n] of [
    [11, 1],
    [12, 2],
  ] as const) {
    stage.changed(seq, { title: { n } });
    await stage.env.pass(0);
  }
  assert.deepEqual(view.data.title, { n: 2 });
  assert.deepEqual(calls(), []);
});

test("what an answer changes calls nothing", async () => {
  const [component, view] = watching({ title: "a", other: "a" });
  void component.call("save", []);
  stage.last.answer(
    answer({ props: { title: "b" }, client: [["update", { title: "c", other: "c" }]] }),
  );
  await stage.env.pass(0);
  assert.deepEqual(view.data, { title: "c", other: "c" });
  component.refresh();
  stage.last.answer(answer({ props: { title: "d" } }));
  await stage.env.pass(0);
  assert.equal(view.data.title, "d");
  assert.deepEqual(calls(), [
    ["save", []],
    ["_refresh", []],
  ]);
});

test("what a parent's new HTML brings calls nothing", async () => {
  const [component, view] = watching();
  component.absorb({ title: "b" }, "e:20", 1);
  await stage.env.pass(0);
  assert.equal(view.data.title, "b");
  assert.deepEqual(calls(), []);
});

test("what was pushed as it was already doesn't hide the change after it", async () => {
  const [, view] = watching();
  stage.changed(11, { title: "a" });
  await stage.env.pass(0);
  await type(view, "b");
  await type(view, "a");
  assert.deepEqual(calls(), [
    ["rename", ["b"]],
    ["rename", ["a"]],
  ]);
});

test("a change back to what the server knows is sent while a call is under way", async () => {
  const [, view] = watching();
  await type(view, "b");
  await type(view, "a");
  assert.deepEqual(calls(), [
    ["rename", ["b"]],
    ["rename", ["a"]],
  ]);
  stage.requests[0]?.answer(answer({ props: { title: "b" }, position: "e:50" }));
  stage.requests[1]?.answer(answer({ props: { title: "a" }, position: "e:51" }));
  await stage.env.pass(0);
  assert.equal(view.data.title, "a");
  assert.equal(stage.requests.length, 2);
});

test("a change just before a push and one just after it are the visitor's", async () => {
  const [, view] = watching({ title: "a", other: "a" });
  view.set("title", "b");
  stage.changed(11, { other: "pushed" });
  await stage.env.pass(0);
  assert.deepEqual(calls(), [["rename", ["b"]]]);
  stage.changed(12, { title: "pushed" });
  view.set("title", "c");
  await stage.env.pass(0);
  assert.deepEqual(calls()[1], ["rename", ["c"]]);
  assert.equal(stage.requests.length, 2);
});

test("what a handler sets back at once, as if nothing had been, is the visitor's", async () => {
  const [, view] = watching();
  stage.changed(11, { title: "pushed" });
  view.set("title", "a"); // which Alpine says nothing of
  await stage.env.pass(0);
  assert.deepEqual(calls(), [["rename", ["a"]]]);
});

test("a change after a push that an edit held off is the visitor's", async () => {
  const [, view] = watching({ title: "a" }, { editing: "title" });
  stage.changed(11, { title: "theirs" });
  await stage.env.pass(0);
  assert.equal(view.data.title, "a");
  await type(view, "ab");
  assert.deepEqual(calls(), [["rename", ["ab"]]]);
});

// A51
test("a change in one page is one call, however many pages show it", async () => {
  const pages = [new Stage(), new Stage(), new Stage()];
  const views = pages.map((each) => each.add({ title: "a" }, { watch: { title: { save: 1 } } })[1]);
  views[0]?.set("title", "b");
  await pages[0]?.env.pass(0);
  const request = pages[0]?.last;
  assert.ok(request);
  const sender = senderOf(request);
  pages[0]?.changed(60, { title: "b" }, { sender });
  for (const page of pages.slice(1)) page.changed(60, { title: "b" }, { sender: "other.1-1" });
  request.answer(answer({ props: { title: "b" } }));
  for (const page of pages) await page.env.pass(5000);
  assert.deepEqual(
    views.map((view) => view.data.title),
    ["b", "b", "b"],
  );
  assert.deepEqual(
    pages.map((page) => page.requests.length),
    [1, 0, 0],
  );
});

test("a watching method that fails says so on the root, and nowhere else", async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => unhandled.push(reason);
  process.on("unhandledRejection", note);
  const [, view] = watching({ title: "a" }, { methods: { rename: { debounce: 100 } } });
  await type(view, "b");
  await stage.env.pass(100);
  stage.last.answer({ code: "args", detail: "" }, 422);
  await stage.env.pass(0);
  process.off("unhandledRejection", note);
  assert.equal(view.fired[0]?.[0], "sse:call-failed");
  assert.deepEqual(unhandled, []);
});

test("changes in a row are one call of a method with a debounce", async () => {
  const [, view] = watching({ title: "" }, { methods: { rename: { debounce: 300 } } });
  for (const text of ["h", "he", "hel"]) {
    await type(view, text);
    await stage.env.pass(200);
  }
  await stage.env.pass(100);
  assert.deepEqual(calls(), [["rename", ["hel"]]]);
});
