import type { Cancel, Env } from "./env";
import type { Heard, Link, OpenLink } from "./link";
import { type Frame, isEvent } from "./wire";

/** A stream that has been open for so long is a good one. */
export const HEALTHY = 10_000;
const OPEN_TIMEOUT = 10_000;
const MISSED = 2.5;

/** One attempt at a stream, from its opening to its end; it ends also by silence. */
export class Attempt {
  openedAt: number | null = null;
  groups: string[] = [];
  #link: Link;
  #heardAt: number;
  #keepAlive = OPEN_TIMEOUT / MISSED;
  #watching: Cancel | null = null;

  constructor(
    private readonly env: Env,
    open: OpenLink,
    url: string,
    /** What it was opened with, as renewed since. */
    public grants: readonly string[],
    readonly generation: number,
    private readonly heard: Heard,
  ) {
    this.#heardAt = env.now();
    this.#link = open(url, {
      frame: (frame) => this.#hear(frame),
      end: () => this.#end(),
    });
    this.#watch();
  }

  /** A keep-alive should have come: the socket may be dead. */
  get isDoubtful(): boolean {
    return this.openedAt !== null && this.#silence > 1.2 * this.#keepAlive;
  }

  /** It has opened, but not long ago. */
  get isShort(): boolean {
    return this.openedAt !== null && this.env.now() - this.openedAt < HEALTHY;
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
      this.#watch();
    }
    this.heard.frame(frame);
  }

  #end(): void {
    this.close();
    this.heard.end();
  }

  /** By timestamps, because the timers of a hidden page run late. */
  #watch(): void {
    this.#watching?.();
    const rest = MISSED * this.#keepAlive - this.#silence;
    this.#watching = this.env.after(Math.max(rest, 100), () => {
      if (this.#silence < MISSED * this.#keepAlive) this.#watch();
      else this.#end();
    });
  }
}
