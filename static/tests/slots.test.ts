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
