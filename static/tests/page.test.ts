import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { CallFailed } from "../src/calls";
import { nextRequest, tab } from "../src/identity";
import { Stage, answer, senderOf } from "./stage";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

test("the stream is there as long as a component is", async () => {
  assert.equal(stage.connection.told.length, 0);
  const [one] = stage.add({});
  const [other] = stage.add({});
  one.leave();
  await stage.env.pass(100);
  assert.ok(!stage.connection.told.includes("stop"));
  other.leave();
  await stage.env.pass(100);
  assert.equal(stage.connection.told.at(-1), "stop");
});

test("a component that replaces the last one keeps the stream", async () => {
  const [one] = stage.add({});
  one.leave();
  stage.add({});
  await stage.env.pass(100);
  assert.ok(!stage.connection.told.includes("stop"));
});

test("pushed properties are set in every component of the group", () => {
  const [, one] = stage.add({ headline: "old", other: 1 });
  const [, two] = stage.add({ headline: "old" }, { groups: ["news"] });
  const [, elsewhere] = stage.add({ headline: "old" }, { groups: ["chat"] });
  stage.changed(11, { headline: "new" });
  assert.deepEqual(one.data, { headline: "new", other: 1 });
  assert.equal(two.data.headline, "new");
  assert.equal(elsewhere.data.headline, "old");
  assert.equal(stage.requests.length, 0);
});

test("a pattern covers one more segment", () => {
  const [, view] = stage.add({ n: 0 }, { groups: ["todo.*"] });
  stage.changed(11, { n: 1 }, { group: "todo.7" });
  assert.equal(view.data.n, 1);
  stage.changed(12, { n: 2 }, { group: "todo.7.notes" });
  stage.changed(13, { n: 2 }, { group: "todo" });
  assert.equal(view.data.n, 1);
});

test("what isn't a public property is ignored", () => {
  const save = () => undefined;
  const [, view] = stage.add({ headline: "old" });
  view.data.save = save;
  const data = JSON.parse('{"__proto__":{"bad":1},"constructor":1,"save":2,"no":3,"headline":"new"}');
  stage.changed(11, data);
  assert.deepEqual(view.data, { headline: "new", save });
  assert.equal(Object.getPrototypeOf(view.data), Object.prototype);
});

test("what is being edited is left alone, the rest isn't", () => {
  const [, view] = stage.add({ headline: "mine", other: "old" }, { editing: "headline" });
  stage.changed(11, { headline: "theirs", other: "new" });
  assert.deepEqual(view.data, { headline: "mine", other: "new" });
  view.editing = "";
  stage.changed(12, { headline: "theirs" });
  assert.equal(view.data.headline, "theirs");
});

test("a property that the server rendered is fetched, with its pushed value", async () => {
  const [, view] = stage.add({ headline: "old", other: 1 }, { rendered: ["headline"] });
  stage.changed(11, { other: 2 });
  assert.equal(stage.requests.length, 0);
  stage.changed(12, { headline: "new" });
  const { url, body, headers } = stage.last;
  assert.equal(url, "/sse/components/news.Ticker/_refresh");
  assert.deepEqual(body, {
    state: "signed",
    props: { headline: "new", other: 2 },
    pushed: ["other", "headline"],
    args: [],
    page: "/todo?tab=2",
  });
  assert.equal(headers["X-CSRFToken"], "csrf");
  assert.equal(headers["X-SSE-Tab"], tab);
  stage.last.answer(answer({ html: "<p>new</p>", props: { headline: "new", other: 7 } }));
  await stage.env.pass(0);
  assert.deepEqual(view.html, ["<p>new</p>"]);
  assert.deepEqual(view.data, { headline: "new", other: 7 });
});

test("without new HTML the state of the next call may be another", async () => {
  const [component, view] = stage.add({});
  for (let n = 0; n < 3; n++) void component.call("walk", []);
  stage.requests[1]?.answer(answer({ html: null, state: "second" }));
  await stage.env.pass(0);
  assert.equal(view.state, "second");
  stage.requests[0]?.answer(answer({ html: null, state: "first" }));
  await stage.env.pass(0);
  assert.equal(view.state, "second");
  stage.requests[2]?.answer(answer({ html: null, state: "third" }));
  await stage.env.pass(0);
  void component.call("walk", []);
  assert.equal(stage.last.body.state, "third");
});

