import type { Props, View } from "./component";
import type { Watcher } from "./watcher";
import { isBefore } from "./wire";

/** What a call was made with: its answer is compared with that. */
export interface Sent {
  readonly props: Props;
  /** What the server is to lay over what `load()` sets. */
  readonly pushed: Map<string, unknown>;
  /** What events had told until then. */
  readonly told: Map<string, string>;
}

const copy = (value: unknown): unknown =>
  value === undefined ? undefined : JSON.parse(JSON.stringify(value));
const equal = (one: unknown, other: unknown): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** A component's public properties: the page's, the server's, and who is right. */
export class Properties {
  /** What the server last said of each. */
  #known: Props;
  /** Pushed since the last refresh, to be laid over what `load()` sets. */
  #pushed = new Map<string, unknown>();
  /** Shown from a push: the position of the HTML says nothing about these. */
  #overlaid = new Set<string>();
  /** The event of its row that last brought each: `load()` agrees, if it ran after it. */
  #told = new Map<string, string>();

  constructor(
    private readonly view: View,
    private readonly watcher: Watcher,
    props: Props,
  ) {
    this.#known = { ...props };
  }

  /** Those of some data that are properties. */
  among(data: Props): string[] {
    return Object.keys(data).filter((name) => Object.hasOwn(this.#known, name));
  }

  /** Whether the page shows one of them from a push, whatever the HTML's position. */
  shows(names: string[]): boolean {
    return names.some((name) => this.#overlaid.has(name) || this.#pushed.has(name));
  }

  /** Take what was pushed. */
  push(names: string[], data: Props): void {
    for (const name of names) {
      this.#show(name, data[name]);
      this.#pushed.set(name, data[name]);
    }
  }

  /** Take what an event says of a row, which is in the database too. */
  tell(names: string[], data: Props, event: string): void {
    for (const name of names) {
      this.#show(name, data[name]);
      this.#pushed.delete(name);
      this.#told.set(name, event);
    }
  }

  /** Set what the server says, whatever is being edited. */
  update(data: Props): void {
    for (const name of this.among(data)) {
      this.#known[name] = data[name];
      this.#set(name, data[name]);
    }
  }

  /** What a call sends; with a refresh goes what was pushed. */
  send(refreshes: boolean): Sent {
    const pushed = refreshes ? this.#pushed : new Map<string, unknown>();
    if (refreshes) this.#pushed = new Map();
    const props: Props = {};
    for (const name of Object.keys(this.#known)) props[name] = copy(this.view.get(name));
    for (const [name, value] of pushed) props[name] = value;
    return { props, pushed, told: new Map(this.#told) };
  }

  /** A refresh couldn't reach the server: the next one takes it along. */
  restore({ pushed }: Sent): void {
    this.#pushed = new Map([...pushed, ...this.#pushed]);
  }

  /** A refresh was answered. */
  overlaid({ pushed }: Sent): void {
    this.#overlaid = new Set(pushed.keys());
  }

  /**
   * Take an answer, but not over newer events that came since it was asked for.
   *
   * What the method has set comes into a field that is being edited too, unless the
   * visitor has gone on since: it was called with what is there.
   */
  answered(props: Props, sent: Sent, written: string[], position: string): void {
    for (const name of written)
      if (Object.hasOwn(props, name) && equal(this.view.get(name), sent.props[name]))
        this.update({ [name]: props[name] });
    const isOlder = (name: string) =>
      this.#told.get(name) !== sent.told.get(name) && this.#isTold(name, position);
    this.#merge(props, sent.props, isOlder);
  }

  /** Take what a parent's new HTML says, but not over newer events. */
  absorb(props: Props, position: string): void {
    this.#merge(props, this.#known, (name) => this.#isTold(name, position));
  }

  /** What came is no longer known to be the last: the database is right. */
  reset(): void {
    this.#pushed.clear();
    this.#told.clear();
  }

  /** Whether an event after a position told of it. */
  #isTold(name: string, position: string): boolean {
    return isBefore(position, this.#told.get(name) ?? position);
  }

  /** Three ways: what only the visitor changed stays, what the server changed comes. */
  #merge(theirs: Props, base: Props, stays: (name: string) => boolean): void {
    for (const name of this.among(theirs)) {
      if (this.#pushed.has(name) || stays(name)) continue;
      const mine = this.view.get(name);
      const isMine = equal(mine, theirs[name]) || !equal(mine, this.#known[name]);
      if (equal(theirs[name], base[name]) && isMine) this.#known[name] = theirs[name];
      else this.#show(name, theirs[name]);
    }
  }

  #show(name: string, value: unknown): void {
    if (!this.view.holds(name, this.#known[name])) this.#set(name, value);
    this.#known[name] = value;
  }

  #set(name: string, value: unknown): void {
    this.watcher.brings(name, value);
    this.view.set(name, copy(value));
  }
}
