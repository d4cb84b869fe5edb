import type { Env } from "./env";
import { lastRequest } from "./identity";
import type { EventFrame } from "./wire";

const KEPT = 200;
const AGE = 30_000;

/** What was heard lately, for components whose HTML was on its way then. */
export class Recent {
  #heard: { frame: EventFrame; at: number; request: number }[] = [];

  constructor(private readonly env: Env) {}

  add(frame: EventFrame): void {
    this.#heard.push({ frame, at: this.env.now(), request: lastRequest() });
    if (this.#heard.length > KEPT) this.#heard.shift();
  }

  /** Those that were heard after a request had been made: its answer may lack them. */
  since(request: number): EventFrame[] {
    const oldest = this.env.now() - AGE;
    const heard = this.#heard.filter((each) => each.at >= oldest && each.request >= request);
    return heard.map(({ frame }) => frame);
  }
}
