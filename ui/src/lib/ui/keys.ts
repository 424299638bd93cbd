/**
 * Keyboard and mouse of a list of rows: rows carry `data-row`, and in each one link with `data-open`.
 *
 * Letters act only here, while the list has focus, and never while a word is being composed.
 */
export type RowKeys = {
  retry?: (key: string) => void;
  copy?: (key: string) => void;
  /** Marks the row for an action on many, unmarks it, or (without `on`) the other one of both. */
  mark?: (key: string, on?: boolean) => void;
};

export function listKeys(keys: RowKeys = {}) {
  return (node: HTMLElement): (() => void) => {
    const rows = (): HTMLElement[] => [...node.querySelectorAll<HTMLElement>('[data-row]')];
    const rowOf = (target: EventTarget | null): HTMLElement | null =>
      target instanceof Element ? target.closest<HTMLElement>('[data-row]') : null;

    function focusRow(row: HTMLElement | undefined): void {
      const link = row?.querySelector<HTMLElement>('[data-open]');
      link?.focus();
      link?.scrollIntoView({ block: 'nearest' });
    }

    function markBoth(...rows: (HTMLElement | null | undefined)[]): void {
      for (const row of rows) if (row?.dataset['row'] !== undefined) keys.mark?.(row.dataset['row'], true);
    }

    function onKey(event: KeyboardEvent): void {
      if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target))
        return;
      const row = rowOf(event.target);
      const all = rows();
      const here = row ? all.indexOf(row) : -1;
      const key = row?.dataset['row'];
      switch (event.key) {
        case 'ArrowDown':
        case 'j':
        case 'J':
          if (event.shiftKey) markBoth(row, all[Math.min(all.length - 1, here + 1)]);
          focusRow(all[Math.min(all.length - 1, here + 1)]);
          break;
        case 'ArrowUp':
        case 'k':
        case 'K':
          if (event.shiftKey) markBoth(row, all[Math.max(0, here - 1)]);
          focusRow(all[Math.max(0, here - 1)]);
          break;
        case 'Home':
          focusRow(all[0]);
          break;
        case 'End':
          focusRow(all.at(-1));
          break;
        case 'r':
        case 'R':
          if (key === undefined || !keys.retry) return;
          keys.retry(key);
          break;
        case 'c':
        case 'C':
          if (key === undefined || !keys.copy) return;
          keys.copy(key);
          break;
        case 'x':
        case 'X':
          if (key === undefined || !keys.mark) return;
          keys.mark(key);
          break;
        default:
          return;
      }
      event.preventDefault();
    }

    function onClick(event: MouseEvent): void {
      if (event.target instanceof Element && event.target.closest('a,button,input,label,summary')) return;
      // Marking text in a row is not opening it.
      if ((getSelection()?.toString() ?? '') !== '') return;
      rowOf(event.target)?.querySelector<HTMLElement>('[data-open]')?.click();
    }

    node.addEventListener('keydown', onKey);
    node.addEventListener('click', onClick);
    return () => {
      node.removeEventListener('keydown', onKey);
      node.removeEventListener('click', onClick);
    };
  };
}

/** Whether keys typed at `target` are text. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (
    target.isContentEditable ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  ) {
    return true;
  }
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button'].includes(target.type);
}

/**
 * Single letters of a page or an open panel: asleep while something is typed or composed, a dialog is open, or the
 * focus is outside the page. `keys` names them in lower case.
 */
export function pageKeys(keys: () => Record<string, () => void>): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector('dialog[open]')) return;
    if (event.target instanceof Element && event.target !== document.body && !event.target.closest('main'))
      return;
    const run = keys()[event.key.toLowerCase()];
    if (!run) return;
    event.preventDefault();
    run();
  };
  window.addEventListener('keydown', onKey);
  return () => window.removeEventListener('keydown', onKey);
}
