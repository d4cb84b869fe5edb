import { Backoff } from "./backoff";
import type { Cancel, Env } from "./env";
import type { Link, OpenLink } from "./link";
import { Ring } from "./ring";
import { type ControlFrame, type EventFrame, type Frame, isEvent, older } from "./wire";

export type State = "connecting" | "connected" | "disconnected" | "closed";

/** What a connection tells of. */
export interface Sink {
  event(frame: EventFrame): void;
  reset(groups: string[], spread: number): void;
  state(state: State): void;
  activity(now: number): void;
  opened(groups: string[]): void;
  denied(groups: string[], condition: string | null): void;
  /** The grants are refused for their age: new ones come with new HTML. */
  expired(): void;
}

const GATHER = 50;
const OPEN_TIMEOUT = 10_000;
const HEALTHY = 10_000;
const RETRY_HANDOVER = 1_000;
const MISSED = 2.5;

/** One attempt at a stream, from its opening to its end. */
interface Attempt {
  link: Link;
  /** How many grants it was opened with, of which generation. */
  grants: number;
  generation: number;
  openedAt: number | null;
  heardAt: number;
  keepAlive: number;
  groups: string[];
}

/**
 * Keeps one stream open, comes back with the cursor, and never misses an event.
 *
 * New grants open a second stream beside the first, which goes on delivering until the
 * second is complete.
 */
export class Connection {
  #grants: string[] = [];
  #generation = 0;
  /** All grants are too old, and none has come since. */
  #needsGrant = false;
  #current: Attempt | null = null;
  #next: Attempt | null = null;
  /** Everything up to here was heard. */
  #cursor: string | null;
  /** Where to resume instead, while the groups of a new grant aren't heard yet. */
  #hold: string | null = null;
  #wanted = false;
  #asleep = false;
  #refusedForGood = false;
  #state: State = "closed";
  #seen = new Ring();
  #backoff: Backoff;
  #retry: Cancel | null = null;
  #gathering: Cancel | null = null;
  #watching: Cancel | null = null;

  constructor(
    private readonly env: Env,
    private readonly open: OpenLink,
    private readonly address: string,
    private readonly sink: Sink,
    cursor: string | null,
    grants: string[],
  ) {
    this.#cursor = cursor;
    this.#grants = grants;
    this.#backoff = new Backoff(env);
  }

  /** The groups of the open stream, unless its grants are too old to open another. */
  get groups(): string[] | null {
    const current = this.#current;
    const counts = current?.openedAt != null && current.generation === this.#generation;
    return counts ? current.groups : null;
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#asleep = this.#refusedForGood = false;
    this.#backoff.reset();
    this.#connect();
  }

  stop(): void {
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#hangUp();
    this.#enter("closed");
  }

