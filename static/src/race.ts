import type { Cancel, Env } from "./env";
import type { Heard, Link, OpenLink, Transport } from "./link";
import type { Frame } from "./wire";

const HEAD_START = 4_500;
const PAUSE = 500;
const PAUSE_SPREAD = 1_500;

/**
 * Opens a connection by one way, and by the next beside it if that takes too long.
 *
 * The first of them to be heard is the one; the others are closed. A way that fails while
 * another says nothing is tried again: the server may have been away, and a proxy may
 * swallow the other.
 */
export class Race implements Link {
  #running = new Set<Link>();
  #winner: Link | null = null;
  #waiting = new Set<Cancel>();

  constructor(
    private readonly env: Env,
    /** In the order in which they start. */
    private readonly ways: OpenLink[],
    /** Whether the next way starts at once where one has failed. */
    private readonly isHasty: boolean,
    private readonly query: string,
    private readonly heard: Heard,
    private readonly won: (transport: Transport | null) => void,
  ) {
    this.#start();
  }

  get transport(): Transport | null {
    return this.#winner?.transport ?? null;
  }

  close(): void {
    for (const cancel of this.#waiting) cancel();
    for (const link of this.#running) link.close();
    this.#waiting.clear();
    this.#running.clear();
  }

  #start(): void {
    const open = this.ways.shift();
    if (!open) return;
    if (this.ways.length) this.#waiting.add(this.env.after(HEAD_START, () => this.#start()));
    this.#run(open);
  }

  #run(open: OpenLink): void {
    const link: Link = open(this.query, {
      frame: (frame) => this.#hear(link, frame),
      end: () => this.#ended(link, open),
    });
    this.#running.add(link);
  }

  #hear(link: Link, frame: Frame): void {
    if (!this.#winner) {
      this.#winner = link;
      this.#running.delete(link);
      this.close();
      this.#running.add(link);
      this.won(link.transport);
    }
    this.heard.frame(frame);
  }

  #ended(link: Link, open: OpenLink): void {
    this.#running.delete(link);
    if (!this.#winner && this.isHasty) this.#start();
    if (this.#running.size) {
      const pause = PAUSE + this.env.random() * PAUSE_SPREAD;
      this.#waiting.add(this.env.after(pause, () => this.#run(open)));
    } else {
      this.close();
      this.heard.end();
    }
  }
}
