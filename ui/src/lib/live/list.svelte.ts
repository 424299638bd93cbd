/**
 * A keyset-paged list that is kept up to date: first page when the path changes, more on demand, and every loaded
 * page again when a topic is named. While held (hover, focus, selection, scroll) new rows wait behind a pill.
 */
import { untrack } from 'svelte';

import { get, rowsOf } from '../api/api';
import { asProblem, type ApiProblem } from '../api/problem';
import type { Page } from '../api/types';
import { live } from './live.svelte';
import { mergeRows, upTo } from './merge';

export const PAGE_ROWS = 100;
const MAX_LIMIT = 200;

export class List<R> {
  rows = $state.raw<R[]>([]);
  next = $state.raw<string | null>(null);
  problem = $state.raw<ApiProblem>();
  /** True until the first answer to the present path. */
  loading = $state(true);
  loadingMore = $state(false);
  /** New rows behind the pill. */
  waiting = $state(0);
  gone = $state.raw<ReadonlySet<string>>(new Set());

  #path: () => string;
  #key: (row: R) => string;
  #held = false;
  #fresh: { rows: R[]; next: string | null } | undefined;
  #turn = 0;
  #busy = false;
  #again = false;

  /** `path` carries the filters and no paging; nothing is asked while `wanted` is false. */
  constructor(
    path: () => string,
    topics: () => readonly string[],
    key: (row: R) => string,
    wanted: () => boolean = () => true,
  ) {
    this.#path = path;
    this.#key = key;
    $effect(() => {
      path();
      if (wanted()) untrack(() => void this.#restart());
    });
    $effect(() => live.watch(topics, () => void this.refresh()));
  }

  /** Whether the owner's hand is on the list. Letting go shows what waited. */
  hold(held: boolean): void {
    this.#held = held;
    if (!held) this.showWaiting();
  }

  showWaiting(): void {
    if (!this.#fresh) return;
    this.rows = this.#fresh.rows;
    this.next = this.#fresh.next;
    this.#fresh = undefined;
    this.waiting = 0;
    this.gone = new Set();
  }

  /** Asks again for everything loaded. `force` shows new rows at once: the owner made them. */
  async refresh(force = false): Promise<void> {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    const turn = this.#turn;
    this.#busy = true;
    try {
      const wanted = Math.max(PAGE_ROWS, this.rows.length);
      const fresh: R[] = [];
      let next: string | null = null;
      do {
        const page: Page<R> = await get<Page<R>>(this.#url(Math.min(MAX_LIMIT, wanted - fresh.length), next));
        fresh.push(...rowsOf(page));
        next = page.next ?? null;
      } while (next !== null && fresh.length < wanted);
      if (turn !== this.#turn) return;
      this.#take(fresh, next, force);
      this.problem = undefined;
    } catch (error) {
      if (turn === this.#turn) this.problem = asProblem(error);
    } finally {
      this.#busy = false;
    }
    if (this.#again) {
      this.#again = false;
      await this.refresh(force);
    }
  }

  async more(): Promise<void> {
    if (this.next === null || this.loadingMore) return;
    const turn = this.#turn;
    this.loadingMore = true;
    try {
      const page = await get<Page<R>>(this.#url(PAGE_ROWS, this.next));
      if (turn !== this.#turn) return;
      const known = new Set(this.rows.map(this.#key));
      this.rows = [...this.rows, ...rowsOf(page).filter((row) => !known.has(this.#key(row)))];
      this.next = page.next ?? null;
    } catch (error) {
      if (turn === this.#turn) this.problem = asProblem(error);
    } finally {
      this.loadingMore = false;
    }
  }

  #take(fresh: R[], next: string | null, force: boolean): void {
    const held = this.#held && !force;
    const merged = mergeRows(this.rows, held ? upTo(fresh, this.rows, this.#key) : fresh, this.#key, held);
    this.rows = merged.rows;
    this.waiting = merged.waiting;
    this.gone = merged.gone;
    const differs = held && (merged.waiting > 0 || merged.gone.size > 0);
    this.#fresh = differs ? { rows: fresh, next } : undefined;
    if (!differs) this.next = next;
  }

  async #restart(): Promise<void> {
    const turn = (this.#turn += 1);
    this.loading = true;
    this.waiting = 0;
    this.gone = new Set();
    this.#fresh = undefined;
    try {
      const page = await get<Page<R>>(this.#url(PAGE_ROWS, null));
      if (turn !== this.#turn) return;
      this.rows = rowsOf(page);
      this.next = page.next ?? null;
      this.problem = undefined;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.rows = [];
      this.next = null;
      this.problem = asProblem(error);
    } finally {
      if (turn === this.#turn) this.loading = false;
    }
  }

  #url(limit: number, after: string | null): string {
    const path = this.#path();
    const joint = path.includes('?') ? '&' : '?';
    return `${path}${joint}limit=${limit}${after === null ? '' : `&after=${encodeURIComponent(after)}`}`;
  }
}
