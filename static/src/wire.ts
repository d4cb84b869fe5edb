// What the server sends: frames, ids and groups. Nothing here touches the browser.

export interface EventFrame {
  id: string;
  /** What to come back with after it, if that isn't its id: how far each group has got. */
  at?: string;
  type: string;
  group: string;
  payload: Record<string, unknown>;
  sender: string | null;
  ts: string;
  /** Milliseconds: wait a random time below it before fetching because of this. */
  spread?: number;
}

export interface ControlFrame {
  type: "stream-open" | "stream-reset" | "stream-error" | "stream-close" | "keep-alive";
  id?: string;
  at?: string;
  groups?: string[];
  denied?: string[];
  keep_alive?: number;
  /** Seconds until the first of the stream's grants expires. */
  expires?: number | null;
  condition?: string;
  retry?: number;
  spread?: number;
}

export type Frame = EventFrame | ControlFrame;

/** An EventSource tells only of types that somebody listens to. */
export const TYPES = [
  "stream-open",
  "keep-alive",
  "stream-reset",
  "stream-error",
  "stream-close",
  "component.data_changed",
  "component.created",
  "component.removed",
  "notify",
  "presence.join",
  "presence.leave",
  "presence.online",
  "presence.offline",
  "presence.count",
];

export const isEvent = (frame: Frame): frame is EventFrame => "group" in frame;

/** The frame in a line of JSON, or null: what isn't ours must not stop the stream. */
export function parse(data: string): Frame | null {
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === "object" && frame !== null && "type" in frame ? (frame as Frame) : null;
  } catch {
    return null;
  }
}

/** Whether a name that is subscribed to, perhaps a pattern, brings a group's events. */
export function covers(subscribed: string, group: string): boolean {
  if (subscribed === group) return true;
  if (!subscribed.endsWith(".*")) return false;
  const stem = subscribed.slice(0, -1);
  return group.startsWith(stem) && group.length > stem.length && !group.includes(".", stem.length);
}

/** The position that every server resets: nothing is known to be complete. */
export const NOWHERE = "0:0";

/** The epoch and the seq; of several groups' positions, `tag:epoch-seq,…`, the oldest seq. */
function split(cursor: string): [string, number] {
  const parts = cursor.split(",").map((part) => part.split(/[:-]/).slice(-2));
  const epochs = new Set(parts.map(([epoch]) => epoch));
  return [[...epochs].join(), Math.min(...parts.map(([, seq]) => Number(seq)))];
}

/** Whether an event is newer than what was rendered; across epochs nobody can tell. */
export function isAfter(id: string, position: string): boolean {
  const [epoch, seq] = split(id);
  const [ours, rendered] = split(position);
  return epoch !== ours || !(seq <= rendered);
}

/** Whether a position is known to be older than another. */
export const isBefore = (one: string, other: string): boolean =>
  split(one)[0] === split(other)[0] && isAfter(other, one);

/** Where to resume so that neither position misses anything. */
export function older(one: string | null, other: string | null): string | null {
  if (one === null || other === null) return one ?? other;
  const [epoch, seq] = split(one);
  const [ours, rendered] = split(other);
  return epoch === ours ? `${epoch}:${Math.min(seq, rendered)}` : NOWHERE;
}