test("without data, or with update, the HTML is fetched", async () => {
  stage.add({ headline: "old" });
  stage.changed(11, {});
  assert.equal(stage.requests.length, 1);
  stage.last.answer(answer({ position: "e:11" }));
  await stage.env.pass(100);
  stage.changed(12, { headline: "new" }, { update: true });
  assert.equal(stage.requests.length, 2);
  assert.deepEqual(stage.last.body.pushed, ["headline"]);
});

test("an event that the HTML is newer than is ignored", () => {
  const [, view] = stage.add({ headline: "rendered" });
  stage.changed(10, { headline: "older" });
  stage.changed(9, {});
  assert.equal(view.data.headline, "rendered");
  assert.equal(stage.requests.length, 0);
});

test("a push that comes after a newer answer still replaces an earlier push", async () => {
  const [component, view] = stage.add({ headline: "0" }, { rendered: ["headline"] });
  stage.changed(11, { headline: "1" });
  stage.last.answer(answer({ props: { headline: "1" }, position: "e:12" }));
  await stage.env.pass(100);
  view.position = "e:12";
  void component.call("save", []);
  stage.last.answer(answer({ html: null, props: { headline: "1" }, position: "e:12" }));
  await stage.env.pass(100);
  stage.changed(12, { headline: "2" });
  assert.equal(view.data.headline, "2");
  assert.deepEqual(stage.last.body.pushed, ["headline"]);
});

test("an answer doesn't take back what was pushed since it was asked for", async () => {
  const [, view] = stage.add({ headline: "0" }, { rendered: ["headline"] });
  stage.changed(11, { headline: "1" });
  stage.changed(12, { headline: "2" });
  stage.requests[0]?.answer(answer({ props: { headline: "loaded" }, position: "e:11" }));
  await stage.env.pass(50);
  assert.equal(view.data.headline, "2");
  assert.equal(stage.requests.length, 2);
  assert.deepEqual(stage.last.body.props, { headline: "2" });
});

test("an answer doesn't take back what the visitor did since it was asked for", async () => {
  const [component, view] = stage.add({ title: "a", count: 0 });
  component.refresh();
  view.data.title = "typed";
  stage.last.answer(answer({ props: { title: "a", count: 1 } }));
  await stage.env.pass(0);
  assert.deepEqual(view.data, { title: "typed", count: 1 });
});

test("what a method has set comes into the field too, unless the visitor went on", async () => {
  for (const [typed, shown] of [
    ["milk", ""],
    ["milk and", "milk and"],
  ]) {
    stage = new Stage();
    const [component, view] = stage.add({ draft: "" }, { editing: "draft" });
    view.data.draft = "milk";
    void component.call("add", []);
    view.data.draft = typed;
    stage.last.answer(answer({ props: { draft: "" }, written: ["draft", "__proto__"] }));
    await stage.env.pass(0);
    assert.equal(view.data.draft, shown);
  }
});

test("what a method sets that watches or listens stays out of the field", async () => {
  for (const field of [{ watch: { draft: { add: 0 } } }, { listen: { ring: ["add"] } }]) {
    stage = new Stage();
    const [component, view] = stage.add({ draft: "" }, { editing: "draft", ...field });
    view.data.draft = "milk ";
    void component.call("add", []);
    stage.last.answer(answer({ props: { draft: "milk" }, written: ["draft"] }));
    await stage.env.pass(0);
    assert.equal(view.data.draft, "milk ");
  }
});

test("an older answer doesn't replace a newer one, but what it may know is fetched", async () => {
  const [component, view] = stage.add({ n: 0 });
  void component.call("save", []);
  void component.call("save", []);
  stage.requests[1]?.answer(answer({ html: "<p>2</p>", props: { n: 2 }, position: "e:60" }));
  await stage.env.pass(0);
  view.position = "e:60";
  stage.requests[0]?.answer(answer({ html: "<p>1</p>", props: { n: 1 }, position: "e:59" }));
  await stage.env.pass(0);
  assert.deepEqual(view.html, ["<p>2</p>"]);
  assert.equal(view.data.n, 2);
  assert.equal(stage.requests.length, 3);
  assert.ok(stage.last.url.endsWith("/_refresh"));
});

