import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import type { Connection } from "../src/connection";
import type { FakeEnv, FakeSource } from "./fakes";
import { Line, event } from "./line";

const RENEWAL = 80_000;

let line: Line;
let env: FakeEnv;
let connection: Connection;
let first: FakeSource;

/** Time passes on a stream that is alive. */
async function live(milliseconds: number): Promise<void> {
  for (let rest = milliseconds; rest > 0; rest -= 10_000) {
    for (const source of env.open) source.send({ type: "keep-alive" });
    await env.pass(Math.min(rest, 10_000));
  }
}

/** A new grant is gathered, and the server doesn't make one of the two. */
async function addUnmerged(grant: string, position: string): Promise<void> {
  connection.addGrant(grant, position);
  await env.pass(50);
  await line.refuse();
}

beforeEach(() => {
  line = new Line();
  ({ env, connection } = line);
  connection.start();
  first = env.last;
  first.open({ groups: ["news"], expires: 100 });
});

test("grants are renewed at 80 % of their life, and the stream stays open", async () => {
  await live(RENEWAL - 1);
  assert.equal(line.sent.length, 0);
  await env.pass(1);
  assert.deepEqual(line.sent, [["one"]]);
  await line.renew("two", 200);
  assert.deepEqual(env.sources, [first]);
  assert.deepEqual(connection.groups, ["news"]);
  await live(2 * RENEWAL - 1);
  assert.equal(line.sent.length, 1);
  await env.pass(1);
  assert.deepEqual(line.sent, [["one"], ["two"]]);
  first.cut();
  await env.pass(500);
  assert.deepEqual(env.last.grants, ["two"]);
});

test("the life of grants counts from the stream that opened last", async () => {
  await live(50_000);
  first.send({ type: "stream-close", reason: "rotated", retry: 500 });
  await env.pass(500);
  env.last.open({ expires: 1000 });
  await live(799_999);
  assert.equal(line.sent.length, 0);
  await env.pass(1);
  assert.equal(line.sent.length, 1);
});

test("a stream that needs no grant renews none", async () => {
  first.cut();
  await env.pass(500);
  env.last.open({ expires: null });
  await live(200_000);
  assert.equal(line.sent.length, 0);
});

test("a renewal that isn't answered is tried again, not too often", async () => {
  env.chance = 1;
  await live(RENEWAL);
  const times = [env.now()];
  while (env.now() < 400_000) {
    await line.fail();
    const count = line.sent.length;
    while (line.sent.length === count) await live(100);
    times.push(env.now());
  }
  const gaps = times.slice(1).map((time, n) => time - (times[n] as number));
  assert.deepEqual(gaps.slice(0, 4), [1000, 1500, 2500, 4500]);
  assert.ok(gaps.every((gap) => gap >= 500 && gap <= 30_500), `${gaps}`);
  assert.ok(gaps.slice(-3).every((gap) => gap > 30_000), `${gaps}`);
  assert.deepEqual(env.sources, [first]);
  await line.renew("two", 100);
  assert.equal(line.asked, 0);
  await live(RENEWAL);
  await line.fail();
  const count = line.sent.length;
  await live(1_000);
  assert.equal(line.sent.length, count + 1);
});

test("grants that live for months aren't renewed at once", async () => {
  first.send({ type: "stream-open", groups: ["news"], expires: 40 * 86_400 });
  await live(100_000);
  assert.equal(line.sent.length, 0);
});

test("it is tried once more before the life of the grants is over", async () => {
  env.chance = 1;
  first.send({ type: "stream-open", groups: ["news"], expires: 20 });
  await live(16_000);
  for (const gap of [1_000, 1_500, 1_000, 4_500]) {
    const count = line.sent.length;
    await line.fail();
    await live(gap - 1);
    assert.equal(line.sent.length, count);
    await env.pass(1);
    assert.equal(line.sent.length, count + 1);
  }
});

test("a life of no length is renewed once a second at most", async () => {
  first.open({ groups: ["news"], expires: 0 });
  for (let n = 1; n <= 5; n++) {
    await env.pass(999);
    assert.equal(line.sent.length, n - 1);
    await env.pass(1);
    assert.equal(line.sent.length, n);
    await line.renew(`grant ${n}`, 0);
  }
});

