import type { Cancel, Env } from "./env";

/** How a public method wants to be called, in milliseconds. */
export interface Pace {
  /** After so long without another call. */
  debounce?: number;
  /** At most once in so long. */
  throttle?: number;
}

type Run = (args: unknown[]) => Promise<unknown>;

/** A call that has to wait; the later ones share it. */
class Waiting {
  args: unknown[] = [];
  settle: (outcome: Promise<unknown>) => void = () => undefined;
  readonly outcome = new Promise<unknown>((resolve) => (this.settle = resolve));
}

/** Runs a method no more often than its pace allows, in the end with the last arguments. */
export class Pacer {
  #waiting: Waiting | null = null;
  #timer: Cancel | null = null;

  constructor(
    private readonly env: Env,
    private readonly pace: Pace,
    private readonly run: Run,
  ) {}

  /** Have it run, now or later; settles as that run does. */
  call(args: unknown[]): Promise<unknown> {
    const { debounce, throttle } = this.pace;
    if (debounce) {
      this.#timer?.();
      this.#timer = this.env.after(debounce, () => this.#go());
    } else if (!this.#timer) {
      if (throttle) this.#rest(throttle);
      return this.run(args);
    }
    return this.#wait(args);
  }

  /**
   * Its component is off the page.
   *
   * What waited stays unsettled: it didn't happen and didn't fail, and what would go on
   * after it belongs to the same component.
   */
  stop(): void {
    this.#timer?.();
  }

  #wait(args: unknown[]): Promise<unknown> {
    this.#waiting ??= new Waiting();
    this.#waiting.args = args;
    return this.#waiting.outcome;
  }

  #rest(throttle: number): void {
    this.#timer = this.env.after(throttle, () => {
      this.#timer = null;
      if (this.#waiting) this.#rest(throttle);
      this.#go();
    });
  }

  #go(): void {
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.settle(this.run(waiting.args));
  }
}
