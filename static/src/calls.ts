import { tab } from "./identity";
import type { Post, Reply } from "./post";

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
  /** For the HTML that is there, if there is no other. */
  state?: string;
  props: Record<string, unknown>;
  /** The properties that the method itself has set. */
  written?: string[];
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
  (post: Post, address: string, page: () => string): SendCall =>
  async (component, method, request, call) => {
    const headers = { "X-SSE-Tab": tab, "X-SSE-Request": request };
    try {
      const body = { ...call, page: page() };
      return read(await post(`${address}${component}/${method}`, body, TIMEOUT, headers));
    } catch (error) {
      if (error instanceof CallFailed) throw error;
      throw new CallFailed(0, "network", "The server could not be reached.");
    }
  };

function read({ status, content }: Reply): Answer {
  if (status === 200 && content) return content as Answer;
  const said = (content ?? {}) as { code?: unknown; detail?: unknown };
  throw new CallFailed(
    status,
    String(said.code ?? "unexpected"),
    String(said.detail ?? `The server answered ${status}.`),
  );
}