test("grants that can't be renewed are replaced by new HTML while the stream goes on", async () => {
  await live(RENEWAL);
  await line.refuse();
  assert.equal(line.asked, 1);
  assert.deepEqual(env.open, [first]);
  assert.equal(connection.groups, null); // so that every new grant is taken
  await live(60_000);
  assert.equal(line.sent.length, 1);
  connection.wake();
  assert.equal(line.asked, 2);
  assert.deepEqual(env.open, [first]);
  first.send(event(8));
  connection.addGrant("two", "e:7");
  assert.equal(connection.groups, null);
  await env.pass(50);
  assert.equal(line.sent.length, 1);
  assert.deepEqual(env.last.grants, ["two"]);
  assert.equal(env.last.cursor, "e:7");
  env.last.open({ groups: ["news"], expires: 100 });
  env.last.send({ type: "keep-alive", id: "e:9" });
  assert.ok(first.closed);
  assert.deepEqual(connection.groups, ["news"]);
  await live(RENEWAL);
  assert.deepEqual(line.sent.at(-1), ["two"]);
});

test("until new ones come, a stream is opened with those that can't be renewed", async () => {
  await live(RENEWAL);
  await line.refuse();
  first.cut();
  await env.pass(500);
  assert.deepEqual(env.last.grants, ["one"]);
  env.last.open({ groups: ["news"], expires: 10 });
  assert.equal(connection.groups, null);
  await live(30_000);
  env.last.cut();
  await env.pass(500);
  await line.end(env.last, "grant_expired");
  assert.equal(line.sent.length, 1);
  const asked = line.asked;
  await env.pass(500);
  assert.equal(line.asked, asked + 1);
  connection.addGrant("two", "e:7");
  await env.pass(50);
  assert.deepEqual(env.last.grants, ["two"]);
});

test("an overdue renewal is made when the page is seen again", async () => {
  await live(RENEWAL);
  await line.fail();
  connection.wake();
  assert.equal(line.sent.length, 2);
  connection.wake();
  assert.equal(line.sent.length, 2);
  await line.renew("two");
  connection.wake();
  assert.equal(line.sent.length, 2);
});

test("a grant that is added during a renewal stays, and needs no request of its own", async () => {
  await live(RENEWAL);
  connection.addGrant("two", "e:3");
  await env.pass(50);
  assert.deepEqual(line.sent, [["one"]]);
  assert.equal(env.sources.length, 1);
  await line.renew("new");
  assert.deepEqual(env.last.grants, ["new", "two"]);
  assert.equal(env.last.cursor, "e:3");
});

test("a grant that is added during a renewal doesn't wait for it for long", async () => {
  await live(RENEWAL);
  connection.addGrant("two", "e:3");
  await env.pass(2_049);
  assert.equal(env.sources.length, 1);
  await env.pass(1);
  const second = env.last;
  assert.deepEqual(second.grants, ["one", "two"]);
  await line.renew("new");
  assert.equal(env.last, second);
  second.open();
  second.send(event(4, "chat"));
  second.send({ type: "keep-alive", id: "e:6" });
  second.cut();
  await env.pass(500);
  assert.deepEqual(env.last.grants, ["new", "two"]);
  assert.equal(env.last.cursor, "e:6");
});

test("a grant that is added during a renewal outlives its refusal", async () => {
  await live(RENEWAL);
  connection.addGrant("two", "e:3");
  await line.refuse();
  assert.equal(line.asked, 1);
  connection.addGrant("three", "e:7");
  await env.pass(50);
  assert.deepEqual(line.sent.at(-1), ["two", "three"]);
  await line.renew("both");
  assert.deepEqual(env.last.grants, ["both"]);
  assert.equal(env.last.cursor, "e:3");
});

