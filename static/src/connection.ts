import { Attempt, HEALTHY } from "./attempt";
import { Backoff } from "./backoff";
import type { Cancel, Env } from "./env";
import { Grants, replaced } from "./grants";
import type { OpenLink, Opener, Transport } from "./link";
import type { AskRenewal } from "./renewal";
import { Renewer } from "./renewer";
import { Ring } from "./ring";
import { type ControlFrame, type EventFrame, type Frame, isEvent, older } from "./wire";

export type State = "connecting" | "connected" | "disconnected" | "closed";

/** What a connection tells of. */
export interface Sink {
  event(frame: EventFrame): void;
  reset(groups: string[], spread: number): void;
  state(state: State, transport: Transport | null): void;
  activity(now: number): void;
  opened(groups: string[]): void;
  denied(groups: string[], condition: string | null): void;
  /** The grants can't be renewed: new ones come with new HTML. */
  expired(): void;
}

const GATHER = 50;
const RETRY_HANDOVER = 1_000;
const PATIENCE = 2_000;
const PARDON = 500;
const PARDON_SPREAD = 2_500;

/**
 * Keeps one stream open, comes back with the cursor, and never misses an event.
 *
 * New grants open a second stream beside the first, which goes on delivering until the
 * second is complete.
 */
export class Connection {
  #grants: Grants;
  #renewer: Renewer;
  #current: Attempt | null = null;
  #next: Attempt | null = null;
  /** Whether the second stream is there to try a better transport. */
  #isTrial = false;
  /** Whether the second stream has had all that it was to have when it opened. */
  #isCaughtUp = false;
  /** Everything up to here was heard. */
  #cursor: string | null;
  /** Where to resume instead, while the groups of a new grant aren't heard yet. */
  #hold: string | null = null;
  #wanted = false;
  #asleep = false;
  #refusedForGood = false;
  /** The answer after which the grants open no stream before they are renewed. */
  #refusal: ControlFrame | null = null;
  /** How often the grants were too old since a stream opened. */
  #refusals = 0;
  /** When a stream was open again after the user's were revoked; infinite until it is. */
  #pardonedAt = -Infinity;
  #notBefore = 0;
  #state: State = "closed";
  #transport: Transport | null = null;
  #seen = new Ring();
  #backoff: Backoff;
  #handovers: Backoff;
  #retry: Cancel | null = null;
  #gathering: Cancel | null = null;
  #patience: Cancel | null = null;
  #trial: Cancel | null = null;

