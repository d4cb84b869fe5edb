import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { type Post, type Reply, poster } from "../src/post";
import { FakeEnv } from "./fakes";

const REFUSED = { code: "csrf", detail: "…", csrf: "fresh" };

let env: FakeEnv;
let post: Post;

beforeEach(() => {
  env = new FakeEnv();
  post = poster(env, "stale");
});

const tokens = () => env.requests.map(({ headers }) => headers["X-CSRFToken"]);

test("a token that doesn't fit any more is replaced by the refusal's, once", async () => {
  const reply = post("/a", { x: 1 }, 1000, { "X-SSE-Tab": "t" });
  env.requests[0]?.answer(REFUSED, 403);
  await env.pass(0);
  env.requests[1]?.answer({ well: true });
  assert.deepEqual(await reply, { status: 200, content: { well: true } });
  assert.deepEqual(tokens(), ["stale", "fresh"]);
  const [first, second] = env.requests;
  assert.deepEqual(second?.body, { x: 1 });
  assert.equal(second?.headers["X-SSE-Tab"], first?.headers["X-SSE-Tab"]);
  void post("/b", {}, 1000);
  assert.equal(tokens().at(-1), "fresh");
});

test("a token that is refused again is not asked for again", async () => {
  const reply = post("/a", {}, 1000);
  env.requests[0]?.answer(REFUSED, 403);
  await env.pass(0);
  env.requests[1]?.answer({ ...REFUSED, csrf: "another" }, 403);
  assert.equal((await reply).status, 403);
  assert.equal(env.requests.length, 2);
});

test("of two refusals at once the first one's token serves both", async () => {
  const replies: Promise<Reply>[] = [post("/a", {}, 1000), post("/b", {}, 1000)];
  env.requests[0]?.answer(REFUSED, 403);
  await env.pass(0);
  env.requests[1]?.answer({ ...REFUSED, csrf: "later" }, 403);
  await env.pass(0);
  assert.deepEqual(tokens(), ["stale", "stale", "fresh", "fresh"]);
  for (const request of env.requests.slice(2)) request.answer({});
  await Promise.all(replies);
});

for (const [what, content] of [
  ["another refusal", { code: "forbidden", csrf: "fresh" }],
  ["one without a token", { code: "csrf" }],
] as const)
  test(`${what} is passed on`, async () => {
    const reply = post("/a", {}, 1000);
    env.requests[0]?.answer(content, 403);
    assert.deepEqual(await reply, { status: 403, content });
    assert.equal(env.requests.length, 1);
  });

test("what never ends is given up", async () => {
  const reply = post("/a", {}, 1000);
  const given = assert.rejects(reply);
  await env.pass(1000);
  await given;
});