for (const [end, leave] of [
  ["a stop", () => connection.stop()],
  ["going to sleep", () => connection.sleep()],
] as const) {
  test(`a renewal that is answered after ${end} is kept for later`, async () => {
    await live(RENEWAL);
    leave();
    await line.renew("two");
    await env.pass(10_000_000);
    assert.equal(env.sources.length, 1);
    assert.equal(line.sent.length, 1);
    if (end === "a stop") connection.start();
    else connection.wake();
    assert.deepEqual(env.last.grants, ["two"]);
  });

  test(`a renewal that is refused after ${end} has new grants come later`, async () => {
    await live(RENEWAL);
    leave();
    await line.refuse();
    await env.pass(1_000_000);
    assert.equal(line.asked, 0);
    assert.equal(env.sources.length, 1);
    if (end === "a stop") connection.start();
    else connection.wake();
    assert.equal(line.asked, 1);
    assert.deepEqual(env.last.grants, ["one"]);
  });

  test(`what was too old before ${end} is renewed after it, once`, async () => {
    first.cut();
    await env.pass(500);
    await line.end(env.last, "grant_expired");
    leave();
    await line.fail();
    await env.pass(1_000_000);
    assert.equal(line.sent.length, 1);
    if (end === "a stop") connection.start();
    else connection.wake();
    connection.wake();
    assert.equal(line.sent.length, 2);
    assert.equal(line.states.at(-1), end === "a stop" ? "connecting" : "disconnected");
    await line.renew("two");
    assert.deepEqual(env.last.grants, ["two"]);
    assert.equal(env.open.length, 1);
  });

  test(`what is refused after ${end} is answered with nothing before the return`, async () => {
    for (const condition of ["grant_expired", "revoked"]) {
      await live(10_000);
      const asked = line.asked;
      await line.end(env.last, condition);
      leave();
      await line.refuse();
      await env.pass(1_000_000);
      assert.equal(line.asked, asked);
      assert.equal(env.open.length, 0);
      if (condition === "revoked" && end === "going to sleep") {
        assert.deepEqual(line.told.at(-1), ["state", "closed"]);
        return;
      }
      if (end === "a stop") connection.start();
      else connection.wake();
      assert.equal(line.asked, asked + 1);
      connection.addGrant(`after ${condition}`, "e:8");
      await env.pass(50);
      assert.deepEqual(env.last.grants, [`after ${condition}`]);
      env.last.open({ groups: ["news"] });
    }
    assert.ok(!line.told.some(([what]) => what === "denied"));
  });
}

test("a renewal that is answered during an outage is part of the next attempt", async () => {
  await live(RENEWAL);
  first.cut();
  await line.renew("two");
  assert.equal(env.sources.length, 1);
  await env.pass(500);
  assert.equal(env.sources.length, 2);
  assert.deepEqual(env.last.grants, ["two"]);
});

test("grants that are too old to open a stream are renewed first", async () => {
  first.send(event(6));
  first.cut();
  await env.pass(500);
  await line.end(env.last, "grant_expired");
  assert.deepEqual(line.sent, [["one"]]);
  assert.equal(line.states.at(-1), "disconnected");
  assert.equal(env.open.length, 0);
  await line.renew("two");
  assert.deepEqual(env.last.grants, ["two"]);
  assert.equal(env.last.cursor, "e:6");
  env.last.open({ groups: ["news"] });
  assert.equal(line.states.at(-1), "connected");
  assert.equal(line.asked, 0);
});

test("a renewal that can't be had now is tried again before a stream is", async () => {
  first.cut();
  await env.pass(500);
  await line.end(env.last, "grant_expired");
  for (let n = 1; n <= 4; n++) {
    assert.equal(line.sent.length, n);
    await line.fail();
    assert.equal(line.sent.length, n);
    await env.pass(4_500);
  }
  assert.equal(env.sources.length, 2);
  assert.equal(line.asked, 0);
  await line.renew("two");
  assert.deepEqual(env.last.grants, ["two"]);
});

test("expired grants that can't be renewed are replaced by those of new answers", async () => {
  first.cut();
  await env.pass(500);
  await line.end(env.last, "grant_expired");
  await line.refuse();
  await env.pass(500);
  assert.equal(line.asked, 1);
  await env.pass(60_000);
  assert.equal(env.open.length, 0);
  connection.wake();
  assert.equal(line.asked, 2);
  assert.equal(line.sent.length, 1);
  connection.addGrant("two", "e:8");
  await env.pass(50);
  assert.deepEqual(env.last.grants, ["two"]);
  assert.equal(env.last.cursor, "e:5");
});

test("new grants that come before they are asked for are used", async () => {
  env.chance = 1;
  first.cut();
  await env.pass(500);
  await line.end(env.last, "grant_expired");
  await line.refuse();
  connection.addGrant("two", "e:8");
  await env.pass(4_000);
  assert.deepEqual(env.last.grants, ["two"]);
});

