import type { Env } from "./env";
import { type Frame, TYPES, parse } from "./wire";

export type Transport = "sse" | "websocket";

/** One connection to the server; what it hears goes to whoever opened it. */
export interface Link {
  /** Null until something is heard. */
  readonly transport: Transport | null;
  close(): void;
}

export interface Heard {
  /** It is only now that the connection is asked for. */
  begin?(): void;
  frame(frame: Frame): void;
  /** The connection is gone; not called after `close()`. */
  end(): void;
}

export type OpenLink = (query: string, heard: Heard) => Link;

/** Opens EventSources that never reconnect by themselves: they have no jitter, no back-off. */
export class Sources {
  #open = new Set<(type: string) => void>();
  #types = new Set(TYPES);

  constructor(
    private readonly env: Env,
    private readonly address: string,
  ) {}

  /** Hear of one more type: an EventSource tells only of those that it is asked for. */
  listen(type: string): void {
    if (this.#types.has(type)) return;
    this.#types.add(type);
    for (const listen of this.#open) listen(type);
  }

  readonly open: OpenLink = (query, heard) => {
    const source = this.env.source(`${this.address}?${query}`);
    const listen = (type: string) =>
      source.addEventListener(type, (event) => {
        const frame = this.#open.has(listen) ? parse(event.data) : null;
        if (!frame) return;
        // Behind a GRIP proxy the stream knows more of where it is than the event does.
        if (frame.id && frame.id !== event.lastEventId) frame.at = event.lastEventId;
        heard.frame(frame);
      });
    const close = () => {
      this.#open.delete(listen);
      source.onerror = null;
      source.close();
    };
    this.#open.add(listen);
    this.#types.forEach(listen);
    source.onerror = () => {
      close();
      heard.end();
    };
    return { transport: "sse", close };
  };
}

export const openSocket =
  (env: Env, address: string): OpenLink =>
  (query, heard) => {
    const socket = env.socket(`${address}?${query}`);
    const close = () => {
      socket.onmessage = socket.onclose = null;
      socket.close();
    };
    socket.onmessage = ({ data }) => {
      const frame = parse(data);
      if (frame) heard.frame(frame);
    };
    socket.onclose = () => {
      close();
      heard.end();
    };
    return { transport: "websocket", close };
  };

/** Opens streams by what works. */
export interface Opener {
  readonly open: OpenLink;
  /** By the better transport, while a stream is open by another. */
  readonly retry: OpenLink;
  /** In how many milliseconds to do so; null: not at all. */
  readonly retryAfter: number | null;
  /** What came of it. */
  retried(isGood: boolean): void;
}