test("what was asked for later is newer, though its process lags behind", async () => {
  const [component, view] = stage.add({ n: 0 }, { position: "e:60" });
  component.refresh();
  stage.last.answer(answer({ html: "<p>1</p>", props: { n: 1 }, position: "e:20" }));
  await stage.env.pass(0);
  assert.deepEqual(view.html, ["<p>1</p>"]);
  assert.equal(view.data.n, 1);
});

test("of what its parent's answer says only what was asked for earlier may be older", async () => {
  const [component] = stage.add({ n: 0 }, { position: "e:60" });
  const before = nextRequest();
  assert.ok(!component.isAheadOf("e:20", before));
  component.refresh();
  const meanwhile = nextRequest();
  stage.last.answer(answer({ position: "e:60" }));
  await stage.env.pass(0);
  assert.ok(component.isAheadOf("e:20", before));
  assert.ok(component.isAheadOf("e:20", meanwhile));
  assert.ok(!component.isAheadOf("e:60", meanwhile));
  assert.ok(!component.isAheadOf("e:20", nextRequest()));
  component.absorb({ n: 1 }, "e:20", 1);
  assert.ok(!component.isAheadOf("e:20", nextRequest()));
});

test("twenty items created within 100 ms cost two fetches", async () => {
  stage.add({}, { groups: ["todo"] });
  stage.add({}, { groups: ["chat"] });
  for (let n = 0; n < 20; n++) {
    stage.event("component.created", 11 + n, { data: {} }, { group: "todo" });
    if (n === 1) stage.last.answer(answer({ position: "e:11" }));
    await stage.env.pass(5);
  }
  await stage.env.pass(1000);
  assert.equal(stage.requests.length, 2);
});

test("a component has one fetch under way at most", async () => {
  stage.add({});
  stage.changed(11, {});
  await stage.env.pass(5000);
  stage.changed(12, {});
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 1);
  stage.last.answer(answer({ position: "e:11" }));
  await stage.env.pass(50);
  assert.equal(stage.requests.length, 2);
});

test("a stream of changes doesn't put a fetch off for ever", async () => {
  stage.add({});
  for (let n = 0; n < 50; n++) {
    stage.changed(11 + n, {});
    stage.last.answer(answer({ position: "e:11" }));
    await stage.env.pass(40);
  }
  assert.ok(stage.requests.length >= 3 && stage.requests.length <= 5, `${stage.requests.length}`);
});

test("a fetch for many is spread", async () => {
  stage.add({});
  stage.changed(11, {}, { spread: 2000 });
  await stage.env.pass(999);
  assert.equal(stage.requests.length, 0);
  await stage.env.pass(1);
  assert.equal(stage.requests.length, 1);
});

test("a created item is fetched by the components of its target", () => {
  stage.add({}, { groups: ["news"] });
  stage.add({}, { groups: ["todo.list"], component: "todo.List" });
  stage.event("component.created", 11, { data: {}, target_group: "todo.list" });
  assert.deepEqual(
    stage.requests.map(({ url }) => url),
    ["/sse/components/todo.List/_refresh"],
  );
});

test("what happened before a component was rendered doesn't concern it", () => {
  const [component, view] = stage.add({ n: 0 }, { listen: { ping: ["show"] } });
  const ping = { event_name: "ping", data: {} };
  stage.event("component.created", 10, { data: {} });
  stage.event("component.removed", 10, {});
  stage.event("notify", 10, ping);
  assert.ok(!view.isGone);
  assert.deepEqual(view.fired, []);
  assert.equal(stage.requests.length, 0);
  component.absorb({ n: 1 }, "e:20", 1);
  assert.equal(view.data.n, 1);
  stage.event("component.removed", 20, {});
  assert.ok(!view.isGone);
  view.position = "e:30"; // after a refresh of its own, which doesn't make it younger
  stage.event("notify", 25, ping);
  stage.event("component.removed", 25, {});
  assert.equal(view.fired.length, 1);
  assert.ok(view.isGone);
});

