/** The owner's own views of a list: a name and its filters, kept on this machine. */
import type { PageName } from '../route.svelte';
import { store } from '../store';

export type SavedView = { name: string; filters: Record<string, string> };

const MOST = 12;

export class SavedViews {
  all = $state.raw<SavedView[]>([]);
  #key: string;

  constructor(page: PageName) {
    this.#key = `chotdon.views.${page}`;
    this.all = read(store.read(this.#key));
  }

  /** A view of the same name gives way. */
  save(name: string, filters: Record<string, string>): void {
    const filled = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ''));
    this.#put([...this.all.filter((view) => view.name !== name), { name, filters: filled }].slice(-MOST));
  }

  remove(name: string): void {
    this.#put(this.all.filter((view) => view.name !== name));
  }

  #put(views: SavedView[]): void {
    this.all = views;
    store.write(this.#key, JSON.stringify(views));
  }
}

function read(text: string | null): SavedView[] {
  try {
    const found: unknown = JSON.parse(text ?? '[]');
    return Array.isArray(found) ? found.filter(isView) : [];
  } catch {
    return [];
  }
}

function isView(value: unknown): value is SavedView {
  const view = value as Partial<SavedView> | null;
  return typeof view?.name === 'string' && typeof view.filters === 'object' && view.filters !== null;
}

/** Whether both show the same. */
export function sameFilters(a: Record<string, string>, b: Record<string, string>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((name) => (a[name] ?? '') === (b[name] ?? ''));
}
