import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Component } from "../src/component";
import { type FakeView, Stage, answer } from "./stage";

let stage: Stage;

beforeEach(() => {
  stage = new Stage();
});

/** A list that covers its rows, each on a group of its own. */
function addList(count: number): { list: Component; view: FakeView; rows: Component[] } {
  const groups = Array.from({ length: count }, (_, n) => `todo.${n}`);
  const [list, view] = stage.add(
    {},
    {
      component: "todo.List",
      groups: ["todo"],
      covers: ["todo.*"],
      groupsWithin: ["todo.*", "todo", ...groups],
    },
  );
  const rows = groups.map((group) => addRow(list, group));
  view.brings = (request) => {
    for (const row of rows) row.absorb({ title: "loaded" }, "e:50", request);
  };
  return { list, view, rows };
}

const addRow = (above: Component, group: string): Component =>
  stage.add({ title: "a" }, { component: "todo.Row", groups: [group], above })[0];

/** The components that fetched so far. */
const fetched = (): unknown[] => stage.requests.map(({ url }) => url.split("/").at(-2));

async function open(...groups: string[]): Promise<void> {
  stage.connection.groups = groups;
  stage.page.opened(groups);
  await stage.env.pass(0);
}

const grants = (): unknown[] => stage.connection.told.filter((each) => Array.isArray(each));

// A61
test("rows that a pattern of the stream covers ask for nothing", async () => {
  addList(100);
  await open("todo", "todo.*");
  assert.deepEqual(fetched(), []);
});

// A61
test("a new row of a list that covers it needs no grant and no stream", async () => {
  const { list, view } = addList(2);
  await open("todo", "todo.*");
  stage.event("component.created", 11, { data: {} }, { group: "todo" });
  view.groupsWithin = [...view.groupsWithin, "todo.7"];
  stage.last.answer(answer({ grant: "new", position: "e:50" }));
  await stage.env.pass(0);
  const row = addRow(list, "todo.7");
  await stage.env.pass(100);
  assert.deepEqual(grants(), []);
  assert.deepEqual(fetched(), ["todo.List"]);
  stage.changed(60, { title: "b" }, { group: "todo.7" });
  assert.equal(row.view.get("title"), "b");
});

test("a list isn't subscribed to what it covers", async () => {
  const [, view] = stage.add({ title: "a" }, { groups: ["todo"], covers: ["todo.*"] });
  stage.changed(11, { title: "b" }, { group: "todo.7" });
  stage.event("component.removed", 12, {}, { group: "todo.7" });
  assert.equal(view.data.title, "a");
  assert.ok(!view.isGone);
  stage.event("notify", 13, { event_name: "ping", data: {} }, { group: "todo.7" });
  assert.deepEqual(view.fired, []);
});

test("what a list covers is a group of the page, not one of everybody's", () => {
  stage.add({}, { groups: ["todo"], covers: ["todo.*"] });
  const [, other] = stage.add({}, { groups: ["chat"] });
  stage.event("notify", 11, { event_name: "ping", data: {} }, { group: "todo.7" });
  assert.deepEqual(other.fired, []);
});

test("a list whose pattern the stream lacks asks once, and its rows come with it", async () => {
  const { view } = addList(3);
  await open("todo");
  assert.deepEqual(fetched(), ["todo.List"]);
  stage.last.answer(answer({ grant: "new", position: "e:50" }));
  await stage.env.pass(100);
  assert.deepEqual(grants(), [["new", "e:50"]]);
  assert.equal(view.html.length, 1);
  await open("todo", "todo.*");
  assert.deepEqual(fetched(), ["todo.List"]);
});

test("a row that comes before the stream of its pattern is open asks for nothing", async () => {
  const { list } = addList(1);
  await open("todo");
  stage.last.answer(answer({ grant: "new", position: "e:50" }));
  await stage.env.pass(100);
  addRow(list, "todo.7");
  stage.add({}, { component: "todo.Detail", groups: ["todo.8"] });
  await stage.env.pass(100);
  assert.deepEqual(fetched(), ["todo.List"]);
});

test("a group that a pattern brought and lost again is asked for again", async () => {
  addList(1);
  stage.add({}, { component: "todo.Detail", groups: ["todo.0"] });
  for (const groups of [["todo"], ["todo", "todo.*"], ["todo"]]) {
    await open(...groups);
    for (const request of stage.requests) request.answer(answer({ grant: "new", position: "e:50" }));
    await stage.env.pass(100);
  }
  assert.deepEqual(fetched(), ["todo.List", "todo.Detail", "todo.List", "todo.Detail"]);
});

