import assert from "node:assert/strict";
import { test } from "node:test";
import { Grants, replaced } from "../src/grants";

test("a grant takes the place of exactly those it was made of", () => {
  const grants = new Grants(["a", "b"]);
  grants.add("c");
  grants.replace(["a", "b"], "ab");
  assert.deepEqual(grants.all, ["ab", "c"]);
  grants.replace(["b", "c"], "bc");
  assert.deepEqual(grants.all, ["ab", "c"]);
  assert.deepEqual(replaced(["a", "c"], ["a", "b"], "ab"), ["a", "c"]);
});

test("a grant is held once", () => {
  const grants = new Grants(["a"]);
  grants.add("a");
  assert.deepEqual(grants.all, ["a"]);
});

test("a stream has all that is held, or it hasn't", () => {
  const grants = new Grants(["a"]);
  assert.ok(grants.within(["a", "b"]));
  grants.add("c");
  assert.ok(!grants.within(["a", "b"]));
  assert.ok(grants.holds(["a"]));
  assert.ok(!grants.holds(["a", "b"]));
});

test("what can't be renewed is held until a new one comes", () => {
  const grants = new Grants(["a"]);
  grants.add("b");
  grants.spend(["a"]);
  assert.deepEqual(grants.all, ["a", "b"]);
  assert.deepEqual(grants.renewable, ["b"]);
  assert.ok(grants.awaited);
  assert.ok(!grants.missing);
  assert.equal(grants.generation, 0);
  grants.add("c");
  assert.deepEqual(grants.all, ["b", "c"]);
  assert.ok(!grants.awaited);
  assert.equal(grants.generation, 1);
});

test("what is dropped is gone at once", () => {
  const grants = new Grants(["a", "b"]);
  grants.drop(["a", "b"]);
  assert.ok(grants.missing);
  grants.add("c");
  assert.deepEqual(grants.all, ["c"]);
});

test("a name outlives the grants beside it", () => {
  const grants = new Grants(["a", "b"]);
  grants.name("news");
  assert.deepEqual(grants.renewable, ["a", "b"]);
  grants.spend(["a", "news"]);
  grants.drop(["b", "news"]);
  assert.deepEqual(grants.all, ["a", "news"]);
  grants.add("c");
  assert.deepEqual(grants.all, ["news", "c"]);
  grants.clear();
  assert.deepEqual(grants.all, ["news"]);
  grants.unname("news");
  assert.deepEqual(grants.all, []);
});

test("a page without grants doesn't wait for any", () => {
  assert.ok(!new Grants([]).missing);
});

test("a refusal of what was added leaves what was good, and what came later", () => {
  const grants = new Grants(["ab", "c"]);
  grants.fallBack(["ab"], ["a"]);
  assert.deepEqual(grants.all, ["a", "c"]);
  assert.ok(!grants.awaited);
  grants.spend(["a"]);
  grants.add("d");
  grants.fallBack(["c", "d"], ["a"]);
  assert.deepEqual(grants.all, ["a"]);
  assert.ok(grants.awaited);
});

test("an address has the cursor, and the newest grants that fit", () => {
  const long = (letter: string) => letter.repeat(3_000);
  const grants = new Grants(["a", "b"]);
  assert.equal(grants.query(null), "grant=a&grant=b");
  for (const letter of ["c", "d", "e"]) grants.add(long(letter));
  assert.equal(grants.query("e:1"), `grant=${long("d")}&grant=${long("e")}&lastEventId=e%3A1`);
  grants.add("f".repeat(8_000));
  assert.equal(grants.query(null), `grant=${"f".repeat(8_000)}`);
});
