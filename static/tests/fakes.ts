// Recording stand-ins for what the browser gives: a clock, streams, answers.

import type { Env, Source } from "../src/env";

/** Lets every promise that can go on go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

export class FakeSource implements Source {
  onerror: ((event: Event) => unknown) | null = null;
  closed = false;
  #listeners = new Map<string, (event: MessageEvent<string>) => void>();

  constructor(readonly url: URL) {}

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, listener);
  }

  close(): void {
    this.closed = true;
  }

  /** Delivers a frame as a browser does: only to who listens for its type. */
  send(frame: { type: string } & Record<string, unknown>): void {
    const data = JSON.stringify(frame);
    this.#listeners.get(frame.type)?.({ data } as MessageEvent<string>);
  }

  open(fields: Record<string, unknown> = {}): void {
    this.send({ type: "stream-open", groups: [], denied: [], keep_alive: 15, ...fields });
  }

  cut(): void {
    this.onerror?.(new Event("error"));
  }

  get grants(): string[] {
    return this.url.searchParams.getAll("grant");
  }

  get cursor(): string | null {
    return this.url.searchParams.get("lastEventId");
  }
}

export interface Request {
  url: string;
  init: RequestInit;
  headers: Record<string, string>;
  body: Record<string, unknown>;
  answer(body: Record<string, unknown>, status?: number): void;
  fail(): void;
}

/** A browser whose time passes only in `pass`, and which writes down what is asked of it. */
export class FakeEnv implements Env {
  sources: FakeSource[] = [];
  requests: Request[] = [];
  chance = 0.5;
  #now = 0;
  #timers: { at: number; run: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.chance;
  }

  after(milliseconds: number, run: () => void): () => void {
    // As in browsers, what is too long for 31 bits is no wait at all.
    const wait = milliseconds < 2 ** 31 ? milliseconds : 0;
    const timer = { at: this.#now + wait, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  source(url: string): FakeSource {
    const source = new FakeSource(new URL(url, "http://test"));
    this.sources.push(source);
    return source;
  }

  fetch(url: string, init: RequestInit): Promise<Response> {
    return new Promise((resolve, reject) => {
      this.requests.push({
        url,
        init,
        headers: init.headers as Record<string, string>,
        body: JSON.parse(init.body as string),
        answer: (body, status = 200) => resolve(Response.json(body, { status })),
        fail: () => reject(new TypeError("Failed to fetch")),
      });
      init.signal?.addEventListener("abort", () => reject(new TypeError("aborted")));
    });
  }

  async pass(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((each) => each !== next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
  }

  get last(): FakeSource {
    return this.sources.at(-1) as FakeSource;
  }

  get open(): FakeSource[] {
    return this.sources.filter((source) => !source.closed);
  }
}