test("a list that is put into an open page asks once for itself and its rows", async () => {
  stage.add({});
  await open("news");
  addList(3);
  await stage.env.pass(0);
  assert.deepEqual(fetched(), ["todo.List"]);
});

test("rows whose pattern the stream lost ask again", async () => {
  addList(2);
  await open("todo");
  stage.last.answer(answer({ grant: "new", position: "e:50" }));
  await stage.env.pass(100);
  await open("todo", "todo.*");
  await open("todo");
  assert.deepEqual(fetched(), ["todo.List", "todo.List"]);
});

test("when no grant can be renewed, a list's new HTML brings those of its rows", async () => {
  addList(3);
  await open("todo", "todo.*");
  stage.page.expired();
  assert.deepEqual(fetched(), ["todo.List"]);
});

test("grants that are refused before any stream has opened are replaced by an answer's", async () => {
  stage.add({});
  stage.page.expired();
  stage.last.answer(answer({ grant: "new", position: "e:50" }));
  await stage.env.pass(0);
  assert.deepEqual(grants(), [["new", "e:50"]]);
});

// A6
test("a reset of all groups fetches a list, and its rows come with it", async () => {
  const { rows } = addList(100);
  stage.add({}, { groups: ["news"] });
  stage.page.reset(["todo", "todo.*", "news"], 0);
  assert.deepEqual(fetched(), ["todo.List", "news.Ticker"]);
  for (const request of stage.requests) request.answer(answer({ position: "e:50" }));
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 2);
  assert.ok(rows.every((row) => row.view.get("title") === "loaded"));
});

test("a reset of a pattern fetches the list that covers it, in place of its rows", async () => {
  const { list } = addList(3);
  const [apart] = stage.add({}, { component: "todo.Detail", groups: ["todo.2"] });
  stage.add({}, { component: "todo.Form", groups: ["news"] });
  stage.page.reset(["todo.*"], 0);
  assert.deepEqual(fetched(), ["todo.List", "todo.Detail"]);
  assert.ok(!list.view.isGone && !apart.view.isGone);
});

test("a reset of a pattern fetches what is under it, also where nothing covers it", () => {
  stage.add({}, { component: "todo.Row", groups: ["todo.1"] });
  stage.add({}, { component: "todo.Watch", groups: ["todo.*"] });
  stage.add({}, { component: "todo.List", groups: ["todo"] });
  stage.add({}, { component: "todo.Notes", groups: ["todo.1.notes"] });
  stage.page.reset(["todo.*"], 0);
  assert.deepEqual(fetched(), ["todo.Row", "todo.Watch"]);
});

test("a reset of one row's group fetches that row, and who is subscribed to all", () => {
  addList(3);
  stage.add({}, { component: "todo.Watch", groups: ["todo.*"] });
  stage.page.reset(["todo.1"], 0);
  assert.deepEqual(fetched(), ["todo.Row", "todo.Watch"]);
});

test("a component comes with one that is further out, over one that isn't concerned", () => {
  const { rows } = addList(2);
  stage.add({}, { component: "todo.Notes", groups: ["notes"], above: rows[0] });
  stage.page.reset(["todo", "notes"], 0);
  assert.deepEqual(fetched(), ["todo.List"]);
});

test("a component inside those that a reset doesn't concern fetches itself", () => {
  const { rows } = addList(2);
  stage.add({}, { component: "todo.Notes", groups: ["notes"], above: rows[0] });
  stage.page.reset(["notes"], 0);
  assert.deepEqual(fetched(), ["todo.Notes"]);
});

test("a row that its list's new HTML didn't bring fetches itself", async () => {
  const { view, rows } = addList(3);
  view.brings = (request) => {
    rows[0]?.absorb({}, "e:50", request);
    rows[1]?.view.remove();
  };
  stage.page.reset(["todo", "todo.*"], 0);
  stage.last.answer(answer({ position: "e:50" }));
  await stage.env.pass(5000);
  assert.deepEqual(fetched(), ["todo.List", "todo.Row"]);
  assert.equal(stage.requests.length, 2);
});

test("rows whose list can't be fetched fetch themselves", async () => {
  addList(2);
  stage.page.reset(["todo", "todo.*"], 0);
  stage.last.fail();
  await stage.env.pass(1000);
  assert.deepEqual(fetched(), ["todo.List", "todo.List"]); // it is repeated
  stage.last.answer({ code: "error", detail: "" }, 500);
  await stage.env.pass(0);
  assert.deepEqual(fetched().slice(2), ["todo.Row", "todo.Row"]);
});

