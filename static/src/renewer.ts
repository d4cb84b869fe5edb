import { Backoff } from "./backoff";
import type { Cancel, Env } from "./env";
import type { Grants } from "./grants";
import type { AskRenewal } from "./renewal";

/** What came of a renewal. */
export interface Renewed {
  /** The whole may be for less than its parts. */
  renewed(parts: readonly string[], whole: string, isLess: boolean): void;
  refused(grants: readonly string[]): void;
  /** All stays as it is for now. */
  kept(): void;
}

const SHARE = 0.8;
/** The server takes so many at a time; the others' turn comes. */
const MOST = 100;
const PAUSE = 500;
const SOONEST = 1_000;
/** A timer can't be set for longer than 24 days. */
const LATEST = 24 * 3_600_000;

/**
 * Has the grants renewed when 80 % of their life is over, and whenever it is told to.
 *
 * One request is under way at most: what asks meanwhile takes its answer.
 */
export class Renewer {
  #isOpen = false;
  #isAsking = false;
  /** From when on a renewal has to be; infinite if nothing calls for one. */
  #dueAt = Infinity;
  #expiresAt = Infinity;
  #timer: Cancel | null = null;
  #backoff: Backoff;

  constructor(
    private readonly env: Env,
    private readonly ask: AskRenewal,
    private readonly grants: Grants,
    private readonly told: Renewed,
  ) {
    this.#backoff = new Backoff(env);
  }

  /** A stream has opened whose grants expire in so many seconds. */
  opened(expires: number | null): void {
    this.#isOpen = true;
    this.#live(expires);
  }

  /** No stream is open: its end, or the next one's opening, says what is to be done. */
  rest(): void {
    this.#isOpen = false;
    this.#live(null);
  }

  /** Timers may have run late: don't wait any longer for what is overdue. */
  wake(): void {
    if (this.#isDue) this.#go();
  }

  /** Renew, and try again until there is an answer. */
  renew(): void {
    this.#dueAt = Math.min(this.#dueAt, this.env.now());
    this.#go();
  }

  /** Make one grant of all; if that fails, several will do. */
  merge(): void {
    this.#go();
  }

  /** Make one grant of all, for some of their groups. */
  narrow(groups: readonly string[]): void {
    this.#go(groups);
  }

  get #isDue(): boolean {
    return this.#dueAt <= this.env.now();
  }

  #go(groups?: readonly string[]): void {
    if (!this.#isAsking && this.grants.renewable.length) void this.#run(groups);
  }

  async #run(groups?: readonly string[]): Promise<void> {
    const sent = this.grants.renewable.slice(0, MOST);
    const wasDue = this.#isDue;
    this.#isAsking = true;
    this.#timer?.();
    const answer = await this.ask(sent, groups);
    this.#isAsking = false;
    // What was let go of in the meantime must not come back.
    const isWanted = this.grants.holds(sent);
    if (isWanted && answer.kind === "renewed") {
      this.grants.replace(sent, answer.grant);
      this.#backoff.reset();
      this.#live(this.#isOpen ? answer.expires : null);
      this.told.renewed(sent, answer.grant, !!groups);
    } else if (isWanted && answer.kind === "refused" && (wasDue || this.#isDue)) {
      this.#backoff.reset();
      this.#live(null);
      this.told.refused(sent);
    } else {
      this.#wait(this.#isDue ? this.#pause() : this.#dueAt - this.env.now());
      this.told.kept();
    }
  }

  #live(expires: number | null): void {
    const life = expires === null ? Infinity : expires * 1000;
    this.#expiresAt = this.env.now() + life;
    this.#dueAt = this.env.now() + Math.max(SHARE * life, SOONEST);
    this.#wait(this.#dueAt - this.env.now());
  }

  /** Once more before the rest of the life is over, however long the back-off is. */
  #pause(): number {
    const pause = PAUSE + this.#backoff.next();
    const rest = this.#expiresAt - this.env.now();
    return rest > 2 * PAUSE ? Math.min(pause, rest - PAUSE) : pause;
  }

  #wait(milliseconds: number): void {
    this.#timer?.();
    this.#timer = null;
    if (milliseconds === Infinity) return;
    this.#timer = this.env.after(Math.min(milliseconds, LATEST), () => {
      if (this.#isDue) this.#go();
      else this.#wait(this.#dueAt - this.env.now());
    });
  }
}
