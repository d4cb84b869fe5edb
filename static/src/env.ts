// Every browser object that the client's logic touches, so that tests bring their own.

export type Cancel = () => void;

/** The part of an EventSource that is used. */
export interface Source {
  onerror: ((event: Event) => unknown) | null;
  addEventListener(type: string, listener: (event: MessageEvent<string>) => void): void;
  close(): void;
}

export interface Env {
  now(): number;
  after(milliseconds: number, run: () => void): Cancel;
  random(): number;
  source(url: string): Source;
  fetch(url: string, init: RequestInit): Promise<Response>;
}

export const browser: Env = {
  now: () => Date.now(),
  after(milliseconds, run) {
    const timer = window.setTimeout(run, milliseconds);
    return () => window.clearTimeout(timer);
  },
  random: () => Math.random(),
  source: (url) => new EventSource(url),
  fetch: (url, init) => window.fetch(url, init),
};
