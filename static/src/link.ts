import type { Env } from "./env";
import { type Frame, TYPES, parse } from "./wire";

/** One connection to the server; what it hears goes to whoever opened it. */
export interface Link {
  close(): void;
}

export interface Heard {
  frame(frame: Frame): void;
  /** The connection is gone; not called after `close()`. */
  end(): void;
}

export type OpenLink = (url: string, heard: Heard) => Link;

/** Open an EventSource that never reconnects by itself: it has neither jitter nor back-off. */
export const openSource =
  (env: Env): OpenLink =>
  (url, heard) => {
    const source = env.source(url);
    let open = true;
    const close = () => {
      open = false;
      source.onerror = null;
      source.close();
    };
    for (const type of TYPES)
      source.addEventListener(type, (event) => {
        const frame = open ? parse(event.data) : null;
        if (frame) heard.frame(frame);
      });
    source.onerror = () => {
      if (!open) return;
      close();
      heard.end();
    };
    return { close };
  };
