import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { poster } from "../src/post";
import { type Renewal, asker } from "../src/renewal";
import { FakeEnv, type Request } from "./fakes";

let env: FakeEnv;
let answer: Promise<Renewal>;
let request: Request;

beforeEach(() => {
  env = new FakeEnv();
  answer = asker(poster(env, "token"), "/sse/grants")(["one", "two"]);
  [request] = env.requests as [Request];
});

test("all grants are sent, as this page and to this server only", () => {
  assert.equal(request.url, "/sse/grants");
  assert.deepEqual(request.body, { grants: ["one", "two"] });
  assert.equal(request.init.method, "POST");
  assert.equal(request.init.credentials, "same-origin");
  assert.equal(request.headers["X-CSRFToken"], "token");
  assert.equal(request.headers["Content-Type"], "application/json");
});

test("the answer is one grant and its life", async () => {
  request.answer({ grant: "both", expires_at: "2026-11-22T09:24:05Z", expires: 3600 });
  assert.deepEqual(await answer, { kind: "renewed", grant: "both", expires: 3600 });
});

test("403 is a refusal", async () => {
  request.answer({ code: "forbidden", detail: "" }, 403);
  assert.deepEqual(await answer, { kind: "refused" });
});

for (const status of [302, 404, 429, 500, 503])
  test(`${status} is no answer`, async () => {
    request.answer({ grant: "both", expires: 3600 }, status);
    assert.deepEqual(await answer, { kind: "unanswered" });
  });

test("half an answer is none", async () => {
  request.answer({ grant: "both" });
  assert.deepEqual(await answer, { kind: "unanswered" });
});

test("a redirection to a page isn't followed", () => {
  assert.equal(request.init.redirect, "manual");
});

test("a network that fails gives no answer", async () => {
  request.fail();
  assert.deepEqual(await answer, { kind: "unanswered" });
});

test("a server that says nothing is given up", async () => {
  await env.pass(10_000);
  assert.deepEqual(await answer, { kind: "unanswered" });
});