test("a server that renews grants and refuses them too is asked ever less often", async () => {
  env.chance = 1;
  first.cut();
  await env.pass(500);
  await line.end(env.last, "grant_expired");
  await line.renew("two");
  await line.end(env.last, "grant_expired");
  assert.equal(line.sent.length, 1);
  assert.equal(line.asked, 0);
  const gaps: number[] = [];
  for (let n = 1; n <= 4; n++) {
    const before = env.now();
    while (line.asked < n) await env.pass(50);
    gaps.push(env.now() - before);
    connection.addGrant(`three ${n}`, "e:5");
    await env.pass(50);
    assert.deepEqual(env.last.grants, [`three ${n}`]);
    await line.end(env.last, "grant_expired");
  }
  assert.deepEqual(gaps, [1000, 2000, 4000, 4000]);
  assert.equal(line.sent.length, 1);
  assert.equal(env.sources.length, 7);
});

test("a stream that opens and is refused at once isn't opened again at once", async () => {
  first.cut();
  await env.pass(500);
  env.last.open({ groups: ["news"] });
  await line.end(env.last, "grant_expired");
  assert.equal(line.sent.length, 0);
  await env.pass(1000);
  assert.equal(line.asked, 1);
});

test("grants that are too old for a second stream are renewed beside the first", async () => {
  await addUnmerged("two", "e:3");
  const second = env.last;
  await line.end(second, "grant_expired");
  assert.deepEqual(env.open, [first]);
  assert.deepEqual(line.sent.at(-1), ["one", "two"]);
  assert.deepEqual(connection.groups, ["news"]);
  first.send(event(7));
  connection.addGrant("three", "e:6");
  await env.pass(50);
  assert.deepEqual(env.open, [first]); // which needs the renewal, too
  await line.renew("both");
  assert.deepEqual(env.last.grants, ["both", "three"]);
  assert.equal(env.last.cursor, "e:3");
  env.last.open({ groups: ["news", "chat"] });
  env.last.send({ type: "keep-alive", id: "e:7" });
  assert.ok(first.closed);
  assert.equal(line.asked, 0);
  assert.deepEqual(line.states, ["connecting", "connected"]);
});

test("a stream that is cut while a second one waits for a renewal waits for it, too", async () => {
  await addUnmerged("two", "e:3");
  await line.end(env.last, "grant_expired");
  first.cut();
  await env.pass(4_000);
  assert.equal(env.sources.length, 2);
  await line.renew("both");
  assert.deepEqual(env.last.grants, ["both"]);
  assert.equal(env.last.cursor, "e:3");
});

test("a renewal that a second stream waits for is tried again beside the first", async () => {
  await addUnmerged("two", "e:3");
  await line.end(env.last, "grant_expired");
  await line.fail();
  await env.pass(1_000);
  assert.equal(line.sent.length, 3);
  await line.renew("both");
  assert.deepEqual(env.last.grants, ["both"]);
  assert.ok(!first.closed);
});

test("grants that can't be renewed for a second stream are all replaced", async () => {
  await addUnmerged("two", "e:3");
  await line.end(env.last, "grant_expired");
  await line.refuse();
  assert.equal(connection.groups, null);
  await env.pass(500);
  assert.equal(line.asked, 1);
  first.send(event(8));
  connection.addGrant("three", "e:20");
  connection.addGrant("four", "e:20");
  await env.pass(50);
  await line.refuse();
  assert.deepEqual(env.last.grants, ["three", "four"]);
  assert.equal(env.last.cursor, "e:3");
  env.last.open({ groups: ["news", "chat"] });
  env.last.send({ type: "keep-alive", id: "e:21" });
  assert.ok(first.closed);
  assert.deepEqual(connection.groups, ["news", "chat"]);
  assert.deepEqual(line.states, ["connecting", "connected"]);
});

test("a stream that is cut while grants are awaited isn't opened without any", async () => {
  await addUnmerged("two", "e:7");
  await line.end(env.last, "grant_expired");
  await line.refuse();
  first.cut();
  await env.pass(5_000);
  assert.equal(env.sources.length, 2);
  assert.ok(line.asked > 0);
});

