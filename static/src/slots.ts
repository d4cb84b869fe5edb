import type { Cancel, Channel, Env } from "./env";
import { tab } from "./identity";

/** Browsers open six connections to a host over HTTP/1.1, for all tabs and all they load. */
const MOST = 4;
/** Milliseconds: a tab that is busy answers late. */
const PATIENCE = 150;

let count = 0;

type Message = { from: string; to?: string };

/**
 * Agrees with the other tabs who may hold a connection open.
 *
 * Who wants to asks, and those who do answer. Of several who ask at the same time the
 * one with the lower name goes first, so that each of them finds the same.
 */
export class Slots {
  #channel: Channel | null = null;
  #held = 0;
  #asking: Cancel | null = null;
  #others = new Set<string>();
  #waiting: ((isFree: boolean) => void)[] = [];

  constructor(
    private readonly env: Env,
    private readonly name = `${tab}.${++count}`,
  ) {}

  /** Find out whether there is room, which takes a moment if others have to be asked. */
  ask(answer: (isFree: boolean) => void): Cancel {
    if (this.#held || !this.env.isCramped || !this.#open()) {
      answer(true);
      return () => undefined;
    }
    this.#waiting.push(answer);
    if (!this.#asking) {
      this.#others.clear();
      this.#say();
      this.#asking = this.env.after(PATIENCE, () => this.#decide());
    }
    return () => {
      this.#waiting = this.#waiting.filter((each) => each !== answer);
      if (this.#waiting.length) return;
      this.#asking?.();
      this.#asking = null;
      this.#close();
    };
  }

  /** Hold a connection open. */
  hold(): void {
    this.#held++;
    if (this.env.isCramped) this.#open();
  }

  drop(): void {
    this.#held--;
    this.#close();
  }

  #decide(): void {
    this.#asking = null;
    const isFree = this.#others.size < MOST;
    for (const answer of this.#waiting.splice(0)) answer(isFree);
    this.#close();
  }

  #open(): Channel | null {
    if (this.#channel) return this.#channel;
    this.#channel = this.env.channel("sse:slots");
    if (this.#channel) this.#channel.onmessage = ({ data }) => this.#hear(data as Message);
    return this.#channel;
  }

  /** A page that has one open, and is told something, isn't kept for the back button. */
  #close(): void {
    if (this.#held || this.#asking) return;
    this.#channel?.close();
    this.#channel = null;
  }

  #hear({ from, to }: Message): void {
    if (to) {
      if (to === this.name) this.#others.add(from);
    } else if (this.#held || (this.#asking && this.name < from)) {
      this.#say(from);
    } else if (this.#asking) {
      this.#others.add(from);
    }
  }

  #say(to?: string): void {
    this.#channel?.postMessage({ from: this.name, to });
  }
}
