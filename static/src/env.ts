// Every browser object that the client's logic touches, so that tests bring their own.

export type Cancel = () => void;

/** The part of an EventSource that is used. */
export interface Source {
  onerror: ((event: Event) => unknown) | null;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

/** The part of a WebSocket that is used. */
export interface Socket {
  onmessage: ((event: MessageEvent<string>) => unknown) | null;
  onclose: ((event: CloseEvent) => unknown) | null;
  close(): void;
}

/** The part of a BroadcastChannel that is used. */
export interface Channel {
  onmessage: ((event: MessageEvent<unknown>) => unknown) | null;
  postMessage(message: unknown): void;
  close(): void;
}

export interface Env {
  now(): number;
  after(milliseconds: number, run: () => void): Cancel;
  random(): number;
  source(url: string): Source;
  socket(url: string): Socket;
  /** To the other tabs, if there is such a thing. */
  channel(name: string): Channel | null;
  /** Whether all tabs share a few connections to the server, as over HTTP/1.1. */
  readonly isCramped: boolean;
  storage(): Storage;
  fetch(url: string, init: RequestInit): Promise<Response>;
}

export const browser: Env = {
  now: () => Date.now(),
  after(milliseconds, run) {
    const timer = window.setTimeout(run, milliseconds);
    return () => window.clearTimeout(timer);
  },
  random: () => Math.random(),
  // Cookies matter on another origin only; there the server has to allow it.
  source: (url) => new EventSource(url, { withCredentials: true }),
  socket: (url) => new WebSocket(new URL(url, location.href).href.replace(/^http/, "ws")),
  channel(name) {
    try {
      return new BroadcastChannel(name);
    } catch {
      return null; // there is none, or it is forbidden
    }
  },
  get isCramped() {
    const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    return /^(http\/1|$)/.test(page?.nextHopProtocol ?? "");
  },
  storage: () => sessionStorage,
  fetch: (url, init) => window.fetch(url, init),
};