test("several grants are made one before the second stream opens", async () => {
  first.send(event(20));
  connection.addGrant("two", "e:10");
  connection.addGrant("three", "e:12");
  await env.pass(50);
  assert.deepEqual(line.sent, [["one", "two", "three"]]);
  assert.equal(env.sources.length, 1);
  await line.renew("all", 1000);
  const second = env.last;
  assert.deepEqual(second.grants, ["all"]);
  assert.equal(second.cursor, "e:10");
  first.send(event(21));
  second.open({ groups: ["news", "chat"], expires: 1000 });
  second.send(event(15, "chat"));
  second.send({ type: "keep-alive", id: "e:21" });
  assert.ok(first.closed);
  assert.deepEqual(line.heard, ["e:20", "e:21", "e:15"]);
  second.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:21");
  assert.deepEqual(env.last.grants, ["all"]);
});

test("very many grants are made one in several requests", async () => {
  for (let n = 0; n < 120; n++) connection.addGrant(`grant ${n}`, "e:3");
  await env.pass(50);
  assert.equal(line.request.body.grants instanceof Array && line.request.body.grants.length, 100);
  await line.renew("many");
  assert.equal(env.last.grants.length, 22);
  connection.addGrant("last", "e:3");
  await env.pass(50);
  await line.renew("all");
  assert.deepEqual(env.last.grants, ["all"]);
});

test("grants that can't be made one are used as they are, and renewed when it is time", async () => {
  await addUnmerged("two", "e:3");
  assert.deepEqual(env.last.grants, ["one", "two"]);
  assert.equal(line.asked, 0);
  env.last.open({ groups: ["news", "chat"], expires: 100 });
  env.last.send({ type: "keep-alive", id: "e:6" });
  await live(RENEWAL);
  assert.deepEqual(line.sent, [["one", "two"], ["one", "two"]]);
});

test("grants aren't waited for for more than 2 s, but their answer counts", async () => {
  connection.addGrant("two", "e:3");
  await env.pass(2_049);
  assert.equal(env.sources.length, 1);
  await env.pass(1);
  const second = env.last;
  assert.deepEqual(second.grants, ["one", "two"]);
  second.open();
  await line.renew("both");
  assert.equal(env.last, second);
  assert.ok(!second.closed);
  second.send({ type: "keep-alive", id: "e:6" });
  assert.ok(first.closed);
  second.cut();
  await env.pass(500);
  assert.equal(env.last.cursor, "e:6");
  assert.deepEqual(env.last.grants, ["both"]);
});

test("a grant that comes while others are made one is heard with them", async () => {
  connection.addGrant("two", "e:3");
  await env.pass(50);
  connection.addGrant("three", "e:2");
  await env.pass(1_000);
  assert.equal(line.sent.length, 1);
  await line.renew("both");
  assert.deepEqual(env.last.grants, ["both", "three"]);
  assert.equal(env.last.cursor, "e:2");
});

test("grants are made one also while the next attempt waits, which doesn't wait for it", async () => {
  env.chance = 1;
  first.cut();
  connection.addGrant("two", "e:3");
  await env.pass(50);
  assert.deepEqual(line.sent, [["one", "two"]]);
  await line.renew("both");
  assert.equal(env.sources.length, 1);
  await env.pass(450);
  assert.deepEqual(env.last.grants, ["both"]);
  assert.equal(env.last.cursor, "e:3");
  env.last.cut();
  connection.addGrant("three", "e:4");
  await env.pass(1_000);
  assert.deepEqual(env.last.grants, ["both", "three"]);
  env.last.open({ id: "e:4" });
  await line.renew("all");
  assert.equal(env.sources.length, 3);
  env.last.cut();
  await env.pass(4_000);
  assert.deepEqual(env.last.grants, ["all"]);
  assert.equal(env.last.cursor, "e:4");
});

test("one grant that comes too late doesn't bring back those that were let go of", async () => {
  connection.addGrant("two", "e:3");
  await env.pass(2_050);
  await line.end(env.last, "forbidden");
  await line.renew("both");
  assert.equal(env.sources.length, 2);
  first.send(event(9));
  await live(RENEWAL - 2_050);
  assert.deepEqual(line.sent.at(-1), ["one"]);
  first.cut();
  await env.pass(500);
  assert.deepEqual(env.last.grants, ["one"]);
  assert.equal(env.last.cursor, "e:9");
});

