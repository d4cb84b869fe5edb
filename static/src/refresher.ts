import { Backoff } from "./backoff";
import type { Cancel, Env } from "./env";

const QUIET = 50;
const MAX_WAIT = 500;

/**
 * Runs a fetch at once, at most one at a time, and gathers what is asked for meanwhile
 * into one more when it has been quiet for a moment.
 */
export class Refresher {
  #timer: Cancel | null = null;
  #running = false;
  #again = false;
  #since = 0;
  #spread = 0;
  #failed = false;
  #stopped = false;
  #backoff: Backoff;

  /** `run` resolves to false if it couldn't reach the server and is to be repeated. */
  constructor(
    private readonly env: Env,
    private readonly run: () => Promise<boolean>,
  ) {
    this.#backoff = new Backoff(env);
  }

  request(spread = 0): void {
    if (this.#stopped) return;
    const idle = !this.#running && !this.#timer;
    this.#spread = Math.max(this.#spread, spread);
    if (!this.#again) this.#since = this.env.now();
    this.#again = true;
    if (idle && !spread) this.#go();
    else if (idle) this.#wait(this.#share());
    else if (!this.#running && !this.#failed && this.env.now() - this.#since < MAX_WAIT)
      this.#wait(QUIET + this.#share());
  }

  /** The server can be reached: don't wait to repeat what failed. */
  hurry(): void {
    if (this.#failed && !this.#running) this.#go();
  }

  stop(): void {
    this.#stopped = true;
    this.#timer?.();
  }

  #share(): number {
    return this.env.random() * this.#spread;
  }

  #wait(milliseconds: number): void {
    this.#timer?.();
    this.#timer = this.env.after(milliseconds, () => {
      this.#timer = null;
      if (this.#again) this.#go();
    });
  }

  #go(): void {
    this.#timer?.();
    this.#timer = null;
    this.#again = false;
    this.#failed = false;
    this.#spread = 0;
    this.#running = true;
    void this.run().then((done) => {
      this.#running = false;
      if (this.#stopped) return;
      this.#failed = !done;
      if (done) {
        this.#backoff.reset();
        this.#wait(QUIET + this.#share());
      } else {
        this.#again = true;
        this.#wait(500 + this.#backoff.next());
      }
    });
  }
}
