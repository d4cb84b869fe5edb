/** The last ids that were seen: a comparison with the cursor would lose events. */
export class Ring {
  #ids = new Set<string>();

  constructor(private readonly size = 1000) {}

  /** Note an id; false if it was noted before. */
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    if (this.#ids.size > this.size) {
      const [oldest] = this.#ids;
      this.#ids.delete(oldest as string);
    }
    return true;
  }
}