test("components are removed by id, by key, by target or all of a group", () => {
  const views = ["1", "2", "3", "4"].map(
    (key) => stage.add({}, { key, id: `todo.Item:${key}`, groups: ["todo", `todo.${key}`] })[1],
  );
  const [, other] = stage.add({}, { key: "1", id: "other:1", groups: ["chat"] });
  const gone = () => views.filter((view) => view.isGone).map((view) => view.key);
  const remove = (seq: number, payload: Record<string, unknown>) =>
    stage.event("component.removed", seq, payload, { group: "todo" });
  remove(11, { component_id: "nobody" });
  remove(12, { key: "nobody" });
  remove(13, { target_group: "nobody" });
  assert.deepEqual(gone(), []);
  remove(14, { component_id: "todo.Item:2" });
  assert.deepEqual(gone(), ["2"]);
  remove(15, { key: "1" });
  assert.deepEqual(gone(), ["1", "2"]);
  remove(16, { target_group: "todo.4" });
  assert.deepEqual(gone(), ["1", "2", "4"]);
  remove(17, { component_id: null, key: null, target_group: null });
  assert.deepEqual(gone(), ["1", "2", "3", "4"]);
  assert.ok(!other.isGone);
});

test("what hears of a removed item by a pattern stays, and fetches", async () => {
  const [, sum] = stage.add({}, { component: "todo.Sum", groups: ["todo.*"] });
  const [, item] = stage.add({}, { component: "todo.Item", groups: ["todo.7"] });
  stage.event("component.removed", 11, { target_group: "todo.7" }, { group: "todo" });
  assert.ok(item.isGone);
  assert.ok(!sum.isGone);
  assert.deepEqual(
    stage.requests.map(({ url }) => url),
    ["/sse/components/todo.Sum/_refresh"],
  );
  sum.brings = () => void (sum.position = "e:12");
  stage.last.answer(answer({ position: "e:12" }));
  await stage.env.pass(100);
  stage.event("component.removed", 12, {}, { group: "todo.8" }); // it shows that already
  stage.event("component.removed", 13, { component_id: "x" }, { group: "todo.8" });
  stage.event("component.removed", 14, { key: "x" }, { group: "todo.8" });
  assert.equal(stage.requests.length, 1);
  stage.event("component.removed", 15, {}, { group: "todo.8" });
  assert.equal(stage.requests.length, 2);
  assert.ok(!sum.isGone);
});

test("a notification is an event in the document and on every root, and one call each", async () => {
  const listen = { "tetra:alert": ["show"] };
  const [, one] = stage.add({}, { groups: ["news"], listen });
  const [, two] = stage.add({}, { groups: ["chat"], listen });
  const [, deaf] = stage.add({}, { groups: ["chat"] });
  const heard: unknown[] = [];
  stage.document.addEventListener("tetra:alert", (event) =>
    heard.push((event as CustomEvent).detail),
  );
  const payload = { event_name: "tetra:alert", data: { message: "hi" } };
  stage.event("notify", 11, payload, { group: "broadcast" });
  const detail = { data: { message: "hi" }, group: "broadcast", id: "e:11" };
  assert.deepEqual(heard, [detail]);
  for (const view of [one, two, deaf]) assert.deepEqual(view.fired, [["tetra:alert", detail, false]]);
  assert.equal(stage.requests.length, 2);
  assert.ok(stage.requests.every(({ url }) => url.endsWith("/show")));
  assert.deepEqual(stage.last.body.args, [detail]);
});

test("a notification calls every method that listens", () => {
  stage.add({}, { listen: { ping: ["show", "count"], pong: ["other"] } });
  stage.event("notify", 11, { event_name: "ping", data: {} });
  assert.deepEqual(
    stage.requests.map(({ url }) => url.split("/").at(-1)),
    ["show", "count"],
  );
});

test("a notification of a group is for its components, one of a user for all", () => {
  const [, one] = stage.add({}, { groups: ["news"] });
  const [, two] = stage.add({}, { groups: ["chat"] });
  const payload = { event_name: "ping", data: {} };
  stage.event("notify", 11, payload, { group: "chat" });
  assert.equal(one.fired.length, 0);
  assert.equal(two.fired.length, 1);
  for (const group of ["users", "session.h-abc", "auth.user.7"])
    stage.event("notify", 12 + group.length, payload, { group });
  assert.equal(one.fired.length, 3);
  assert.equal(two.fired.length, 4);
});

