/** How a live list takes in fresh rows without jumping under the owner's hand. */

export type Merged<R> = {
  rows: R[];
  /** New rows that wait behind the pill. */
  waiting: number;
  /** Keys of shown rows that no longer belong to the list. */
  gone: Set<string>;
};

/**
 * `held` keeps every shown row where it is: known rows are replaced in place, new ones only counted, and rows that
 * left the list stay until the owner lets go. Otherwise the fresh rows are the list.
 */
export function mergeRows<R>(
  shown: readonly R[],
  fresh: readonly R[],
  key: (row: R) => string,
  held: boolean,
): Merged<R> {
  if (!held || shown.length === 0) return { rows: [...fresh], waiting: 0, gone: new Set() };
  const byKey = new Map(fresh.map((row) => [key(row), row]));
  const gone = new Set<string>();
  const rows = shown.map((row) => {
    const k = key(row);
    const now = byKey.get(k);
    if (now === undefined) gone.add(k);
    byKey.delete(k);
    return now ?? row;
  });
  return { rows, waiting: byKey.size, gone };
}

/** Cuts a row list after `last`, so that a longer fresh list does not count older rows as new. */
export function upTo<R>(fresh: readonly R[], shown: readonly R[], key: (row: R) => string): R[] {
  const last = shown.at(-1);
  if (last === undefined) return [...fresh];
  const end = fresh.findLastIndex((row) => key(row) === key(last));
  return end < 0 ? [...fresh] : fresh.slice(0, end + 1);
}
