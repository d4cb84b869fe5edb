import type { Env } from "./env";

const FIRST = 500;
const CAP = 4_000;
const LATER_CAP = 30_000;
const PATIENCE = 60_000;

/** How long to wait before the next attempt: full jitter, doubling, capped. */
export class Backoff {
  #attempts = 0;
  #since: number | null = null;

  constructor(private readonly env: Env) {}

  /** All went well for long enough: the next outage is a new one. */
  reset(): void {
    this.#attempts = 0;
    this.#since = null;
  }

  next(): number {
    const now = this.env.now();
    this.#since ??= now;
    // Most outages are restarts: in the first minute everybody is back within seconds.
    const cap = now - this.#since < PATIENCE ? CAP : LATER_CAP;
    return this.env.random() * Math.min(cap, FIRST * 2 ** this.#attempts++);
  }
}
