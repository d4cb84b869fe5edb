import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type FakeView, Stage, answer, senderOf } from "./stage";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

/** An event with data of a row. */
const told = (seq: number, data: Record<string, unknown>, more: Record<string, unknown> = {}) => {
  const { sender = null, group = "news", spread } = more;
  const payload = { data, update: false, model: "demo.todoitem", ...(more.payload ?? {}) };
  stage.event("component.data_changed", seq, payload, { sender, group, spread });
};

/** One shown property, so that only what is overtaken is fetched. */
const add = (fields: Partial<FakeView> = {}) => stage.add({ title: "a" }, fields);

test("a row that changes now and then is not fetched", async () => {
  const [, view] = add();
  for (let seq = 11; seq < 15; seq++) {
    told(seq, { title: `${seq}` });
    await stage.env.pass(2000);
  }
  assert.equal(view.data.title, "14");
  assert.equal(stage.requests.length, 0);
});

test("a second event within two seconds may be the older one: it is fetched once", async () => {
  const [, view] = add();
  told(11, { title: "newest" });
  await stage.env.pass(1999);
  told(12, { title: "older" });
  assert.equal(view.data.title, "older");
  await stage.env.pass(299);
  assert.equal(stage.requests.length, 0);
  await stage.env.pass(1);
  assert.equal(stage.requests.length, 1);
  assert.ok(stage.last.url.endsWith("/_refresh"));
  stage.last.answer(answer({ props: { title: "newest" }, position: "e:12" }));
  await stage.env.pass(5000);
  assert.equal(view.data.title, "newest");
  assert.equal(stage.requests.length, 1);
});

test("the fetch is right also where its server has not heard of the events yet", async () => {
  const [, view] = add();
  told(11, { title: "newest" });
  told(12, { title: "older" });
  await stage.env.pass(300);
  stage.last.answer(answer({ props: { title: "newest" }, position: "e:10" }));
  await stage.env.pass(0);
  assert.equal(view.data.title, "newest");
});

test("the fetch lays nothing over what is loaded", async () => {
  add({ rendered: ["title"] });
  stage.changed(11, { title: "pushed" });
  stage.last.answer(answer({ props: { title: "pushed" }, position: "e:11" }));
  await stage.env.pass(100);
  stage.changed(12, { title: "pushed again" });
  told(13, { title: "saved" });
  stage.last.answer(answer({ props: { title: "pushed again" }, position: "e:12" }));
  await stage.env.pass(100);
  assert.equal(stage.requests.length, 3);
  assert.deepEqual(stage.last.body.pushed, []);
});

test("what a row's event says takes the place of what was pushed before it", () => {
  const [component] = add();
  stage.changed(11, { title: "pushed" });
  told(12, { title: "saved" });
  component.refresh();
  assert.deepEqual(stage.last.body.props, { title: "saved" });
  assert.deepEqual(stage.last.body.pushed, []);
});

test("events in a row are fetched once they pause, or after two seconds", async () => {
  add();
  told(11, { title: "x" });
  for (let n = 0; n < 20; n++) {
    await stage.env.pass(100);
    told(12 + n, { title: `${n}` });
  }
  assert.equal(stage.requests.length, 0);
  await stage.env.pass(100); // two seconds after the first that was doubtful
  assert.equal(stage.requests.length, 1);
  stage.last.answer(answer({ position: "e:40" }));
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 1);
});

test("events of other groups, or of no row, overtake nothing", async () => {
  add({ groups: ["todo.1", "todo.2"] });
  told(11, { title: "x" }, { group: "todo.1" });
  told(12, { title: "x" }, { group: "todo.2" });
  stage.changed(13, { title: "x" }, { group: "todo.1" });
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 0);
});

test("one's own change after another's is fetched, and so is another's after it", async () => {
  for (const first of ["own", "theirs"]) {
    stage = new Stage();
    const [component] = add();
    const call = component.call("save", []);
    const sender = senderOf(stage.last);
    stage.last.answer(answer({ html: null, position: "e:10" }));
    await call;
    told(11, { title: "x" }, first === "own" ? { sender } : {});
    told(12, { title: "y" }, first === "own" ? {} : { sender });
    await stage.env.pass(5000);
    assert.equal(stage.requests.length, 2, first);
  }
});

// A49
test("changes of one's own that follow each other are not fetched", async () => {
  const [component] = add();
  for (let n = 0; n < 3; n++) {
    const call = component.call("save", []);
    told(60 + n, { title: `${n}` }, { sender: senderOf(stage.last) });
    stage.last.answer(answer({ html: null, position: "e:10" }));
    await call;
  }
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 3);
});

