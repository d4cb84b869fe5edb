// The transport client: the events of groups, for pages that have no components of ours.

import { browser } from "./env";
import { follow } from "./lifecycle";
import { Listeners } from "./listeners";

/** What has happened in a group. */
export interface StreamEvent {
  /** Where it is in the sequence of all events, `epoch:seq`. */
  readonly id: string;
  /** `component.data_changed`, `notify`, or a type of the application's own. */
  readonly type: string;
  readonly group: string;
  readonly payload: Readonly<Record<string, unknown>>;
  /** Who caused it: `tab.request` of a browser, or what a publisher has said. */
  readonly sender: string | null;
  /** When, as in `2026-11-22T08:24:05.130001Z`. */
  readonly ts: string;
}

export interface StreamStatus {
  readonly online: boolean;
  readonly state: "connecting" | "connected" | "disconnected" | "closed";
  readonly transport: "sse" | "websocket" | null;
}

export interface ConnectOptions {
  /** Where the streams are, on this origin or on another; `/sse/` if not given. */
  readonly url?: string;
  /**
   * Hear what came after this event, instead of what comes from now on.
   *
   * `epoch:seq`, or what an EventSource had for its `lastEventId`: behind a GRIP proxy
   * that is a place for each group, `tag:epoch-seq,tag:epoch-seq`.
   */
  readonly lastEventId?: string;
  /**
   * Return a new grant, as from `POST /api/v1/grants`.
   *
   * It is asked for before the first stream, and when the last one is about to expire.
   * Without it, groups are asked for by name, and what the server's settings and this
   * browser's session allow is heard.
   */
  readonly getGrant?: () => Promise<string>;
}

export interface StreamClient {
  /** The same object until something of it changes. */
  readonly status: StreamStatus;
  /** When something was heard last, in milliseconds since 1970. */
  readonly lastActivity: number | null;
  /**
   * Be told of the events of a type in a group, or in the groups of a pattern
   * (`shop.order.*`); `*` is every type that is one of ours or has been named.
   *
   * Returns what ends it. The group is subscribed to as long as anybody listens.
   */
  on(group: string, type: string, listener: (event: StreamEvent) => void): () => void;
  /**
   * Be told that events of a group may have been missed, so that its state has to be
   * fetched again; or that the server doesn't allow it to be heard.
   */
  on(group: string, type: "reset" | "denied", listener: () => void): () => void;
  /** Be told of each change of the status. */
  onStatus(listener: (status: StreamStatus) => void): () => void;
  /** Close the stream for good. */
  close(): void;
}

/** Open one stream for all that is listened to, when there is something. */
export function connect(options: ConnectOptions = {}): StreamClient {
  return new Listeners(browser, options, follow);
}
