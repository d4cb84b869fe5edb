import type { Env } from "./env";

export interface Reply {
  status: number;
  /** What its JSON says; undefined if it is none. */
  content: unknown;
}

/** Rejects if there is no whole answer in so many milliseconds. */
export type Post = (
  address: string,
  body: unknown,
  timeout: number,
  headers?: Record<string, string>,
) => Promise<Reply>;

/**
 * POST JSON with the page's token against forgery.
 *
 * A login in another tab changes what the token has to fit; the refusal brings one that
 * does, and the request is made once more.
 */
export const poster = (env: Env, csrf: string): Post => {
  let token = csrf;
  const send: Post = async (address, body, timeout, headers) => {
    const abort = new AbortController();
    const cancel = env.after(timeout, () => abort.abort());
    try {
      const response = await env.fetch(address, {
        method: "POST",
        credentials: "same-origin",
        redirect: "manual", // to a login page, for example, which is no answer
        headers: { "Content-Type": "application/json", "X-CSRFToken": token, ...headers },
        body: JSON.stringify(body),
        signal: abort.signal,
      });
      const isJson = response.headers.get("content-type")?.startsWith("application/json");
      return { status: response.status, content: isJson ? await response.json() : undefined };
    } finally {
      cancel();
    }
  };
  return async (...request) => {
    const used = token;
    const reply = await send(...request);
    const fresh = reply.status === 403 ? tokenIn(reply.content) : null;
    if (fresh === null) return reply;
    if (token === used) token = fresh; // else another request has brought one
    return send(...request);
  };
};

function tokenIn(refusal: unknown): string | null {
  const { code, csrf } = (refusal ?? {}) as { code?: unknown; csrf?: unknown };
  return code === "csrf" && typeof csrf === "string" ? csrf : null;
}