  /** The page goes out of sight for an unknown time. */
  sleep(): void {
    if (!this.#wanted) return;
    this.#asleep = true;
    this.#hangUp();
    this.#enter("disconnected");
  }

  /** The browser says the network is gone, or may be back: don't wait. */
  wake(): void {
    if (!this.#wanted) return;
    this.#asleep = false;
    const current = this.#current;
    if (!current || this.#needsGrant) {
      this.#comeBack();
    } else if (current.openedAt !== null && this.#silence(current) > 1.2 * current.keepAlive) {
      // A phone notices a dead socket late; if it is alive, a second one costs nothing.
      this.#hold ??= this.#cursor;
      this.#handOver();
    }
  }

  /** The browser says that it is offline. */
  lost(): void {
    if (!this.#wanted || !this.#current) return;
    this.#hangUp();
    this.#again(this.#backoff.next());
  }

  /** Hear what a grant of newer HTML allows, from that HTML's position on. */
  addGrant(grant: string, position: string): void {
    this.#grants.push(grant);
    this.#needsGrant = false;
    this.#hold = older(this.#hold ?? this.#cursor, position);
    if (this.#refusedForGood) this.start();
    if (!this.#wanted) return;
    this.#gathering ??= this.env.after(GATHER, () => {
      this.#gathering = null;
      if (this.#current) this.#handOver();
      else if (!this.#asleep && !this.#retry) this.#connect();
    });
  }

  #url(from: string | null): string {
    const query = new URLSearchParams();
    for (const grant of this.#grants) query.append("grant", grant);
    if (from !== null) query.set("lastEventId", from);
    return `${this.address}?${query}`;
  }

  #connect(): void {
    this.#retry?.();
    this.#retry = null;
    if (this.#hold !== null) this.#cursor = this.#hold;
    this.#hold = null;
    if (this.#state !== "disconnected") this.#enter("connecting");
    this.#current = this.#attempt(this.#cursor);
    this.#watch();
  }

  #handOver(): void {
    this.#next?.link.close();
    this.#next = this.#attempt(this.#hold);
  }

  #attempt(from: string | null): Attempt {
    const now = this.env.now();
    const attempt: Attempt = {
      link: { close: () => undefined },
      grants: this.#grants.length,
      generation: this.#generation,
      openedAt: null,
      heardAt: now,
      keepAlive: OPEN_TIMEOUT / MISSED,
      groups: [],
    };
    attempt.link = this.open(this.#url(from), {
      frame: (frame) => this.#hear(attempt, frame),
      end: () => this.#ended(attempt, null),
    });
    return attempt;
  }

  #hear(attempt: Attempt, frame: Frame): void {
    attempt.heardAt = this.env.now();
    this.sink.activity(attempt.heardAt);
    if (!isEvent(frame)) {
      this.#control(attempt, frame);
      return;
    }
    // The cursor moves first: what a handler throws must not bring the event back.
    this.#move(attempt, frame.id);
    if (this.#seen.add(frame.id)) this.sink.event(frame);
  }

  #control(attempt: Attempt, frame: ControlFrame): void {
    switch (frame.type) {
      case "stream-open":
        attempt.openedAt = this.env.now();
        attempt.keepAlive = (frame.keep_alive ?? 15) * 1000;
        attempt.groups = frame.groups ?? [];
        this.#move(attempt, frame.id);
        if (attempt === this.#current) {
          this.#online(attempt);
          this.#watch();
        }
        if (frame.denied?.length) this.sink.denied(frame.denied, null);
        break;
      case "keep-alive":
        if (frame.id && attempt === this.#next) this.#settle(attempt);
        this.#move(attempt, frame.id);
        break;
      case "stream-reset":
        this.#move(attempt, frame.id);
        this.sink.reset(frame.groups ?? [], frame.spread ?? 0);
        break;
      case "stream-close":
        attempt.link.close();
        this.#ended(attempt, frame.retry ?? null);
        break;
      case "stream-error":
        attempt.link.close();
        this.#refused(attempt, frame);
        break;
    }
  }

  /** While a second stream catches up, only a position it has reached is complete. */
  #move(attempt: Attempt, id: string | undefined): void {
    if (id && attempt === this.#current) this.#cursor = id;
  }

  #online(attempt: Attempt): void {
    this.#enter("connected");
    this.sink.opened(attempt.groups);
  }

  /** The second stream has everything up to now: the first is no longer needed. */
  #settle(attempt: Attempt): void {
    this.#current?.link.close();
    this.#current = attempt;
    this.#next = null;
    if (attempt.grants === this.#grants.length) this.#hold = null;
    this.#online(attempt);
    this.#watch();
  }

  #ended(attempt: Attempt, retry: number | null): void {
    if (attempt === this.#next) {
      this.#next = null;
      this.env.after(RETRY_HANDOVER, () => {
        if (this.#current && !this.#next && this.#hold !== null) this.#handOver();
      });
      return;
    }
    if (attempt !== this.#current) return;
    this.#current = null;
    if (attempt.openedAt !== null && this.env.now() - attempt.openedAt >= HEALTHY)
      this.#backoff.reset();
    const next = this.#next;
    if (next) {
      this.#next = null;
      this.#current = next;
      this.#cursor = this.#hold;
      this.#hold = null;
      this.#watch();
      if (next.openedAt !== null) this.#online(next);
      else this.#enter("disconnected");
      return;
    }
    const delay = this.#backoff.next();
    this.#again(retry ?? delay);
  }

  #again(delay: number): void {
    this.#enter("disconnected");
    if (!this.#wanted || this.#asleep) return;
    this.#retry?.();
    this.#retry = this.env.after(delay, () => this.#comeBack());
  }

  #comeBack(): void {
    if (this.#needsGrant) this.sink.expired();
    else this.#connect();
  }

  #refused(attempt: Attempt, frame: ControlFrame): void {
    const condition = frame.condition ?? "bad_request";
    const groups = frame.groups ?? [];
    if (attempt !== this.#next && attempt !== this.#current) return;
    if (condition === "grant_expired") {
      this.#renew(attempt);
    } else if (attempt === this.#next) {
      // The first stream goes on with what it has.
      this.#next = null;
      this.#hold = null;
      this.#grants.length = this.#current?.grants ?? 0;
      this.sink.denied(groups, condition);
    } else {
      this.#hangUp();
      this.#wanted = false;
      this.#refusedForGood = true;
      this.#grants = [];
      this.sink.denied(groups, condition);
      this.#enter("closed");
    }
  }

  /** Have new grants come with new HTML; a stream that is open stays so meanwhile. */
  #renew(attempt: Attempt): void {
    this.#grants = [];
    this.#generation++;
    this.#needsGrant = true;
    this.#hold ??= this.#cursor;
    if (attempt === this.#next) {
      this.#next = null;
    } else {
      this.#hangUp();
      this.#enter("disconnected");
    }
    // A server that refuses the new ones too is asked ever less often.
    this.#retry?.();
    this.#retry = this.env.after(this.#backoff.next(), () => {
      this.#retry = null;
      if (this.#needsGrant) this.sink.expired();
    });
  }

  #hangUp(): void {
    this.#retry?.();
    this.#gathering?.();
    this.#watching?.();
    this.#retry = this.#gathering = this.#watching = null;
    this.#current?.link.close();
    this.#next?.link.close();
    this.#current = this.#next = null;
  }

  /** By timestamps, because the timers of a hidden page run late. */
  #watch(): void {
    this.#watching?.();
    const attempt = this.#current;
    if (!attempt) return;
    const allowed = MISSED * attempt.keepAlive;
    this.#watching = this.env.after(Math.max(allowed - this.#silence(attempt), 100), () => {
      if (attempt !== this.#current) return;
      if (this.#silence(attempt) < MISSED * attempt.keepAlive) {
        this.#watch();
      } else {
        attempt.link.close();
        this.#ended(attempt, null);
      }
    });
  }

  #silence(attempt: Attempt): number {
    return this.env.now() - attempt.heardAt;
  }

  #enter(state: State): void {
    if (state === this.#state) return;
    this.#state = state;
    this.sink.state(state);
  }
}
