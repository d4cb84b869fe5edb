// Recording stand-ins for what the browser gives: a clock, streams, answers.

import type { Channel, Env, Socket, Source } from "../src/env";

/** Lets every promise that can go on go on. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

/** What is the same of all that a stream can go by. */
abstract class FakeStream {
  closed = false;

  constructor(
    readonly url: URL,
    private readonly env?: FakeEnv,
  ) {}

  close(): void {
    this.closed = true;
  }

  abstract send(frame: { type: string } & Record<string, unknown>): void;

  /** The first frame, and nothing that shows that more get through. */
  begin(fields: Record<string, unknown> = {}): void {
    this.send({ type: "stream-open", groups: [], denied: [], keep_alive: 15, ...fields });
  }

  open(fields: Record<string, unknown> = {}): void {
    this.begin(fields);
    this.env?.after(1_000, () => {
      if (!this.closed) this.send({ type: "keep-alive" });
    });
  }

  abstract cut(): void;

  get grants(): string[] {
    return this.url.searchParams.getAll("grant");
  }

  get names(): string[] {
    return this.url.searchParams.getAll("group");
  }

  get cursor(): string | null {
    return this.url.searchParams.get("lastEventId");
  }
}

export class FakeSocket extends FakeStream implements Socket {
  onmessage: ((event: MessageEvent<string>) => unknown) | null = null;
  onclose: ((event: CloseEvent) => unknown) | null = null;

  send(frame: { type: string } & Record<string, unknown>): void {
    this.onmessage?.({ data: JSON.stringify(frame) } as MessageEvent<string>);
  }

  cut(): void {
    this.onclose?.({ code: 1006 } as CloseEvent);
  }
}

export class FakeSource extends FakeStream implements Source {
  onerror: ((event: Event) => unknown) | null = null;
  #listeners = new Map<string, ((event: MessageEvent<string>) => void)[]>();
  #lastEventId = "";

  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  /** Delivers a frame as a browser does: only to who listens for its type. */
  send(frame: { type: string } & Record<string, unknown>, id: unknown = frame.id): void {
    const data = JSON.stringify(frame);
    if (id) this.#lastEventId = String(id);
    const lastEventId = this.#lastEventId;
    for (const listener of this.#listeners.get(frame.type) ?? [])
      listener({ data, lastEventId } as MessageEvent<string>);
  }

  cut(): void {
    this.onerror?.(new Event("error"));
  }
}

/** The tabs of a browser, as far as they hear each other. */
export class FakeTabs {
  channels = new Set<FakeChannel>();
}

class FakeChannel implements Channel {
  onmessage: ((event: MessageEvent<unknown>) => unknown) | null = null;

  constructor(
    private readonly tabs: FakeTabs,
    private readonly name: string,
  ) {
    tabs.channels.add(this);
  }

  postMessage(data: unknown): void {
    for (const other of this.tabs.channels)
      if (other !== this && other.name === this.name)
        queueMicrotask(() => {
          if (this.tabs.channels.has(other)) other.onmessage?.({ data } as MessageEvent);
        });
  }

  close(): void {
    this.tabs.channels.delete(this);
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
  sockets: FakeSocket[] = [];
  tabs = new FakeTabs();
  isCramped = false;
  stored = new Map<string, string>();
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
    const source = new FakeSource(new URL(url, "http://test"), this);
    this.sources.push(source);
    return source;
  }

  socket(url: string): FakeSocket {
    const socket = new FakeSocket(new URL(url, "http://test"), this);
    this.sockets.push(socket);
    return socket;
  }

  channel(name: string): FakeChannel {
    return new FakeChannel(this.tabs, name);
  }

  storage(): Storage {
    return {
      getItem: (key: string) => this.stored.get(key) ?? null,
      setItem: (key: string, value: string) => void this.stored.set(key, value),
    } as Storage;
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

  get openSockets(): FakeSocket[] {
    return this.sockets.filter((socket) => !socket.closed);
  }
}