test("a notification is shown once, over a navigation too", () => {
  const payload = { event_name: "ping", data: {} };
  stage.event("notify", 11, payload, { group: "broadcast" });
  stage.reload();
  const [, view] = stage.add({});
  stage.event("notify", 11, payload, { group: "broadcast" });
  assert.equal(view.fired.length, 0);
  stage.event("notify", 12, payload, { group: "broadcast" });
  assert.equal(view.fired.length, 1);
});

for (const type of ["join", "leave", "online", "offline", "count"].map((name) => `presence.${name}`))
  test(`${type} is told of as a notification is, by its type`, () => {
    const [, one] = stage.add({}, { groups: ["room.*"], listen: { [type]: ["show"] } });
    const [, deaf] = stage.add({}, { groups: ["room.7"] });
    const [, elsewhere] = stage.add({}, { groups: ["chat"], listen: { [type]: ["show"] } });
    const heard: unknown[] = [];
    stage.document.addEventListener(type, (event) => heard.push((event as CustomEvent).detail));
    for (let n = 0; n < 2; n++) stage.event(type, 11, { user: "7" }, { group: "room.7" });
    const detail = { data: { user: "7" }, group: "room.7", id: "e:11" };
    assert.deepEqual(heard, [detail]);
    assert.deepEqual(one.fired, [[type, detail, false]]);
    assert.deepEqual(deaf.fired, [[type, detail, false]]);
    assert.deepEqual(elsewhere.fired, []);
    assert.equal(stage.requests.length, 1);
    assert.ok(stage.last.url.endsWith("/show"));
    assert.deepEqual(stage.last.body.args, [detail]);
  });

test("who is online at all concerns every component", () => {
  const [, one] = stage.add({}, { groups: ["news"] });
  stage.event("presence.online", 11, { user: "7", last_seen: null }, { group: "presence.users" });
  assert.equal(one.fired.length, 1);
});

test("a reset fetches every component of a named group once", () => {
  stage.add({}, { groups: ["news", "chat"] });
  stage.add({}, { groups: ["todo.*"] });
  stage.add({}, { groups: ["other"] });
  stage.page.reset(["news", "chat", "todo.*"], 0);
  assert.equal(stage.requests.length, 2);
});

test("its own echo is ignored by the component that caused it only", async () => {
  const [component, one] = stage.add({ n: 0 });
  const [, two] = stage.add({ n: 0 });
  const call = component.call("save", [1]);
  const sender = senderOf(stage.last);
  stage.changed(60, { n: 1 }, { sender });
  assert.equal(one.data.n, 0);
  assert.equal(two.data.n, 1);
  stage.last.answer(answer({ result: 5, props: { n: 9 } }));
  assert.equal(await call, 5);
  await stage.env.pass(2000);
  stage.changed(61, { n: 2 }, { sender });
  assert.equal(one.data.n, 9);
  assert.equal(two.data.n, 2);
  stage.changed(62, { n: 3 }, { sender: `other.${sender.split(".")[1]}` });
  assert.equal(one.data.n, 3);
});

test("a component that notifies doesn't hear itself", () => {
  const [component, one] = stage.add({});
  const [, two] = stage.add({});
  void component.call("save", []);
  const more = { sender: senderOf(stage.last) };
  stage.event("notify", 60, { event_name: "ping", data: {} }, more);
  stage.event("component.created", 61, { data: {} }, more);
  assert.equal(one.fired.length, 0);
  assert.equal(two.fired.length, 1);
  assert.equal(stage.requests.length, 2);
});

test("a component is removed also by an event that its own call caused", () => {
  const [component, view] = stage.add({}, { key: "1" });
  void component.call("delete", []).catch(() => undefined);
  stage.event("component.removed", 60, { key: "1" }, { sender: senderOf(stage.last) });
  assert.ok(view.isGone);
});

test("an answer's actions are carried out", async () => {
  const [component, view] = stage.add({ n: 0 });
  const call = component.call("save", [1, "two"]);
  assert.equal(stage.last.url, "/sse/components/news.Ticker/save");
  assert.deepEqual(stage.last.body.args, [1, "two"]);
  const client = [
    ["update", { n: 4, unknown: 1 }],
    ["dispatch", "saved", { id: 3 }],
    ["redirect", "/elsewhere"],
    ["remove"],
  ];
  stage.last.answer(answer({ html: null, client, props: { n: 0 } }));
  await call;
  assert.deepEqual(view.html, []);
  assert.deepEqual(view.data, { n: 4 });
  assert.deepEqual(view.fired, [["saved", { id: 3 }, true]]);
  assert.deepEqual(view.redirects, ["/elsewhere"]);
  assert.ok(view.isGone);
});

