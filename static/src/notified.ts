const KEY = "sse:notified";
const KEPT = 100;

/** Remembers notifications over a navigation, so that a replay shows none twice. */
export class Notified {
  constructor(private readonly storage: () => Storage) {}

  /** Note an id; false if it was noted before, in this page or the one before it. */
  add(id: string): boolean {
    // Storage may be forbidden or full; then a notification is shown rather than lost.
    try {
      const ids = JSON.parse(this.storage().getItem(KEY) ?? "[]") as string[];
      if (ids.includes(id)) return false;
      this.storage().setItem(KEY, JSON.stringify([...ids, id].slice(-KEPT)));
    } catch {
      return true;
    }
    return true;
  }
}