test("a user who was disconnected comes back if the server renews the grants", async () => {
  env.chance = 0;
  await live(20_000);
  await addUnmerged("two", "e:3");
  await line.end(first, "revoked");
  assert.equal(env.open.length, 0);
  assert.equal(line.states.at(-1), "disconnected");
  assert.deepEqual(line.sent.at(-1), ["one", "two"]);
  await line.renew("both");
  await env.pass(400);
  connection.wake();
  await env.pass(99);
  assert.equal(env.open.length, 0);
  await env.pass(1);
  assert.deepEqual(env.last.grants, ["both"]);
  assert.equal(env.last.cursor, "e:3");
  assert.equal(env.open.length, 1);
});

test("those who come back come at different times", async () => {
  env.chance = 1;
  await line.end(first, "revoked");
  await line.renew("two");
  await env.pass(2_999);
  assert.equal(env.open.length, 0);
  await env.pass(1);
  assert.equal(env.open.length, 1);
});

test("a user who has logged out isn't let in again", async () => {
  await line.end(first, "revoked");
  await line.refuse();
  assert.deepEqual(line.told.slice(-2), [
    ["denied", ["news"], "revoked"],
    ["state", "closed"],
  ]);
  await env.pass(100_000);
  connection.wake();
  assert.equal(env.sources.length, 1);
  assert.equal(line.asked, 0);
});

test("after a logout, a grant of new HTML is used on its own", async () => {
  await line.end(first, "revoked");
  connection.addGrant("two", "e:7");
  await env.pass(50);
  assert.equal(env.open.length, 0);
  await line.refuse();
  await env.pass(3_000);
  assert.deepEqual(env.last.grants, ["two"]);
  assert.equal(env.last.cursor, "e:5");
});

test("whether a user who was disconnected may come back is asked until it is answered", async () => {
  await line.end(first, "revoked");
  await line.fail();
  await env.pass(1_000);
  assert.equal(line.sent.length, 2);
  connection.wake();
  assert.equal(env.open.length, 0);
  await line.renew("two");
  await env.pass(3_000);
  assert.equal(env.open.length, 1);
});

test("a user who is disconnected twice within 10 s stays so", async () => {
  await line.end(first, "revoked");
  await line.renew("two");
  await env.pass(3_000);
  env.last.open({ groups: ["news"] });
  await env.pass(9_999);
  await line.end(env.last, "revoked");
  assert.equal(line.sent.length, 1);
  assert.deepEqual(line.told.at(-1), ["state", "closed"]);
  await env.pass(100_000);
  assert.equal(env.open.length, 0);
});

test("a user who is disconnected before being back stays so", async () => {
  await line.end(first, "revoked");
  await line.renew("two");
  await env.pass(3_000);
  await line.end(env.last, "revoked");
  assert.deepEqual(line.told.at(-1), ["state", "closed"]);
});

test("a user who is disconnected again much later is asked for again", async () => {
  for (let n = 1; n <= 3; n++) {
    await line.end(env.last, "revoked");
    assert.equal(line.sent.length, n);
    await line.renew(`grant ${n}`);
    await env.pass(3_000);
    env.last.open({ groups: ["news"] });
    await live(10_000);
  }
  assert.equal(env.open.length, 1);
});

test("one who is disconnected for good is let in by a new grant at once", async () => {
  await line.end(first, "revoked");
  await line.renew("two");
  await env.pass(3_000);
  const back = env.last;
  back.open({ groups: ["news"] });
  await addUnmerged("three", "e:4");
  await line.end(env.last, "grant_expired");
  await line.end(back, "revoked");
  await line.renew("late");
  assert.equal(env.open.length, 0);
  connection.addGrant("four", "e:8");
  assert.deepEqual(env.last.grants, ["four"]);
  assert.equal(env.open.length, 1);
});

test("a renewal that is refused as it falls due is the last one of these grants", async () => {
  await live(RENEWAL - 60);
  connection.addGrant("two", "e:3");
  await env.pass(100);
  assert.deepEqual(line.sent, [["one", "two"]]);
  await line.refuse();
  assert.equal(line.asked, 1);
  assert.deepEqual(env.last.grants, ["one", "two"]);
  await live(30_000);
  assert.equal(line.sent.length, 1);
});

test("a page that is seen again doesn't open a stream that waits for a renewal", async () => {
  await live(1_000);
  await addUnmerged("two", "e:3");
  await line.end(env.last, "grant_expired");
  await env.pass(20_000);
  const count = env.sources.length;
  connection.wake();
  assert.equal(env.sources.length, count);
});

