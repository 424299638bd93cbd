/**
 * One question to the core that stays answered: asked when its path changes, and again when a topic of it is
 * named by an event. Create it while a component starts.
 */
import { untrack } from 'svelte';

import { get } from '../api/api';
import { asProblem, type ApiProblem } from '../api/problem';
import { live } from './live.svelte';

/** Questions under way whose place on the page is still empty: what stands below it will move. */
class Unanswered {
  number = $state(0);
}
export const unanswered = new Unanswered();

export class Query<T> {
  data = $state.raw<T>();
  problem = $state.raw<ApiProblem>();
  loading = $state(false);

  #path: () => string | null;
  #turn = 0;
  #busy = false;
  #again = false;

  /** `path` null asks nothing. `keep` leaves the old answer standing while a changed path is asked. */
  constructor(path: () => string | null, topics: () => readonly string[], keep = false) {
    this.#path = path;
    $effect(() => {
      const wanted = path();
      untrack(() => {
        if (!keep) this.data = undefined;
        this.problem = undefined;
        void this.#ask(wanted);
      });
    });
    $effect(() => live.watch(topics, () => void this.refresh()));
  }

  /** Asks again; questions that arrive while one is under way become one more. */
  async refresh(): Promise<void> {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    await this.#ask(this.#path());
  }

  /** Puts in an answer that an action brought along. */
  put(data: T): void {
    this.#turn += 1;
    this.data = data;
    this.problem = undefined;
  }

  async #ask(path: string | null): Promise<void> {
    const turn = (this.#turn += 1);
    if (path === null) {
      this.loading = false;
      return;
    }
    this.#busy = true;
    this.loading = true;
    const first = this.data === undefined;
    if (first) unanswered.number += 1;
    try {
      const data = await get<T>(path);
      if (turn === this.#turn) {
        this.data = data;
        this.problem = undefined;
      }
    } catch (error) {
      if (turn === this.#turn) this.problem = asProblem(error);
    } finally {
      if (turn === this.#turn) {
        this.loading = false;
      }
      this.#busy = false;
      if (first) unanswered.number -= 1;
    }
    if (this.#again) {
      this.#again = false;
      await this.#ask(this.#path());
    }
  }
}