test("an event that came before the HTML counts, one that it is newer than is not fetched", async () => {
  const [, view] = add();
  told(9, { title: "x" });
  told(10, { title: "y" });
  await stage.env.pass(1000);
  assert.equal(stage.requests.length, 0);
  assert.equal(view.data.title, "a");
  told(11, { title: "older" });
  await stage.env.pass(300);
  assert.equal(stage.requests.length, 1);
});

test("a fetch that happens anyway is enough", async () => {
  add({ rendered: ["title"] });
  told(11, { title: "x" });
  stage.last.answer(answer({ position: "e:11" }));
  await stage.env.pass(100);
  told(12, { title: "y" });
  assert.equal(stage.requests.length, 2);
  stage.last.answer(answer({ position: "e:12" }));
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 2);
});

test("a fetch for many is spread", async () => {
  add();
  told(11, { title: "x" }, { spread: 4000 });
  told(12, { title: "y" }, { spread: 4000 });
  await stage.env.pass(300 + 1999);
  assert.equal(stage.requests.length, 0);
  await stage.env.pass(1);
  assert.equal(stage.requests.length, 1);
});

test("a component that leaves the page fetches nothing any more", async () => {
  const [component] = add();
  told(11, { title: "x" });
  told(12, { title: "y" });
  component.remove();
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 0);
});

test("an answer doesn't take back what an event told since it was asked for", async () => {
  const [component, view] = add();
  component.refresh();
  told(12, { title: "newer" });
  stage.last.answer(answer({ props: { title: "older" }, position: "e:11" }));
  await stage.env.pass(0);
  assert.equal(view.data.title, "newer");
});

test("a parent's HTML doesn't take back what a newer event told", async () => {
  const [component, view] = add();
  told(12, { title: "newer" });
  component.absorb({ title: "older" }, "e:11", 1);
  assert.equal(view.data.title, "newer");
  component.absorb({ title: "newest" }, "e:12", 1);
  assert.equal(view.data.title, "newest");
  component.absorb({ title: "after a restart" }, "f:1", 1);
  assert.equal(view.data.title, "after a restart");
});

test("after a reset a parent's HTML is right, wherever its server has got to", () => {
  const [component, view] = add();
  told(12, { title: "before what was missed" });
  stage.page.reset(["news"], 0);
  component.absorb({ title: "loaded" }, "e:11", 1);
  assert.equal(view.data.title, "loaded");
});

test("a late push replaces an earlier one that is shown, whatever HTML came between", async () => {
  const [component, view] = add();
  stage.changed(11, { title: "1" });
  const call = component.call("save", []);
  stage.last.answer(answer({ props: { title: "loaded" }, position: "e:30" }));
  await call;
  view.position = "e:30";
  assert.equal(view.data.title, "1");
  stage.changed(25, { title: "2" });
  assert.equal(view.data.title, "2");
});

test("a row of which more is said than the properties take is fetched", () => {
  add({ groups: ["news"] });
  told(11, { id: 7, title: "b" });
  assert.equal(stage.requests.length, 0);
  told(12, { id: 7, title: "c", done: true });
  assert.equal(stage.requests.length, 1);
});

test("a component without a property of the row fetches, as its HTML may show it", () => {
  stage.add({}, { groups: ["news"] });
  told(11, { id: 7, title: "b" });
  assert.equal(stage.requests.length, 1);
});

test("who hears of rows by a pattern shows more than one of them, and fetches", () => {
  add({ groups: ["todo.*"] });
  told(11, { id: 7, title: "b" }, { group: "todo.7" });
  assert.equal(stage.requests.length, 1);
});

test("what is no row and none of the properties is ignored", () => {
  add();
  stage.changed(11, { done: true });
  assert.equal(stage.requests.length, 0);
});

test("an event without data counts: the one after it may be of an earlier change", async () => {
  const [, view] = add();
  told(11, {});
  stage.last.answer(answer({ props: { title: "newest" }, position: "e:11" }));
  await stage.env.pass(200);
  told(12, { title: "older" });
  assert.equal(view.data.title, "older");
  await stage.env.pass(300);
  assert.equal(stage.requests.length, 2);
});

test("an answer that is newer than what an event told since it was asked for is shown", async () => {
  const [component, view] = add();
  component.refresh();
  told(11, { title: "older" });
  assert.equal(view.data.title, "older");
  stage.last.answer(answer({ props: { title: "newer" }, position: "e:12" }));
  await stage.env.pass(0);
  assert.equal(view.data.title, "newer");
});