test("a call that is refused rejects and says so on the root", async () => {
  const [component, view] = stage.add({});
  const call = component.call("save", []);
  stage.last.answer({ code: "args", detail: "One too many." }, 422);
  await assert.rejects(call, new CallFailed(422, "args", "One too many."));
  const detail = { method: "save", status: 422, code: "args", detail: "One too many." };
  assert.deepEqual(view.fired, [["sse:call-failed", detail, true]]);
  assert.ok(!view.isGone);
});

test("a call without a network rejects, and isn't repeated", async () => {
  const [component, view] = stage.add({});
  const call = component.call("save", []);
  stage.last.fail();
  await assert.rejects(call, CallFailed);
  assert.equal(view.fired[0]?.[0], "sse:call-failed");
  await stage.env.pass(60_000);
  assert.equal(stage.requests.length, 1);
});

test("a call that hangs is given up, and a redirection is no answer", async () => {
  const [component] = stage.add({});
  const call = component.call("save", []);
  assert.equal(stage.last.init.redirect, "manual");
  const rejected = assert.rejects(call, CallFailed);
  await stage.env.pass(30_000);
  await rejected;
});

test("a component whose object is gone is removed with a last word", async () => {
  const [component, view] = stage.add({});
  component.refresh();
  stage.last.answer({ code: "gone", detail: "" }, 410);
  await stage.env.pass(0);
  assert.equal(view.fired[0]?.[0], "sse:stale");
  assert.ok(view.isGone);
});

test("a refused state is answered by a refresh", async () => {
  const [component, view] = stage.add({});
  const call = component.call("save", []);
  stage.last.answer({ code: "state", detail: "" }, 409);
  await assert.rejects(call);
  assert.ok(stage.last.url.endsWith("/_refresh"));
  assert.deepEqual(view.fired, []);
});

test("a refresh that couldn't reach the server is repeated, with what was pushed", async () => {
  const [, view] = stage.add({ headline: "0" }, { rendered: ["headline"] });
  stage.changed(11, { headline: "1" });
  stage.last.fail();
  await stage.env.pass(1000);
  assert.equal(stage.requests.length, 2);
  assert.deepEqual(stage.last.body.pushed, ["headline"]);
  stage.last.answer({}, 503);
  await stage.env.pass(0);
  stage.page.opened(["news"]);
  assert.equal(stage.requests.length, 3);
  assert.equal(view.fired.length, 1);
});

test("a component that the stream doesn't serve asks once for a grant", async () => {
  const [, view] = stage.add({}, { groups: ["chat"] });
  stage.add({}, { groups: ["news", "broadcast"] });
  stage.connection.groups = ["news"];
  stage.page.opened(["news"]);
  assert.equal(stage.requests.length, 1);
  stage.last.answer(answer({ grant: "new", position: "e:20" }));
  await stage.env.pass(100);
  assert.deepEqual(stage.connection.told.at(-1), ["new", "e:20"]);
  assert.equal(view.html.length, 1);
  stage.page.opened(["news"]);
  await stage.env.pass(100);
  assert.equal(stage.requests.length, 1);
});

test("a group is asked for by one grant, and in vain once", async () => {
  for (let n = 0; n < 2; n++) stage.add({}, { groups: ["chat"] });
  stage.add({}, { groups: ["secret"] });
  stage.connection.groups = ["news"];
  stage.page.opened(["news"]);
  stage.requests.forEach((request, n) =>
    request.answer(answer({ grant: n < 2 ? `grant ${n}` : null, position: "e:20" })),
  );
  await stage.env.pass(100);
  assert.deepEqual(
    stage.connection.told.filter((each) => Array.isArray(each)),
    [["grant 0", "e:20"]],
  );
  stage.connection.groups = ["news", "chat"];
  stage.page.opened(["news", "chat"]);
  assert.equal(stage.requests.length, 3);
});