test("a page out of sight asks for nothing", async () => {
  connection.sleep();
  connection.addGrant("two", "e:3");
  await env.pass(1_000);
  assert.equal(line.sent.length, 0);
  connection.wake();
  assert.deepEqual(env.last.grants, ["one", "two"]);
  assert.equal(env.last.cursor, "e:3");
});

test("grants that become too old again are renewed again", async () => {
  for (const grant of ["two", "three", "four"]) {
    env.last.cut();
    await env.pass(500);
    await line.end(env.last, "grant_expired");
    await line.renew(grant);
    assert.deepEqual(env.last.grants, [grant]);
    env.last.open({ groups: ["news"] });
    await live(10_000);
  }
  assert.equal(line.asked, 0);
});

test("a grant that comes as a second stream takes over is still owed its events", async () => {
  await addUnmerged("two", "e:3");
  const second = env.last;
  second.open({ groups: ["news", "chat"] });
  connection.addGrant("three", "e:1");
  await env.pass(50);
  second.send({ type: "keep-alive", id: "e:6" });
  assert.ok(first.closed);
  await line.renew("all");
  assert.deepEqual(env.last.grants, ["all"]);
  assert.equal(env.last.cursor, "e:1");
  assert.ok(!second.closed);
});

test("no renewal falls due while no stream is open", async () => {
  await live(RENEWAL - 100);
  first.cut();
  await env.pass(5_000);
  assert.equal(line.sent.length, 0);
  env.last.open({ groups: ["news"], expires: 15 });
  await env.pass(12_000);
  assert.equal(line.sent.length, 1);
});

test("of several grants that are too old, those that can be are renewed", async () => {
  await live(RENEWAL);
  connection.addGrant("two", "e:3");
  await line.refuse();
  await env.pass(50);
  assert.deepEqual(env.last.grants, ["one", "two"]);
  await line.end(env.last, "grant_expired");
  assert.deepEqual(line.sent.at(-1), ["two"]);
  await line.renew("new");
  assert.deepEqual(env.last.grants, ["new"]);
  assert.equal(env.last.cursor, "e:3");
});

test("two streams that are refused for the same grants are one refusal", async () => {
  first.cut();
  await env.pass(500);
  const current = env.last;
  await addUnmerged("two", "e:3");
  await line.end(env.last, "grant_expired");
  await line.end(current, "grant_expired");
  assert.equal(line.sent.length, 2);
  await line.renew("both");
  assert.deepEqual(env.last.grants, ["both"]);
  assert.equal(env.last.cursor, "e:3");
  assert.equal(line.asked, 0);
});

test("a user whose grants can't be renewed isn't let in again after a disconnection", async () => {
  await live(RENEWAL);
  await line.refuse();
  await line.end(first, "revoked");
  assert.equal(line.sent.length, 1);
  assert.deepEqual(line.told.at(-1), ["state", "closed"]);
});

test("a user who was disconnected comes back with what can be renewed only", async () => {
  await live(RENEWAL);
  connection.addGrant("two", "e:3");
  await line.refuse();
  await env.pass(50);
  await line.end(first, "revoked");
  assert.deepEqual(line.sent.at(-1), ["two"]);
  await line.renew("new");
  await env.pass(3_000);
  assert.deepEqual(env.last.grants, ["new"]);
});

// A14
test("a narrower grant opens a second stream, which takes over without a gap", async () => {
  await live(20_000);
  first.send(event(6));
  connection.narrow(["news"]);
  assert.deepEqual(line.request.body, { grants: ["one"], groups: ["news"] });
  await line.renew("narrow");
  assert.equal(env.open.length, 2);
  assert.deepEqual(env.last.grants, ["narrow"]);
  assert.equal(env.last.cursor, "e:6");
  first.send(event(7));
  env.last.open({ id: "e:6" });
  env.last.send(event(7));
  env.last.send({ type: "keep-alive", id: "e:7" });
  assert.deepEqual(env.open, [env.last]);
  assert.deepEqual(line.heard, ["e:6", "e:7"]);
  assert.deepEqual(line.states, ["connecting", "connected"]);
});

test("a narrower grant that is refused changes nothing", async () => {
  await live(20_000);
  connection.narrow(["news"]);
  await line.refuse();
  assert.deepEqual(env.open, [first]);
  connection.narrow(["news"]);
  await line.fail();
  assert.deepEqual(env.open, [first]);
  assert.deepEqual(connection.groups, ["news"]);
});
