import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { nextRequest } from "../src/identity";
import type { Request } from "./fakes";
import { type FakeView, Stage, answer, senderOf } from "./stage";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

const add = () => stage.add({ title: "a" }, { methods: { save: {} } });

/** An event of a row, which the answer to a request says too. */
const echo = (seq: number, title: string, request: Request, data: object = { title }) => {
  const payload = { data, update: false, model: "demo.todoitem" };
  stage.event("component.data_changed", seq, payload, { sender: senderOf(request) });
};

/** What a request brings, and from when. */
async function show(view: FakeView, request: Request, title: string, position: string) {
  view.brings = () => {
    view.position = position;
  };
  request.answer(answer({ props: { title }, position }));
  await stage.env.pass(0);
}

let seen: FakeView;

/** A component, whose view is `seen`, that calls so many times at once. */
function calls(count: number): Request[] {
  const [component, view] = add();
  for (let n = 0; n < count; n++) component.call("save", []).catch(() => undefined);
  seen = view;
  return [...stage.requests];
}

test("a call that has no answer is fetched where its event says that it was run", async () => {
  const lost: ((request: Request) => void)[] = [
    (request) => request.fail(),
    (request) => request.answer({ code: "error", detail: "" }, 500),
  ];
  for (const lose of lost) {
    stage = new Stage();
    const [request] = calls(1) as [Request];
    echo(11, "saved", request);
    assert.equal(seen.data.title, "a");
    lose(request);
    await stage.env.pass(0);
    assert.equal(stage.requests.length, 2);
    assert.ok(stage.last.url.endsWith("/_refresh"));
    await show(seen, stage.last, "saved", "e:11");
    assert.equal(seen.data.title, "saved");
    assert.equal(seen.fired.length, 1);
  }
});

test("an event of a call that has had no answer is no echo", async () => {
  const [request] = calls(1) as [Request];
  request.fail();
  await stage.env.pass(0);
  assert.equal(stage.requests.length, 1); // what the visitor typed stays, to be sent again
  echo(11, "saved", request);
  assert.equal(seen.data.title, "saved");
});

test("an answer that one to a later request has overtaken is not shown, but fetched", async () => {
  const [first, second] = calls(2) as [Request, Request];
  echo(11, "first", first);
  echo(12, "second", second);
  await show(seen, second, "second", "e:10");
  await show(seen, first, "first", "e:10");
  assert.equal(seen.data.title, "second");
  assert.equal(stage.requests.length, 3);
});

test("what was asked for later, but served earlier, is fetched once the events tell", async () => {
  const [first, second] = calls(2) as [Request, Request];
  await show(seen, first, "last", "e:10");
  await show(seen, second, "before it", "e:10");
  echo(11, "before it", second);
  echo(12, "last", first);
  assert.equal(seen.data.title, "before it");
  await stage.env.pass(300);
  assert.equal(stage.requests.length, 3);
});

// A49
test("changes of one's own whose events come late are not fetched", async () => {
  const [component, view] = add();
  for (let n = 0; n < 3; n++) {
    component.call("save", []).catch(() => undefined);
    await show(view, stage.last, `${n}`, "e:10");
  }
  const [first, second, third] = stage.requests as [Request, Request, Request];
  [first, second, third].forEach((request, n) => echo(11 + n, `${n}`, request));
  await stage.env.pass(5000);
  assert.equal(view.data.title, "2");
  assert.equal(stage.requests.length, 3);
});

test("what is asked for after an event is newer than an answer that is right up to it", async () => {
  const [component, view] = add();
  component.call("save", []).catch(() => undefined);
  const call = stage.last;
  echo(11, "saved", call);
  stage.changed(12, {}); // somebody else's, which has to be fetched
  await show(view, stage.last, "theirs", "e:10");
  await show(view, call, "saved", "e:10");
  assert.equal(view.data.title, "theirs");
});

test("one's own event without data, after somebody else's, is fetched", async () => {
  const [component, view] = add();
  component.call("save", []).catch(() => undefined);
  const call = stage.last;
  await show(view, call, "saved", "e:10");
  const payload = { data: { title: "before it" }, update: false, model: "demo.todoitem" };
  stage.event("component.data_changed", 11, payload);
  echo(12, "", call, {});
  await stage.env.pass(300);
  assert.equal(stage.requests.length, 2);
});

test("what an overtaken answer has brought doesn't pass for the visitor's change", async () => {
  const [component, view] = add();
  view.data.title = "b";
  component.call("save", []).catch(() => undefined);
  const call = stage.last;
  component.refresh();
  const fetch = stage.last;
  await show(view, call, "c", "e:10");
  await show(view, fetch, "b", "e:12");
  assert.equal(view.data.title, "b");
});

test("a parent's HTML that was on its way at the same time is fetched if it may be older", async () => {
  const [component, view] = add();
  const parents = nextRequest();
  component.call("save", []).catch(() => undefined);
  const call = stage.last;
  await show(view, call, "saved", "e:10");
  component.absorb({ title: "before it" }, "e:10", parents);
  echo(11, "saved", call);
  await stage.env.pass(300);
  assert.equal(stage.requests.length, 2);
});
