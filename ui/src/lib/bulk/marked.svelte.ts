/** The rows that the owner marked for one action; by key, so that they survive every refresh of the list. */
export class Marked {
  keys = $state.raw<ReadonlySet<string>>(new Set());
  #last: string | undefined;

  get size(): number {
    return this.keys.size;
  }

  has(key: string): boolean {
    return this.keys.has(key);
  }

  set(key: string, on: boolean): void {
    const next = new Set(this.keys);
    if (on) next.add(key);
    else next.delete(key);
    this.keys = next;
    this.#last = key;
  }

  /** For the keyboard: `on` left out is the other one of both. */
  mark = (key: string, on = !this.has(key)): void => this.set(key, on);

  toggle(key: string): void {
    this.set(key, !this.has(key));
  }

  /** With `range`, everything of `shown` between the last marked row and this one. */
  click(key: string, range: boolean, shown: readonly string[]): void {
    const from = this.#last === undefined ? -1 : shown.indexOf(this.#last);
    const to = shown.indexOf(key);
    if (!range || from < 0 || to < 0) {
      this.toggle(key);
      return;
    }
    this.add(shown.slice(Math.min(from, to), Math.max(from, to) + 1));
    this.#last = key;
  }

  add(keys: readonly string[]): void {
    this.keys = new Set([...this.keys, ...keys]);
  }

  clear(): void {
    this.keys = new Set();
    this.#last = undefined;
  }
}
