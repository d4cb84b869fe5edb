import { Backoff } from "./backoff";
import type { ConnectOptions, StreamClient, StreamEvent, StreamStatus } from "./client";
import { Connection } from "./connection";
import type { Env } from "./env";
import { Sources, openSocket } from "./link";
import { Slots } from "./slots";
import { Transports } from "./transports";
import { type EventFrame, covers } from "./wire";

type Listener = (event: StreamEvent) => void;

const LINGER = 50;

/** Who listens to what, and a stream for just that. */
export class Listeners implements StreamClient {
  status: StreamStatus = { online: false, state: "closed", transport: null };
  lastActivity: number | null = null;
  /** By group, and then by type. */
  #listeners = new Map<string, Map<string, Set<Listener>>>();
  #watchers = new Set<(status: StreamStatus) => void>();
  #sources: Sources;
  #connection: Connection;
  #backoff: Backoff;
  #end = new AbortController();
  #isGranted: boolean;
  #isAsking = false;

  constructor(
    private readonly env: Env,
    private readonly options: ConnectOptions,
    /** Has a connection sleep and wake with the page, until it is no longer needed. */
    follow: (connection: Connection, signal: AbortSignal) => void,
  ) {
    const { url = "/sse/", lastEventId = null, getGrant } = options;
    this.#isGranted = !getGrant;
    this.#backoff = new Backoff(env);
    this.#sources = new Sources(env, `${url}stream`);
    const opener = new Transports(
      env,
      this.#sources.open,
      openSocket(env, `${url}ws`),
      new Slots(env),
    );
    const sink = {
      event: (frame: EventFrame) => this.#event(frame),
      reset: (groups: string[]) => this.#tellOf(groups, "reset"),
      state: (state: StreamStatus["state"], transport: StreamStatus["transport"]) => {
        this.status = { online: state === "connected", state, transport };
        for (const watcher of this.#watchers) call(() => watcher(this.status));
      },
      activity: (now: number) => (this.lastActivity = now),
      opened: () => undefined,
      denied: (groups: string[]) => this.#tellOf(groups, "denied"),
      expired: () => void this.#getGrant(),
    };
    // A grant is never renewed by itself: the application has to be asked for another.
    const ask = async () => ({ kind: "refused" }) as const;
    this.#connection = new Connection(env, opener, sink, lastEventId, [], ask);
    follow(this.#connection, this.#end.signal);
  }

  on(group: string, type: string, listener: (event: StreamEvent) => void): () => void {
    const types = this.#typesOf(group);
    const listeners = types.get(type) ?? new Set();
    types.set(type, listeners);
    // The same function may listen twice, and is then told twice.
    const own: Listener = (event) => listener(event);
    listeners.add(own);
    if (!["*", "reset", "denied"].includes(type)) this.#sources.listen(type);
    return () => {
      listeners.delete(own);
      // Who listens again in a moment, as a view that is made anew, keeps the group.
      this.env.after(LINGER, () => this.#leave(group));
    };
  }

  onStatus(watcher: (status: StreamStatus) => void): () => void {
    const own = (status: StreamStatus) => watcher(status);
    this.#watchers.add(own);
    return () => void this.#watchers.delete(own);
  }

  close(): void {
    this.#end.abort();
    this.#connection.stop();
    this.#listeners.clear();
  }

  #typesOf(group: string): Map<string, Set<Listener>> {
    let types = this.#listeners.get(group);
    if (!types) {
      types = new Map();
      this.#listeners.set(group, types);
      this.#connection.addName(group);
      this.#start();
    }
    return types;
  }

  /** Have a stream, for all that is listened to by then. */
  #start(): void {
    this.env.after(0, () => {
      if (this.#end.signal.aborted || !this.#listeners.size) return;
      if (this.#isGranted) this.#connection.start();
      else void this.#getGrant();
    });
  }

  #leave(group: string): void {
    const types = this.#listeners.get(group);
    if (!types || [...types.values()].some((listeners) => listeners.size)) return;
    this.#listeners.delete(group);
    this.#connection.removeName(group);
    if (!this.#listeners.size) this.#connection.forget();
  }

  async #getGrant(): Promise<void> {
    const { getGrant } = this.options;
    if (!getGrant || this.#isAsking) return;
    this.#isAsking = true;
    const grant = await Promise.resolve().then(getGrant).catch(() => null);
    this.env.after(grant === null ? this.#backoff.next() : 0, () => {
      this.#isAsking = false;
      if (this.#end.signal.aborted || !this.#listeners.size) return;
      if (grant === null) void this.#getGrant();
      else this.#granted(grant);
    });
  }

  #granted(grant: string): void {
    this.#backoff.reset();
    this.#isGranted = true;
    this.#connection.addGrant(grant);
    this.#start();
  }

  #event(frame: EventFrame): void {
    for (const [group, types] of this.#listeners)
      if (covers(group, frame.group))
        for (const type of [frame.type, "*"])
          for (const listener of [...(types.get(type) ?? [])])
            call(() => listener(frame));
  }

  #tellOf(groups: string[], what: "reset" | "denied"): void {
    for (const group of groups)
      for (const listener of [...(this.#listeners.get(group)?.get(what) ?? [])])
        call(listener as () => void);
  }
}

/** What one listener throws is the page's to know, and nothing to the others. */
function call(listener: () => void): void {
  try {
    listener();
  } catch (error) {
    reportError(error);
  }
}