test("a component that lost its groups again asks again", async () => {
  stage.add({}, { groups: ["chat"] });
  const open = async (groups: string[]) => {
    stage.connection.groups = groups;
    stage.page.opened(groups);
    stage.last.answer(answer({ grant: "new", position: "e:20" }));
    await stage.env.pass(100);
  };
  await open(["news"]);
  await open(["news", "chat"]);
  assert.equal(stage.requests.length, 1);
  await open(["news"]);
  assert.equal(stage.requests.length, 2);
});

test("a grant for what the stream has is not needed", async () => {
  const [component] = stage.add({});
  stage.connection.groups = ["news"];
  stage.page.opened(["news"]);
  const told = stage.connection.told.length;
  component.refresh();
  stage.last.answer(answer({ grant: "new", position: "e:20" }));
  await stage.env.pass(100);
  assert.equal(stage.connection.told.length, told);
});

// A14
test("groups that no component has any more are given up after a while", async () => {
  const { connection, env, page } = stage;
  stage.add({}, { groups: ["news"] });
  const [other, view] = stage.add({}, { groups: ["sport", "broadcast"], covers: ["match.*"] });
  const [same] = stage.add({}, { groups: ["sport"] });
  connection.groups = ["broadcast", "users", "news", "sport", "match.*"];
  page.opened(connection.groups);
  view.isGone = true;
  page.gone(other);
  await env.pass(30_000);
  assert.deepEqual(connection.narrowed, [["users", "news", "sport"]]);
  page.gone(same);
  await env.pass(30_000);
  assert.deepEqual(connection.narrowed[1], ["users", "news"]);
});

// A14: some are there all the same, as they are automatic; some had no answer.
test("a group that is there all the same is given up three times, then left alone", async () => {
  const { connection, env, page } = stage;
  stage.add({}, { groups: ["news"] });
  const giveUp = async () => {
    const [component] = stage.add({}, { groups: ["sport"] });
    page.gone(component);
    for (let n = 0; n < 6; n++) {
      page.opened((connection.groups = ["news", "sport"]));
      await env.pass(60_000);
    }
  };
  await giveUp();
  assert.deepEqual(connection.narrowed, [["news"], ["news"], ["news"]]);
  // It was there again in the meantime.
  await giveUp();
  assert.equal(connection.narrowed.length, 6);
});

// A14
test("pages don't give up groups at the same time", async () => {
  for (const [chance, wait] of [
    [0, 10_000],
    [0.5, 20_000],
  ] as const) {
    stage = new Stage();
    const { connection, env, page } = stage;
    env.chance = chance;
    stage.add({}, { groups: ["news"] });
    page.gone(stage.add({}, { groups: ["sport"] })[0]);
    page.opened((connection.groups = ["news", "sport"]));
    await env.pass(wait - 1);
    assert.equal(connection.narrowed.length, 0);
    await env.pass(1);
    assert.equal(connection.narrowed.length, 1);
  }
});

// A14
test("a group that comes back in time, or under a pattern, isn't given up", async () => {
  const { connection, env, page } = stage;
  stage.add({}, { groups: ["news"] });
  const [first] = stage.add({}, { groups: ["sport"] });
  const [second] = stage.add({}, { groups: ["match.7"] });
  connection.groups = ["news", "sport", "match.*"];
  page.opened(connection.groups);
  page.gone(first);
  page.gone(second);
  await env.pass(9_000);
  stage.add({}, { groups: ["sport"] });
  stage.add({}, { groups: ["match.8"] });
  await env.pass(30_000);
  assert.deepEqual(connection.narrowed, []);
});

// A14
test("nothing is given up while a new grant waits for its stream", async () => {
  const { connection, env, page } = stage;
  const [, view] = stage.add({}, { groups: ["news"] });
  const [other] = stage.add({}, { groups: ["sport"] });
  connection.groups = ["news", "sport"];
  page.opened(connection.groups);
  page.gone(other);
  view.groupsWithin = ["news", "chat"];
  page.granted(view, "two", "e:5");
  await env.pass(60_000);
  assert.deepEqual(connection.narrowed, []);
  connection.groups = ["news", "sport", "chat"];
  page.opened(connection.groups);
  stage.add({}, { groups: ["chat"] });
  await env.pass(30_000);
  assert.deepEqual(connection.narrowed, [["news", "chat"]]);
});