test("a row that fetches before its list does isn't fetched again for it", async () => {
  const { view, rows } = addList(1);
  view.brings = () => undefined; // the row's own HTML is newer
  stage.page.reset(["todo", "todo.*"], 0);
  const list = stage.last;
  rows[0]?.refresh();
  stage.last.answer(answer({ position: "e:60" }));
  await stage.env.pass(0);
  list.answer(answer({ position: "e:50" }));
  await stage.env.pass(5000);
  assert.deepEqual(fetched(), ["todo.List", "todo.Row"]);
});

// A6
test("after a reset what was pushed before is no longer laid over what is loaded", async () => {
  const [, view] = stage.add({ headline: "0" });
  stage.changed(11, { headline: "pushed" });
  stage.page.reset(["news"], 0);
  assert.deepEqual(stage.last.body.pushed, []);
  stage.last.answer(answer({ props: { headline: "loaded" }, position: "e:50" }));
  await stage.env.pass(0);
  assert.equal(view.data.headline, "loaded");
});

test("a component without groups asks for the pattern that it covers", async () => {
  stage.add({}, { groups: [], covers: ["todo.*"] });
  await open("news");
  assert.equal(stage.requests.length, 1);
});

/** A list that fetches, whose answer will bring a row as it was. */
function fetchRow(): { row: () => Component; bring: (position: string) => Promise<void> } {
  const { list, view } = addList(0);
  let row: Component | null = null;
  list.refresh();
  const request = stage.last;
  const fields = { component: "todo.Row", groups: ["todo.9"], above: list };
  return {
    row: () => row as Component,
    async bring(position) {
      view.brings = () => {
        [row] = stage.add({ title: "a" }, { ...fields, position });
      };
      request.answer(answer({ position }));
      await stage.env.pass(0);
    },
  };
}

test("a row that is removed while the list that still has it is fetched goes again", async () => {
  const { row, bring } = fetchRow();
  stage.event("component.removed", 12, { target_group: "todo.9" }, { group: "todo" });
  stage.event("component.removed", 13, {}, { group: "todo.9" });
  await bring("e:11");
  assert.ok(!row().view.isGone); // it may have been made again since
  assert.equal(stage.last.url, "/sse/components/todo.Row/_refresh");
  stage.last.answer({ code: "gone", detail: "" }, 410);
  await stage.env.pass(5000);
  assert.ok(row().view.isGone);
});

test("a row that changes while the list that brings it is fetched is told of it", async () => {
  const { row, bring } = fetchRow();
  const payload = { data: { title: "b" }, update: false, model: "todo" };
  stage.event("component.data_changed", 12, payload, { group: "todo.9" });
  stage.event("component.data_changed", 13, payload, { group: "todo.8" });
  await bring("e:11");
  assert.equal(row().view.get("title"), "b");
  assert.equal(stage.requests.length, 1);
});

test("a row is not told what its HTML is newer than", async () => {
  stage.changed(12, {}, { group: "todo.9" }); // before the list is asked for
  const { bring } = fetchRow();
  stage.changed(13, {}, { group: "todo.9" });
  await bring("e:13");
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 1);
});

test("a row is not told what was heard before it was asked for, wherever its server is", async () => {
  stage.changed(12, {}, { group: "todo.9" });
  const { bring } = fetchRow();
  await bring("e:11");
  await stage.env.pass(5000);
  assert.equal(stage.requests.length, 1);
});

test("a row is not notified again of what was heard while it was fetched", async () => {
  const { row, bring } = fetchRow();
  stage.event("notify", 12, { event_name: "ping", data: 1 }, { group: "todo.9" });
  await bring("e:11");
  assert.deepEqual((row().view as FakeView).fired, []);
});

test("what was heard two hundred events ago, or half a minute, is told to no one", async () => {
  for (const [others, wait, told] of [
    [199, 0, 1],
    [200, 0, 0],
    [0, 30_000, 1],
    [0, 30_001, 0],
  ] as const) {
    stage = new Stage();
    stage.changed(12, {}, { group: "todo.9" });
    for (let n = 0; n < others; n++) stage.changed(13 + n, {}, { group: "todo.8" });
    await stage.env.pass(wait);
    stage.add({}, { groups: ["todo.9"], position: "e:11" });
    assert.equal(stage.requests.length, told);
  }
});
