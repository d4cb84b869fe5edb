import type { Env } from "./env";
import { tab } from "./identity";

/** What a call sends. */
export interface Call {
  state: string;
  props: Record<string, unknown>;
  pushed: string[];
  args: unknown[];
}

export type Action =
  | ["dispatch", string, unknown]
  | ["remove"]
  | ["redirect", string]
  | ["update", Record<string, unknown>];

export interface Answer {
  html: string | null;
  props: Record<string, unknown>;
  result: unknown;
  client: Action[];
  grant: string | null;
  position: string;
}

const TIMEOUT = 30_000;

/** A call that has no answer; `status` is 0 if the server couldn't be reached. */
export class CallFailed extends Error {
  override name = "CallFailed";

  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
  ) {
    super(detail);
  }

  /** Whether the server said nothing about the call itself. */
  get passes(): boolean {
    return [0, 429, 502, 503, 504].includes(this.status);
  }
}

export type SendCall = (
  component: string,
  method: string,
  request: string,
  call: Call,
) => Promise<Answer>;

/** Calls over HTTP, whatever the stream is doing. */
export const sender =
  (env: Env, address: string, csrf: string, page: () => string): SendCall =>
  async (component, method, request, call) => {
    const abort = new AbortController();
    const cancel = env.after(TIMEOUT, () => abort.abort());
    try {
      const response = await env.fetch(`${address}${component}/${method}`, {
        method: "POST",
        credentials: "same-origin",
        redirect: "manual", // to a login page, for example, which is no answer
        headers: {
          "Content-Type": "application/json",
          "X-CSRFToken": csrf,
          "X-SSE-Tab": tab,
          "X-SSE-Request": request,
        },
        body: JSON.stringify({ ...call, page: page() }),
        signal: abort.signal,
      });
      return await read(response);
    } catch (error) {
      if (error instanceof CallFailed) throw error;
      throw new CallFailed(0, "network", "The server could not be reached.");
    } finally {
      cancel();
    }
  };

async function read(response: Response): Promise<Answer> {
  const isJson = response.headers.get("content-type")?.startsWith("application/json");
  if (response.ok && isJson) return (await response.json()) as Answer;
  const said = isJson ? ((await response.json()) as { code?: unknown; detail?: unknown }) : {};
  throw new CallFailed(
    response.status,
    String(said.code ?? "unexpected"),
    String(said.detail ?? `The server answered ${response.status}.`),
  );
}
