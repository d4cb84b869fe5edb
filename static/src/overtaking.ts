import type { Cancel, Env } from "./env";

const CLOSE = 2_000;
const QUIET = 300;
const MAX_WAIT = 2_000;

/**
 * Fetches after events with a row's data that came close together.
 *
 * They come in the order of publishing, not of commits, so the last one may bring the
 * older value. What is read from the database after both is right.
 */
export class Overtaking {
  #heard = new Map<string, { at: number; isOwn: boolean }>();
  #timer: Cancel | null = null;
  #since = 0;
  #spread = 0;

  constructor(
    private readonly env: Env,
    private readonly fetch: (spread: number) => void,
  ) {}

  /** Note an event of a group; whether it and the one before it may be in disorder. */
  note(group: string, isOwn: boolean): boolean {
    const at = this.env.now();
    const before = this.#heard.get(group);
    this.#heard.delete(group); // so that the oldest come first
    this.#heard.set(group, { at, isOwn });
    for (const [name, heard] of this.#heard) {
      if (at - heard.at < CLOSE) break;
      this.#heard.delete(name);
    }
    // Of one's own changes the answers tell, and these know their order.
    return before !== undefined && at - before.at < CLOSE && !(isOwn && before.isOwn);
  }

  /** Fetch as soon as no more of them come. */
  request(spread = 0): void {
    const now = this.env.now();
    if (!this.#timer) this.#since = now;
    this.#timer?.();
    this.#spread = Math.max(this.#spread, spread);
    const wait = Math.min(QUIET, this.#since + MAX_WAIT - now);
    this.#timer = this.env.after(wait, () => {
      const most = this.#spread;
      this.settle();
      this.fetch(most);
    });
  }

  /** A fetch begins: it is after all of them. */
  settle(): void {
    this.#timer?.();
    this.#timer = null;
    this.#spread = 0;
  }
}
