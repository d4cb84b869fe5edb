import { BURST, HEALTHY, FIRST_SILENCE } from "./attempt";
import type { Env } from "./env";
import type { Heard, Link, OpenLink, Opener } from "./link";
import { Race } from "./race";
import type { Slots } from "./slots";

const KEY = "sse:websocket";
const REMEMBERED = 600_000;
const SECOND_LOOK = 1_000;
const TOO_MANY_CUTS = 3;

/**
 * Decides by what a stream is opened: SSE where it works, else a WebSocket.
 *
 * What works is found by trying. Where SSE has failed and a WebSocket hasn't, SSE is
 * doubted, and tried once more beside the WebSocket: it may have been an outage. If that
 * fails too, this tab remembers it for ten minutes.
 */
export class Transports implements Opener {
  #isDoubted = false;
  #hasWorked = false;
  /** How often in a row SSE ended unheard. */
  #failures = 0;
  /** How often in a row it was cut soon after it was open. */
  #cuts = 0;
  /** Whether this tab might try SSE again. */
  #hadRoom = true;
  /** Until when SSE isn't tried, where nothing can be stored. */
  #until = 0;

  constructor(
    private readonly env: Env,
    private readonly source: OpenLink,
    private readonly socket: OpenLink,
    private readonly slots: Slots,
  ) {}

  readonly open: OpenLink = (query, heard) =>
    this.#whenFree(heard, (isFree) => {
      const isBad = this.#isDoubted || this.#badUntil > this.env.now();
      const both = isBad ? [this.socket, this.#sse] : [this.#sse, this.socket];
      // SSE that worked and is refused now is likely to be a server that restarts.
      const isHasty = isBad || !this.#hasWorked || this.#failures > 0;
      return new Race(this.env, isFree ? both : [this.socket], isHasty, query, heard, (by) => {
        if (isFree && !isBad && by === "websocket") this.#isDoubted = true;
      });
    });

  readonly retry: OpenLink = (query, heard) =>
    this.#whenFree(heard, (isFree) => {
      this.#hadRoom = isFree;
      if (isFree) return this.#sse(query, heard);
      heard.end();
      return null;
    });

  get retryAfter(): number | null {
    if (this.#isDoubted) return SECOND_LOOK;
    const until = this.#badUntil;
    return until ? Math.max(until - this.env.now(), SECOND_LOOK) : null;
  }

  retried(isGood: boolean): void {
    this.#isDoubted = false;
    this.#cuts = 0;
    this.#badUntil = isGood || !this.#hadRoom ? 0 : this.env.now() + REMEMBERED;
  }

  /** SSE, with an eye on how it fares. */
  readonly #sse: OpenLink = (query, heard) => {
    let openedAt: number | null = null;
    let isFlowing = false;
    let isProven = false;
    let isOver = false;
    const over = (isCut: boolean) => {
      if (isOver) return;
      isOver = true;
      this.slots.drop();
      this.#judge(isCut, isFlowing, openedAt === null ? null : this.env.now() - openedAt);
    };
    this.slots.hold();
    const link = this.source(query, {
      frame: (frame) => {
        openedAt ??= this.env.now();
        const life = this.env.now() - openedAt;
        isFlowing ||= life >= BURST;
        // Once, and not at its end: since then it may have failed elsewhere.
        if (life >= HEALTHY && !isProven) this.retried((isProven = true));
        this.#hasWorked = true;
        this.#failures = 0;
        heard.frame(frame);
      },
      end() {
        over(true);
        heard.end();
      },
    });
    return {
      transport: link.transport,
      close() {
        over(false);
        link.close();
      },
    };
  };

  /** Learn from a link that is over, so many milliseconds after it opened, if it did. */
  #judge(isCut: boolean, isFlowing: boolean, life: number | null): void {
    if (life === null) {
      if (isCut) this.#failures++;
    } else if (!isFlowing && life >= FIRST_SILENCE) {
      this.#isDoubted = true; // something on the way holds frames back
    } else if (isCut && life < HEALTHY && ++this.#cuts >= TOO_MANY_CUTS) {
      this.#isDoubted = true;
    }
  }

  /** Open a link once it is known whether this tab may hold an EventSource. */
  #whenFree(heard: Heard, open: (isFree: boolean) => Link | null): Link {
    let link: Link | null = null;
    const forget = this.slots.ask((isFree) => {
      heard.begin?.();
      link = open(isFree);
    });
    return {
      get transport() {
        return link?.transport ?? null;
      },
      close() {
        forget();
        link?.close();
      },
    };
  }

  get #badUntil(): number {
    let until = this.#until;
    try {
      until = Number(this.env.storage().getItem(KEY));
    } catch {
      // storage may be forbidden
    }
    // The clock may have been set back.
    return until <= this.env.now() + 2 * REMEMBERED ? until : 0;
  }

  set #badUntil(until: number) {
    this.#until = until;
    try {
      this.env.storage().setItem(KEY, String(until));
    } catch {
      // then it is found out again by the next page
    }
  }
}
