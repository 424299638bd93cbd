/** Short reports of what an action did. The inbox, not this, is where news is kept. */
import { asProblem } from '../api/problem';
import { errorWords } from '../errors/words.svelte';

/** `until` is when the offer ends, in ms. */
export type Undo = { until: number; run: () => Promise<unknown> };
export type Toast = { id: number; tone: 'ok' | 'problem'; title: string; text: string; undo?: Undo };

const SHOWN_MS = { ok: 5000, problem: 12000 };
/** How long "undo" stays in the corner; the same undo stays in the record itself. */
export const UNDO_MS = 10_000;

class Toasts {
  shown = $state<Toast[]>([]);
  #last = 0;

  ok(title: string, text = ''): void {
    this.#show('ok', title, text);
  }

  /** Reports something that can be taken back for [`UNDO_MS`]. */
  undo(title: string, text: string, run: () => Promise<unknown>): void {
    this.#show('ok', title, text, { until: Date.now() + UNDO_MS, run });
  }

  /** Takes back the newest that can be. */
  async undoLast(): Promise<boolean> {
    const found = this.shown.findLast((toast) => toast.undo);
    if (found) await this.takeBack(found);
    return found !== undefined;
  }

  async takeBack(toast: Toast): Promise<void> {
    this.close(toast.id);
    await toast.undo?.run();
  }

  /** Any thrown value, in the catalogue's words. */
  problem(error: unknown): void {
    const words = errorWords(asProblem(error).code);
    this.#show('problem', words.title, words.fix);
  }

  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  #show(tone: Toast['tone'], title: string, text: string, undo?: Undo): void {
    this.#last += 1;
    const id = this.#last;
    // Three at most: an older report gives way.
    this.shown = [...this.shown.slice(-2), { id, tone, title, text, ...(undo ? { undo } : {}) }];
    setTimeout(() => this.close(id), undo ? UNDO_MS : SHOWN_MS[tone]);
  }
}

export const toast = new Toasts();

/** Runs an action; a failure becomes a toast. Resolves to `undefined` then. */
export async function attempt<R>(action: () => Promise<R>): Promise<R | undefined> {
  try {
    return await action();
  } catch (error) {
    toast.problem(error);
    return undefined;
  }
}
