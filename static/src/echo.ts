import { lastRequest } from "./identity";
import { NOWHERE, isBefore } from "./wire";

/** What an event is to a component: new, known from its own answer, or who knows. */
export type Verdict = "news" | "echo" | "doubtful";

const KEPT = 50;

/**
 * A component's own requests, whose answers say what their events say.
 *
 * Not if an answer is lost, or if that of another request, made while it was on its
 * way, is shown: which of the two was served first, its event tells.
 */
export class Echo {
  /** Those on their way, and up to which event their answers are right in any case. */
  #open = new Map<number, { upTo: string; ran: boolean }>();
  /** Those that were answered lately: which request of the page was the last then. */
  #answered = new Map<number, number>();
  /** Those that ended lately without an answer. */
  #lost = new Set<number>();
  /** The last event of anybody. */
  #heard = NOWHERE;
  /** The request whose answer is shown. */
  #shown = 0;
  /** The last event that what is shown is known to be after. */
  #reached = NOWHERE;

  sent(request: number): void {
    this.#open.set(request, { upTo: this.#heard, ran: false });
  }

  /** Note an event, of one of its requests or, with null, of somebody else. */
  hear(request: number | null, id: string): Verdict {
    this.#heard = id;
    if (request === null || this.#lost.has(request)) return "news";
    if (this.#open.has(request)) this.#open.set(request, { upTo: id, ran: true });
    else if (request === this.#shown) this.#reached = id;
    else if (this.#shown <= (this.#answered.get(request) ?? 0)) return "doubtful";
    return "echo";
  }

  /** Note an answer. Returns the position up to which it is right. */
  answered(request: number, position: string): string {
    const event = this.#open.get(request)?.upTo ?? NOWHERE;
    this.#open.delete(request);
    this.#answered.set(request, lastRequest());
    const [oldest] = this.#answered.keys();
    if (this.#answered.size > KEPT) this.#answered.delete(oldest as number);
    return isBefore(position, event) ? event : position;
  }

  /** Note a request without an answer. Returns whether an event says that it was run. */
  failed(request: number): boolean {
    const ran = this.#open.get(request)?.ran ?? false;
    this.#open.delete(request);
    this.#lost.add(request);
    const [oldest] = this.#lost;
    if (this.#lost.size > KEPT) this.#lost.delete(oldest as number);
    return ran;
  }

  /** What a request brought is shown, up to a position. */
  shows(request: number, position: string): void {
    this.#shown = request;
    this.#reached = position;
  }

  /** Whether something later than a position is shown. */
  isPast(position: string): boolean {
    return isBefore(position, this.#reached);
  }
}
