/** Short reports of what an action did. The inbox, not this, is where news is kept. */
import { asProblem } from '../api/problem';
import { errorWords } from '../errors/words.svelte';

export type Toast = { id: number; tone: 'ok' | 'problem'; title: string; text: string };

const SHOWN_MS = { ok: 5000, problem: 12000 };

class Toasts {
  shown = $state<Toast[]>([]);
  #last = 0;

  ok(title: string, text = ''): void {
    this.#show('ok', title, text);
  }

  /** Any thrown value, in the catalogue's words. */
  problem(error: unknown): void {
    const words = errorWords(asProblem(error).code);
    this.#show('problem', words.title, words.fix);
  }

  close(id: number): void {
    this.shown = this.shown.filter((toast) => toast.id !== id);
  }

  #show(tone: Toast['tone'], title: string, text: string): void {
    this.#last += 1;
    const id = this.#last;
    // Three at most: an older report gives way.
    this.shown = [...this.shown.slice(-2), { id, tone, title, text }];
    setTimeout(() => this.close(id), SHOWN_MS[tone]);
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
