/** The log as it grows: the newest lines first asked for, then what follows, a few times a second at most. */
import { untrack } from 'svelte';

import { get } from '../api/api';
import { asProblem, type ApiProblem } from '../api/problem';
import type { LogLine, LogPage } from '../api/types';
import { live } from '../live/live.svelte';

/** Lines kept in the window. */
const MOST = 5000;
const PAGE = 300;

export class Log {
  rows = $state.raw<LogLine[]>([]);
  components = $state.raw<string[]>([]);
  level = $state('');
  folder = $state('');
  older = $state(false);
  problem = $state.raw<ApiProblem>();
  asked = $state(false);

  #filters: () => Record<string, string>;
  #follow: () => boolean;
  #turn = 0;
  #busy = false;

  constructor(filters: () => Record<string, string>, follow: () => boolean) {
    this.#filters = filters;
    this.#follow = follow;
    $effect(() => {
      filters();
      untrack(() => void this.newest());
    });
    $effect(() =>
      live.watch(
        () => (follow() ? ['logs'] : []),
        () => void this.later(),
      ),
    );
    $effect(() => {
      if (follow()) untrack(() => void this.later());
    });
  }

  async newest(): Promise<void> {
    const turn = (this.#turn += 1);
    const page = await this.#ask({});
    if (!page || turn !== this.#turn) return;
    this.rows = page.rows;
    this.older = page.more;
  }

  /** What came after the last line shown. */
  async later(): Promise<void> {
    if (this.#busy || !this.#follow()) return;
    const last = this.rows.at(-1)?.seq;
    if (last === undefined) return this.newest();
    this.#busy = true;
    const turn = this.#turn;
    const page = await this.#ask({ after: String(last) });
    this.#busy = false;
    if (!page || turn !== this.#turn || page.rows.length === 0) return;
    this.rows = [...this.rows, ...page.rows].slice(-MOST);
    if (page.more) await this.later();
  }

  /** The lines before the first one shown. */
  async earlier(): Promise<void> {
    const first = this.rows[0]?.seq;
    if (first === undefined) return;
    const turn = this.#turn;
    const page = await this.#ask({ before: String(first) });
    if (!page || turn !== this.#turn) return;
    this.rows = [...page.rows, ...this.rows].slice(0, MOST);
    this.older = page.more;
  }

  async #ask(more: Record<string, string>): Promise<LogPage | undefined> {
    const asked = Object.entries({ ...this.#filters(), ...more, limit: String(PAGE) });
    const search = new URLSearchParams(asked.filter(([, value]) => value !== ''));
    try {
      const page = await get<LogPage>(`logs?${search.toString()}`);
      this.components = page.components;
      this.level = page.level;
      this.folder = page.folder;
      this.problem = undefined;
      this.asked = true;
      return page;
    } catch (error) {
      this.problem = asProblem(error);
      return undefined;
    }
  }
}
