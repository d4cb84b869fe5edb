import type { Cancel, Env } from "./env";
import type { Heard, Link, OpenLink, Transport } from "./link";
import type { Frame } from "./wire";

const HEAD_START = 4_500;

/**
 * Opens a connection by one way, and by the next beside it if that takes too long.
 *
 * The first of them to be heard is the one; the others are closed.
 */
export class Race implements Link {
  #running = new Set<Link>();
  #winner: Link | null = null;
  #waiting: Cancel | null = null;

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
    this.#waiting?.();
    for (const link of this.#running) link.close();
    this.#running.clear();
  }

  #start(): void {
    this.#waiting?.();
    this.#waiting = null;
    const open = this.ways.shift();
    if (!open) return;
    if (this.ways.length) this.#waiting = this.env.after(HEAD_START, () => this.#start());
    const link: Link = open(this.query, {
      frame: (frame) => this.#hear(link, frame),
      end: () => this.#ended(link),
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

  #ended(link: Link): void {
    this.#running.delete(link);
    if (!this.#winner && this.isHasty) this.#start();
    if (this.#running.size) return;
    this.close();
    this.heard.end();
  }
}
