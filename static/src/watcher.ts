import type { Props, View } from "./component";

/**
 * Tells what the visitor changes of the watched properties from what the server brings.
 *
 * Alpine tells of both alike, and later; so what the server brings is noted at once, and
 * whatever differs from the last note is the visitor's.
 */
export class Watcher {
  #noted = new Map<string, string | undefined>();

  constructor(
    private readonly view: View,
    props: Props,
    private readonly call: (method: string, args: unknown[]) => void,
  ) {
    for (const name of Object.keys(view.watch)) this.#noted.set(name, JSON.stringify(props[name]));
  }

  /** The server sets a property. */
  brings(name: string, value: unknown): void {
    if (!this.#noted.has(name)) return;
    this.#noted.set(name, JSON.stringify(value));
    // A handler may set back at once what it was before, which Alpine takes for no change.
    queueMicrotask(() => this.changed(name));
  }

  /** A property may have changed: call its methods if the visitor changed it. */
  changed(name: string): void {
    const before = this.#noted.get(name);
    const now = JSON.stringify(this.view.get(name));
    if (now === before) return;
    this.#noted.set(name, now);
    const args = [parsed(now), parsed(before), name];
    for (const [method, count] of Object.entries(this.view.watch[name] ?? {}))
      this.call(method, args.slice(0, count));
  }
}

const parsed = (text: string | undefined): unknown =>
  text === undefined ? undefined : JSON.parse(text);
