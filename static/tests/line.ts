// A connection with the grant "one" that writes down what it tells of.

import { Connection } from "../src/connection";
import { type Opener, Sources, type Transport } from "../src/link";
import { poster } from "../src/post";
import { asker } from "../src/renewal";
import { FakeEnv, type FakeSource, type Request } from "./fakes";

/** By SSE and nothing else. */
const streamsOnly = (env: FakeEnv): Opener => {
  const { open } = new Sources(env, "/sse/stream");
  return { open, retry: (...given) => open(...given), retryAfter: null, retried: () => undefined };
};

export class Line {
  env = new FakeEnv();
  told: unknown[][] = [];
  transports: (Transport | null)[] = [];
  connection: Connection;

  constructor(opener?: (env: FakeEnv) => Opener) {
    const note =
      (what: string) =>
      (...args: unknown[]) =>
        void this.told.push([what, ...args]);
    const sink = {
      event: (frame: { id: string }) => void this.told.push(["event", frame.id]),
      reset: note("reset"),
      state: (state: string, transport: Transport | null) => {
        this.told.push(["state", state]);
        this.transports.push(transport);
      },
      activity: () => undefined,
      opened: note("opened"),
      denied: note("denied"),
      expired: note("expired"),
    };
    const ask = asker(poster(this.env, "csrf"), "/sse/grants");
    this.connection = new Connection(this.env, (opener ?? streamsOnly)(this.env), sink, "e:5", ["one"], ask);
  }

  get heard(): unknown[] {
    return this.told.filter(([what]) => what === "event").map(([, id]) => id);
  }

  get states(): unknown[] {
    return this.told.filter(([what]) => what === "state").map(([, state]) => state);
  }

  /** How often the components were asked for new grants. */
  get asked(): number {
    return this.told.filter(([what]) => what === "expired").length;
  }

  get request(): Request {
    return this.env.requests.at(-1) as Request;
  }

  /** The grants of each request for a renewal. */
  get sent(): unknown[] {
    return this.env.requests.map(({ body }) => body.grants);
  }

  async renew(grant: string, expires = 3600): Promise<void> {
    this.request.answer({ grant, expires_at: "2026-11-22T09:24:05Z", expires });
    await this.env.pass(0);
  }

  async refuse(): Promise<void> {
    this.request.answer({ code: "forbidden", detail: "They can't be renewed." }, 403);
    await this.env.pass(0);
  }

  async fail(): Promise<void> {
    this.request.fail();
    await this.env.pass(0);
  }

  /** The server ends a stream, for good as it thinks. */
  async end(source: FakeSource, condition: string): Promise<void> {
    source.send({ type: "stream-error", id: "error", condition, groups: ["news"] });
    await this.env.pass(0);
  }
}

export const event = (seq: number, group = "news") => ({
  type: "component.data_changed",
  id: `e:${seq}`,
  group,
  payload: { data: {}, update: false },
  sender: null,
});
