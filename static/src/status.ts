import type { State } from "./connection";
import type { Transport } from "./link";

/** What `Alpine.store("sse")` holds. */
export interface Status {
  online: boolean;
  state: State;
  transport: Transport | null;
  lastActivity: number | null;
}

export const initialStatus = (): Status => ({
  online: false,
  state: "closed",
  transport: null,
  lastActivity: null,
});

/** Tells the page how the stream is: a store, and one event for each change. */
export class StatusTeller {
  #denied = "";

  constructor(
    private readonly status: Status,
    private readonly target: EventTarget,
  ) {}

  state(state: State, transport: Transport | null): void {
    const online = state === "connected";
    const changed = online !== this.status.online;
    this.status.state = state;
    this.status.online = online;
    this.status.transport = transport;
    if (online) this.#denied = "";
    if (changed) this.#tell(online ? "sse:connected" : "sse:disconnected", { state });
  }

  activity(now: number): void {
    this.status.lastActivity = now;
  }

  reset(groups: string[]): void {
    this.#tell("sse:reset", { groups });
  }

  denied(groups: string[], condition: string | null): void {
    const key = JSON.stringify([groups, condition]);
    if (key === this.#denied) return;
    this.#denied = key;
    this.#tell("sse:denied", { groups, condition });
  }

  #tell(name: string, detail: unknown): void {
    this.target.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
