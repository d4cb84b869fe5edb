import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Slots } from "../src/slots";
import { FakeEnv, FakeTabs } from "./fakes";

let env: FakeEnv;
let answers: boolean[];

beforeEach(() => {
  env = new FakeEnv();
  env.isCramped = true;
  answers = [];
});

const tab = (name: string) => new Slots(env, name);
const note = (isFree: boolean) => void answers.push(isFree);

async function held(count: number): Promise<Slots[]> {
  const tabs = Array.from({ length: count }, (_, n) => tab(`old ${n}`));
  for (const each of tabs) each.hold();
  return tabs;
}

test("where connections are plenty nobody is asked", () => {
  env.isCramped = false;
  tab("a").ask(note);
  assert.deepEqual(answers, [true]);
  assert.equal(env.tabs.channels.size, 0);
});

// A78
test("the fifth tab has no room until one of the others is closed", async () => {
  const [first] = await held(4);
  tab("new").ask(note);
  await env.pass(150);
  first?.drop();
  tab("new").ask(note);
  await env.pass(150);
  assert.deepEqual(answers, [false, true]);
});

test("who holds one may have a second for a moment", async () => {
  const [first] = await held(4);
  first?.ask(note);
  assert.deepEqual(answers, [true]);
});

test("who had no room may have it the next time", async () => {
  const old = await held(4);
  const slots = tab("new");
  slots.ask(note);
  await env.pass(150);
  for (const each of old) each.drop();
  slots.ask(note);
  await env.pass(150);
  assert.deepEqual(answers, [false, true]);
});

test("two who ask in one tab have one answer", async () => {
  const said: unknown[] = [];
  env.channel("sse:slots").onmessage = ({ data }) => said.push(data);
  const slots = tab("a");
  slots.ask(note);
  await env.pass(100);
  slots.ask(note);
  await env.pass(50);
  assert.deepEqual(answers, [true, true]);
  assert.equal(said.length, 1);
});

test("who no longer asks isn't told, and others in the tab are", async () => {
  const slots = tab("a");
  const forget = slots.ask(() => assert.fail());
  slots.ask(note);
  forget();
  await env.pass(150);
  assert.deepEqual(answers, [true]);
  slots.ask(note)();
  assert.equal(env.tabs.channels.size, 0);
  await env.pass(150);
  assert.deepEqual(answers, [true]);
});

test("who asks again after a while waits for the answers", async () => {
  await held(4);
  const slots = tab("new");
  slots.ask(note)();
  await env.pass(100);
  slots.ask(note);
  await env.pass(100);
  assert.deepEqual(answers, []);
  await env.pass(50);
  assert.deepEqual(answers, [false]);
});

test("what is held for a moment while a tab asks doesn't cut it off", async () => {
  await held(4);
  const slots = tab("new");
  slots.ask(note);
  slots.hold();
  slots.drop();
  await env.pass(150);
  assert.deepEqual(answers, [false]);
});

test("of two tabs that ask at the same time the one with the lower name goes first", async () => {
  await held(3);
  const told: [string, boolean][] = [];
  for (const name of "ba") tab(name).ask((isFree) => told.push([name, isFree]));
  await env.pass(150);
  assert.deepEqual(told, [["b", false], ["a", true]]);
});

// A78
test("two clients of one page hold two connections", async () => {
  for (let n = 0; n < 4; n++) new Slots(env).hold();
  tab("new").ask(note);
  await env.pass(150);
  assert.deepEqual(answers, [false]);
});

test("of ten tabs that ask at the same time four have room", async () => {
  for (const name of "hgjbadcief") tab(name).ask(note);
  await env.pass(150);
  assert.equal(answers.filter(Boolean).length, 4);
  assert.equal(answers.length, 10);
});

test("of ten tabs that ask one shortly after the other four have room", async () => {
  const tabs = [..."hgjbadcief"].map(tab);
  for (const each of tabs) {
    each.ask((isFree) => {
      if (isFree) each.hold();
      note(isFree);
    });
    await env.pass(10);
  }
  await env.pass(150);
  assert.equal(answers.filter(Boolean).length, 4);
  assert.equal(answers.length, 10);
});

test("a channel is open only while there is something to say", async () => {
  const slots = tab("a");
  slots.ask(note);
  assert.equal(env.tabs.channels.size, 1);
  await env.pass(150);
  assert.equal(env.tabs.channels.size, 0);
  slots.hold();
  assert.equal(env.tabs.channels.size, 1);
  slots.drop();
  assert.equal(env.tabs.channels.size, 0);
});

test("without channels there is room", () => {
  env.channel = () => null as never;
  tab("a").ask(note);
  assert.deepEqual(answers, [true]);
});

test("other browsers aren't asked", async () => {
  await held(4);
  env.tabs = new FakeTabs();
  tab("new").ask(note);
  await env.pass(150);
  assert.deepEqual(answers, [true]);
});
