// Servers and proxies on the way refuse longer addresses: 8 KiB is a usual limit.
const LONGEST = 7_000;

/**
 * What opens a connection's streams, oldest first: grants, and names of groups.
 *
 * A name is for the server to decide on whenever a stream opens, so it never expires.
 */
export class Grants {
  /** Grows when new ones take the place of all that couldn't be renewed. */
  generation = 0;
  #held: readonly string[];
  /** What of that are names. */
  #names = new Set<string>();
  /** Those that can't be renewed; some of them may still open a stream. */
  #spent = new Set<string>();
  #awaited = false;

  constructor(grants: readonly string[]) {
    this.#held = grants;
  }

  get all(): readonly string[] {
    return this.#held;
  }

  get renewable(): readonly string[] {
    return this.#held.filter((grant) => !this.#names.has(grant) && !this.#spent.has(grant));
  }

  /** New ones have to come with new HTML, and none has come since. */
  get awaited(): boolean {
    return this.#awaited;
  }

  /** Nothing is left to open a stream with. */
  get missing(): boolean {
    return this.#awaited && !this.#held.length;
  }

  add(grant: string): void {
    if (this.#awaited) {
      this.shed();
      this.#awaited = false;
      this.generation++;
    }
    if (!this.#held.includes(grant)) this.#held = [...this.#held, grant];
  }

  /** Ask for a group by its name. */
  name(group: string): void {
    this.#names.add(group);
    if (!this.#held.includes(group)) this.#held = [...this.#held, group];
  }

  unname(group: string): void {
    this.#held = this.#held.filter((each) => each !== group);
  }

  holds(grants: readonly string[]): boolean {
    return grants.every((grant) => this.#held.includes(grant));
  }

  /** Whether a stream that was opened with these has all that is held. */
  within(grants: readonly string[]): boolean {
    return this.#held.every((grant) => grants.includes(grant));
  }

  replace(parts: readonly string[], whole: string): void {
    this.#held = replaced(this.#held, parts, whole);
  }

  /** These can't be renewed; they may be good until they expire. */
  spend(grants: readonly string[]): void {
    for (const grant of grants) if (!this.#names.has(grant)) this.#spent.add(grant);
    this.#awaited = true;
  }

  /** These are good for nothing any more. */
  drop(grants: readonly string[]): void {
    this.spend(grants);
    this.#held = this.#held.filter((grant) => this.#names.has(grant) || !grants.includes(grant));
  }

  /** Let go of all that can't be renewed. */
  shed(): void {
    this.#held = this.#held.filter((grant) => !this.#spent.has(grant));
  }

  /** What was added is refused for what it allows: hold what was good before it. */
  fallBack(refused: readonly string[], kept: readonly string[]): void {
    const others = this.#held.filter((grant) => ![...refused, ...kept].includes(grant));
    this.#held = [...kept, ...others];
    this.#awaited ||= kept.some((grant) => this.#spent.has(grant));
  }

  /** Keep nothing but names, which the server may decide otherwise on. */
  clear(): void {
    this.#held = this.#held.filter((held) => this.#names.has(held));
    this.#awaited = false;
  }

  /** The query of a stream, with the newest grants that fit into an address. */
  query(from: string | null): string {
    for (let oldest = 0; ; oldest++) {
      const query = new URLSearchParams();
      for (const held of this.#held.slice(oldest))
        query.append(this.#names.has(held) ? "group" : "grant", held);
      if (from !== null) query.set("lastEventId", from);
      const text = query.toString();
      if (text.length <= LONGEST || oldest >= this.#held.length - 1) return text;
    }
  }
}

/** A list with one grant in place of those it was made of, if all of them are in it. */
export function replaced(
  list: readonly string[],
  parts: readonly string[],
  whole: string,
): readonly string[] {
  if (!parts.every((part) => list.includes(part))) return list;
  return [whole, ...list.filter((grant) => !parts.includes(grant))];
}
