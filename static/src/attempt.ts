import type { Cancel, Env } from "./env";
import type { Heard, Link, OpenLink, Transport } from "./link";
import { type Frame, isEvent } from "./wire";

/** A stream that has been open for so long is a good one. */
export const HEALTHY = 10_000;
/**
 * For how long it may be silent after its beginning: a keep-alive comes after a second.
 *
 * A proxy that collects what it passes on lets the beginning through, and not the rest.
 */
export const FIRST_SILENCE = 5_000;
/** What is written with the first frame, or right after it, shows nothing of the way. */
export const BURST = 500;
const OPEN_TIMEOUT = 10_000;
const MISSED = 2.5;

/** One attempt at a stream, from its opening to its end; it ends also by silence. */
export class Attempt {
  openedAt: number | null = null;
  groups: string[] = [];
  #link: Link;
  #heardAt: number;
  #keepAlive = 0;
  /** How long it may be silent. */
  #patience = OPEN_TIMEOUT;
  #watching: Cancel | null = null;

  constructor(
    private readonly env: Env,
    open: OpenLink,
    query: string,
    /** What it was opened with, as renewed since. */
    public grants: readonly string[],
    readonly generation: number,
    private readonly heard: Heard,
  ) {
    this.#heardAt = env.now();
    this.#link = open(query, {
      begin: () => (this.#heardAt = this.env.now()),
      frame: (frame) => this.#hear(frame),
      end: () => this.#end(),
    });
    this.#watch();
  }

  get transport(): Transport | null {
    return this.#link.transport;
  }

  /** A keep-alive should have come: the socket may be dead. */
  get isDoubtful(): boolean {
    return this.openedAt !== null && this.#silence > 1.2 * this.#keepAlive;
  }

  /** It has opened, but not long ago. */
  get isShort(): boolean {
    return this.openedAt !== null && this.untilHealthy > 0;
  }

  /** The milliseconds until it has been open for long enough. */
  get untilHealthy(): number {
    return (this.openedAt ?? this.env.now()) + HEALTHY - this.env.now();
  }

  close(): void {
    this.#watching?.();
    this.#link.close();
  }

  get #silence(): number {
    return this.env.now() - this.#heardAt;
  }

  #hear(frame: Frame): void {
    this.#heardAt = this.env.now();
    if (!isEvent(frame) && frame.type === "stream-open") {
      this.openedAt = this.#heardAt;
      this.#keepAlive = (frame.keep_alive ?? 15) * 1000;
      this.groups = frame.groups ?? [];
      this.#bear(FIRST_SILENCE);
    } else if (this.openedAt !== null && this.#heardAt - this.openedAt >= BURST) {
      this.#bear(MISSED * this.#keepAlive);
    }
    this.heard.frame(frame);
  }

  #end(): void {
    this.close();
    this.heard.end();
  }

  #bear(patience: number): void {
    if (patience === this.#patience) return;
    this.#patience = patience;
    this.#watch();
  }

  /** By timestamps, because the timers of a hidden page run late. */
  #watch(): void {
    this.#watching?.();
    const rest = this.#patience - this.#silence;
    this.#watching = this.env.after(Math.max(rest, 100), () => {
      if (this.#silence < this.#patience) this.#watch();
      else this.#end();
    });
  }
}