  constructor(
    private readonly env: Env,
    private readonly opener: Opener,
    private readonly sink: Sink,
    cursor: string | null,
    grants: string[],
    ask: AskRenewal,
  ) {
    this.#cursor = cursor;
    this.#grants = new Grants(grants);
    this.#renewer = new Renewer(env, ask, this.#grants, {
      renewed: (...renewed) => this.#renewed(...renewed),
      refused: (grants) => this.#unrenewable(grants),
      kept: () => this.#proceed(),
    });
    this.#backoff = new Backoff(env);
    this.#handovers = new Backoff(env);
  }

  /** The groups of the open stream, unless new grants have to take the place of its own. */
  get groups(): string[] | null {
    const current = this.#current;
    if (current?.openedAt == null || this.#grants.awaited) return null;
    return current.generation === this.#grants.generation ? current.groups : null;
  }

  start(): void {
    if (this.#wanted) return;
    this.#wanted = true;
    this.#asleep = this.#refusedForGood = false;
    this.#backoff.reset();
    this.#enter("connecting");
    this.#comeBack();
  }

  stop(): void {
    this.#refusedForGood = false;
    if (!this.#wanted) return;
    this.#wanted = false;
    this.#hangUp();
    this.#enter("closed");
  }

  /** What it hears after another start is from then on. */
  forget(): void {
    this.stop();
    this.#cursor = this.#hold = null;
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
    if (!current || this.#grants.awaited) {
      this.#comeBack();
      return;
    }
    this.#renewer.wake();
    if (!current.isDoubtful) return;
    // A phone notices a dead socket late; if it is alive, a second one costs nothing.
    this.#hold ??= this.#cursor;
    if (!this.#refusal) this.#handOver();
  }

  /** The browser says that it is offline. */
  lost(): void {
    if (!this.#wanted || !this.#current) return;
    this.#hangUp();
    this.#again(this.#backoff.next());
  }

  /** Hear what a grant allows, perhaps from the position of the HTML that it came with. */
  addGrant(grant: string, position: string | null = null): void {
    this.#grants.add(grant);
    this.#gather(position, true);
  }

  /** Hear a group from now on, if the server allows it. */
  addName(group: string): void {
    this.#grants.name(group);
    this.#gather(null, true);
  }

  /** Hear no more of a group that was asked for by name. */
  removeName(group: string): void {
    this.#grants.unname(group);
    this.#gather(null, false);
  }

  /** Of all that the grants allow, hear some groups only. */
  narrow(groups: readonly string[]): void {
    if (this.#wanted && !this.#asleep) this.#renewer.narrow(groups);
  }

  #gather(position: string | null, isMore: boolean): void {
    this.#hold = older(this.#hold ?? this.#cursor, position);
    if (this.#refusedForGood && isMore) this.start();
    if (!this.#wanted) return;
    this.#gathering ??= this.env.after(GATHER, () => {
      this.#gathering = null;
      this.#merge();
    });
  }

  /** Have one grant made of several, which keeps addresses short; it must not take long. */
  #merge(): void {
    if (this.#asleep || this.#grants.renewable.length < 2) {
      this.#proceed();
    } else {
      this.#patience ??= this.env.after(PATIENCE, () => this.#proceed());
      this.#renewer.merge();
    }
  }

  /** Have a stream, and have it hear all that is held. */
  #proceed(): void {
    this.#patience?.();
    this.#patience = null;
    if (!this.#wanted || this.#asleep || this.#refusal || this.#grants.missing) return;
    const [current, next] = [this.#current, this.#next];
    if (!current) {
      if (!this.#retry) this.#comeBack();
    } else if (this.#hold !== null || !this.#grants.within(current.grants)) {
      this.#hold ??= this.#cursor;
      // A first stream that isn't open yet says where a second one has to begin.
      if (this.#hold === null || (next && this.#grants.within(next.grants))) return;
      this.#handOver();
    }
  }

  #connect(): void {
    this.#retry?.();
    this.#retry = null;
    if (this.#hold !== null) this.#cursor = this.#hold;
    this.#hold = null;
    if (this.#state !== "disconnected") this.#enter("connecting");
    this.#current = this.#attempt(this.#cursor, this.opener.open);
  }

  #handOver(open = this.opener.open): void {
    this.#isTrial = open === this.opener.retry;
    this.#next?.close();
    this.#isCaughtUp = false;
    this.#next = this.#attempt(this.#hold, open);
  }

  /** See whether a better transport works by now, while this one goes on. */
  #tryBetter(): void {
    // Something else may be about to open a stream.
    if (this.#hold !== null || this.#transport !== "websocket") return;
    this.#hold = this.#cursor;
    this.#handOver(this.opener.retry);
  }

  #attempt(from: string | null, open: OpenLink): Attempt {
    const { all, generation } = this.#grants;
    const query = this.#grants.query(from);
    const attempt: Attempt = new Attempt(this.env, open, query, all, generation, {
      frame: (frame) => this.#hear(attempt, frame),
      end: () => this.#ended(attempt, null),
    });
    return attempt;
  }

  #hear(attempt: Attempt, frame: Frame): void {
    this.sink.activity(this.env.now());
    if (!isEvent(frame)) {
      this.#control(attempt, frame);
      return;
    }
    // The cursor moves first: what a handler throws must not bring the event back.
    this.#move(attempt, frame);
    if (this.#seen.add(frame.id)) this.sink.event(frame);
  }

  #control(attempt: Attempt, frame: ControlFrame): void {
    switch (frame.type) {
      case "stream-open":
        this.#refusals = 0;
        this.#pardonedAt = Math.min(this.#pardonedAt, this.env.now());
        this.#renewer.opened(frame.expires ?? null);
        this.#move(attempt, frame);
        if (attempt === this.#current) this.#online(attempt);
        if (frame.denied?.length) this.sink.denied(frame.denied, null);
        if (attempt === this.#current && !this.#gathering && !this.#patience) this.#proceed();
        break;
      case "keep-alive":
        if (frame.id && attempt === this.#next) this.#complete(attempt);
        this.#move(attempt, frame);
        break;
      case "stream-reset":
        this.#move(attempt, frame);
        this.sink.reset(frame.groups ?? [], frame.spread ?? 0);
        break;
      case "stream-close":
        attempt.close();
        this.#ended(attempt, frame.retry ?? null);
        break;
      case "stream-error":
        attempt.close();
        this.#refused(attempt, frame);
        break;
    }
  }

  /** While a second stream catches up, only a position it has reached is complete. */
  #move(attempt: Attempt, { id, at }: Frame): void {
    if (!id) return;
    if (attempt === this.#current) this.#cursor = at || id;
    else if (this.#isCaughtUp && this.#grants.within(attempt.grants)) this.#hold = at || id;
  }

  #online(attempt: Attempt): void {
    this.#enter("connected", attempt.transport);
    this.#planTrial();
    this.sink.opened(attempt.groups);
  }

  #planTrial(soonest = 0): void {
    this.#trial?.();
    const after = this.#transport === "websocket" ? this.opener.retryAfter : null;
    const wait = Math.max(after ?? 0, soonest);
    this.#trial = after === null ? null : this.env.after(wait, () => this.#tryBetter());
  }

  /** The second stream has everything up to now, but some proxies cut it a moment later. */
  #complete(attempt: Attempt): void {
    this.#isCaughtUp = true;
    const rest = this.#isTrial ? attempt.untilHealthy : 0;
    if (rest > 0) this.env.after(rest, () => this.#settle(attempt));
    else this.#settle(attempt);
  }

  /** The first stream is no longer needed. */
  #settle(attempt: Attempt): void {
    if (attempt !== this.#next) return;
    if (this.#isTrial) this.opener.retried(true);
    this.#handovers.reset();
    this.#current?.close();
    this.#current = attempt;
    this.#next = null;
    if (this.#grants.within(attempt.grants)) this.#hold = null;
    this.#online(attempt);
  }

  #ended(attempt: Attempt, retry: number | null): void {
    if (attempt === this.#next) {
      this.#lostNext(retry);
      return;
    }
    if (attempt !== this.#current) return;
    this.#current = null;
    if (attempt.openedAt !== null && !attempt.isShort) this.#backoff.reset();
    const next = this.#next;
    this.#next = null;
    if (next && next.openedAt !== null) {
      this.#current = next;
      this.#cursor = this.#hold;
      if (this.#grants.within(next.grants)) this.#hold = null;
      this.#online(next);
      return;
    }
    next?.close();
    this.#renewer.rest();
    const delay = this.#backoff.next();
    this.#again(retry ?? delay);
  }

  #lostNext(retry: number | null): void {
    this.#next = null;
    if (this.#isTrial) {
      // What the server ends says nothing of the way.
      if (retry === null) this.opener.retried(false);
      this.#planTrial(retry ?? 0);
      if (this.#grants.within(this.#current?.grants ?? [])) this.#hold = null;
    }
    if (this.#hold === null) return;
    const pause = Math.max(RETRY_HANDOVER, retry ?? 0, this.#handovers.next());
    this.#patience ??= this.env.after(pause, () => this.#proceed());
  }

  #again(delay: number): void {
    this.#enter("disconnected");
    if (!this.#wanted || this.#asleep) return;
    this.#retry?.();
    this.#retry = this.env.after(delay, () => this.#comeBack());
  }

  #comeBack(): void {
    this.#retry?.();
    this.#retry = null;
    if (this.#grants.awaited) this.sink.expired();
    if (this.#current || this.#grants.missing) return;
    const early = this.#notBefore - this.env.now();
    if (early > 0) this.#again(early);
    else if (this.#refusal) this.#renewer.renew();
    else this.#connect();
  }

  #refused(attempt: Attempt, frame: ControlFrame): void {
    if (attempt !== this.#next && attempt !== this.#current) return;
    if (frame.condition === "revoked") {
      this.#revoked(frame);
    } else if (frame.condition === "grant_expired") {
      this.#expired(attempt, frame);
    } else if (attempt === this.#next) {
      // The first stream goes on with what it has.
      this.#next = null;
      const kept = this.#current?.grants ?? [];
      this.#grants.fallBack(attempt.grants, kept);
      if (this.#grants.within(kept)) this.#hold = null;
      if (this.#isTrial) this.#lostNext(null);
      else this.sink.denied(frame.groups ?? [], frame.condition ?? "bad_request");
    } else {
      this.#close(frame);
    }
  }

  #close(frame: ControlFrame): void {
    this.#hangUp();
    this.#wanted = false;
    this.#refusedForGood = true;
    this.#refusal = null;
    this.#grants.clear();
    this.sink.denied(frame.groups ?? [], frame.condition ?? "bad_request");
    this.#enter("closed");
  }

  /** Renewal comes first; a stream that is open stays so meanwhile. */
  #expired(attempt: Attempt, frame: ControlFrame): void {
    if (attempt === this.#next) {
      this.#next = null;
    } else {
      this.#hangUp();
      this.#enter("disconnected");
    }
    if (!this.#refusal) {
      this.#grants.shed();
      const isSecond = ++this.#refusals > 1 || attempt.isShort;
      if (isSecond || !this.#grants.renewable.length) {
        this.#forsake(attempt.grants);
        return;
      }
      this.#refusal = frame;
    }
    this.#renewer.renew();
  }

  /** The user was disconnected, which is no ban, or has logged out. */
  #revoked(frame: ControlFrame): void {
    const wasPardoned = this.env.now() - this.#pardonedAt < HEALTHY;
    this.#hangUp();
    this.#grants.shed();
    const { renewable, all } = this.#grants;
    if (wasPardoned || !all.length) {
      this.#close(frame);
    } else if (!renewable.length) {
      // Names are for the server to decide on when the next stream opens.
      this.#pardon();
      this.#again(0);
    } else {
      this.#refusal = frame;
      this.#enter("disconnected");
      this.#renewer.renew();
    }
  }

  #renewed(parts: readonly string[], whole: string, isLess: boolean): void {
    if (isLess) this.#hold ??= this.#cursor;
    else
      for (const attempt of [this.#current, this.#next])
        if (attempt) attempt.grants = replaced(attempt.grants, parts, whole);
    if (this.#refusal?.condition === "revoked") this.#pardon();
    this.#refusal = null;
    this.#proceed();
  }

  /** Come back, but not all at once. */
  #pardon(): void {
    this.#pardonedAt = Infinity;
    this.#notBefore = this.env.now() + PARDON + this.env.random() * PARDON_SPREAD;
  }

  #unrenewable(grants: readonly string[]): void {
    const refusal = this.#refusal;
    this.#refusal = null;
    if (!refusal) {
      // They are good for a while, but new HTML has to bring others.
      this.#grants.spend(grants);
      if (this.#current) this.sink.expired();
    } else if (refusal.condition === "grant_expired") {
      this.#forsake(grants);
    } else {
      this.#grants.drop(grants);
      if (this.#wanted && !this.#grants.all.length) this.#close(refusal);
      else this.#pardon();
    }
    this.#proceed();
  }

  /** Have new grants come with new HTML, ever less often if they are refused too. */
  #forsake(grants: readonly string[]): void {
    this.#grants.drop(grants);
    if (!this.#wanted || this.#asleep) return;
    this.#retry?.();
    this.#retry = this.env.after(this.#backoff.next(), () => this.#comeBack());
  }

  #hangUp(): void {
    this.#retry?.();
    this.#gathering?.();
    this.#patience?.();
    this.#trial?.();
    this.#retry = this.#gathering = this.#patience = this.#trial = null;
    this.#renewer.rest();
    this.#current?.close();
    this.#next?.close();
    this.#current = this.#next = null;
  }

  #enter(state: State, transport: Transport | null = null): void {
    if (state === this.#state && transport === this.#transport) return;
    this.#state = state;
    this.#transport = transport;
    this.sink.state(state, transport);
  }
}
