/**
 * What changed, as the core tells it: holds the event stream, wakes the queries whose topics were named,
 * and carries the progress of running tasks.
 *
 * Wakes are merged over 250 ms. A gap in the numbering, or a stream that was lost, wakes everything.
 */
import { SvelteMap } from 'svelte/reactivity';

import { api } from '../api/api';
import type { Link } from '../api/transport';
import type { Event, Progress } from '../api/types';

export const MERGE_MS = 250;

type Watcher = { topics: () => readonly string[]; wake: () => void };

export class Live {
  link = $state<Link>('connecting');
  /** When the link was last lost, ms; 0 while it holds. */
  lostAt = $state(0);
  readonly progress = new SvelteMap<number, Progress>();

  #watchers = new Set<Watcher>();
  #named = new Set<string>();
  #everything = false;
  #seq: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop: (() => void) | undefined;

  start(): void {
    this.#stop?.();
    this.#seq = undefined;
    // A stream that was refused before the login was not lost.
    this.lostAt = 0;
    this.#stop = api.events(
      (event) => this.receive(event),
      (link) => this.#onLink(link),
    );
    document.addEventListener('visibilitychange', this.#onVisible);
  }

  stop(): void {
    document.removeEventListener('visibilitychange', this.#onVisible);
    this.#stop?.();
    this.#stop = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Calls `wake` when one of `topics` is named; returns how to stop. */
  watch(topics: () => readonly string[], wake: () => void): () => void {
    const watcher = { topics, wake };
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  receive(event: Event): void {
    const gap = this.#seq !== undefined && event.seq !== this.#seq + 1;
    this.#seq = event.seq;
    // Each event carries every task that runs; whoever is missing has stopped.
    for (const id of [...this.progress.keys()]) if (!(id in event.progress)) this.progress.delete(id);
    for (const [id, progress] of Object.entries(event.progress)) {
      this.progress.set(Number(id), progress);
    }
    if (gap) this.touchAll();
    else this.touch(event.topics);
  }

  /** Wakes whoever shows one of these, soon. Also used after the owner's own actions. */
  touch(topics: readonly string[]): void {
    for (const topic of topics) this.#named.add(topic);
    if (this.#named.size > 0) this.#schedule();
  }

  touchAll(): void {
    this.#everything = true;
    this.#schedule();
  }

  #onLink(link: Link): void {
    if (link === 'lost' && this.lostAt === 0) this.lostAt = Date.now();
    if (link === 'open') {
      // Whatever happened while the stream was away was not heard.
      if (this.lostAt !== 0) this.touchAll();
      this.lostAt = 0;
      this.#seq = undefined;
    }
    this.link = link;
  }

  /** Nothing is asked for a hidden window; once seen again it catches up. */
  #onVisible = (): void => {
    if (!document.hidden && (this.#everything || this.#named.size > 0)) this.#schedule();
  };

  #schedule(): void {
    this.#timer ??= setTimeout(() => this.#flush(), MERGE_MS);
  }

  #flush(): void {
    this.#timer = undefined;
    if (document.hidden) return;
    const named = this.#named;
    const everything = this.#everything;
    this.#named = new Set();
    this.#everything = false;
    for (const watcher of [...this.#watchers]) {
      if (everything || watcher.topics().some((topic) => named.has(topic))) watcher.wake();
    }
  }
}

export const live = new Live();
