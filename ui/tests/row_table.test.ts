import { fireEvent, render, screen, within } from '@testing-library/svelte';
import { createRawSnippet, type Snippet } from 'svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { Marked } from '../src/lib/bulk/marked.svelte';
import { router } from '../src/lib/route.svelte';
import RowTable from '../src/lib/ui/RowTable.svelte';
import { toast } from '../src/lib/ui/toast.svelte';
import { calm, close, open } from './desk';
import { Refusal } from './fake';
import { taskRow } from './samples';

type Row = { id: number; text: string };
const rows: Row[] = [
  { id: 3, text: 'three' },
  { id: 2, text: 'two' },
  { id: 1, text: 'one' },
];
const rest = {
  rows,
  keyOf: (row: Row) => String(row.id),
  label: 'rows',
  testid: 'row',
  head: createRawSnippet(() => ({ render: () => '<th scope="col">Text</th>' })),
  // A raw snippet cannot show the link; the tables of the pages do.
  cells: createRawSnippet<[Row, Snippet<[string]>]>((row) => ({
    render: () => `<td><a href="#/row" data-open>${row().text}</a></td>`,
  })),
};
const link = (key: string): HTMLElement =>
  document.querySelector(`[data-row="${key}"] [data-open]`) as HTMLElement;

afterEach(() => {
  vi.restoreAllMocks();
  close();
});

describe('a table of rows that open', () => {
  it('copies and retries the row that has the focus, and leaves the letters alone where it cannot', async () => {
    const written = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue();
    const retry = vi.fn();
    const { rerender } = render(RowTable<Row>, { ...rest, retry, copied: (row) => row.text });
    await fireEvent.keyDown(link('2'), { key: 'c' });
    await fireEvent.keyDown(link('1'), { key: 'r' });
    await calm();
    expect(written.mock.calls).toEqual([['two']]);
    expect(toast.shown[0]?.text).toBe('two');
    expect(retry.mock.calls).toEqual([[rows[2]]]);
    await rerender({ retry: undefined, copied: undefined });
    // Not prevented: nothing was done with them.
    expect(await fireEvent.keyDown(link('2'), { key: 'c' })).toBe(true);
    expect(await fireEvent.keyDown(link('2'), { key: 'r' })).toBe(true);
    expect(written).toHaveBeenCalledTimes(1);
    expect(retry).toHaveBeenCalledTimes(1);
  });

  it('has marks only where an action on many is offered', async () => {
    const marked = new Marked();
    const { rerender } = render(RowTable<Row>, { ...rest, marked });
    expect(screen.getAllByRole('columnheader')).toHaveLength(2);
    await fireEvent.click(screen.getByTestId('mark-3'));
    await fireEvent.click(screen.getByTestId('mark-1'), { shiftKey: true });
    expect([...marked.keys]).toEqual(['3', '2', '1']);
    expect(screen.getByTestId('row-2').classList.contains('marked')).toBe(true);
    await rerender({ marked: undefined });
    expect(screen.getAllByRole('columnheader')).toHaveLength(1);
    expect(screen.queryByTestId('mark-3')).toBeNull();
  });

  it('is one stop of the Tab key: the open row, else the first', async () => {
    await open('#/queue?state=failed', {
      tasks: () => ({ rows: [taskRow(8), taskRow(7)], next: null }),
      'tasks/7': () => new Refusal(404, 'not_found'),
    });
    expect([link('8').tabIndex, link('7').tabIndex]).toEqual([0, -1]);
    expect(link('7').getAttribute('href')).toBe('#/queue/7?state=failed');
    router.detail('7');
    await calm();
    expect([link('8').tabIndex, link('7').tabIndex]).toEqual([-1, 0]);
    expect(link('7').getAttribute('aria-current')).toBe('true');
    expect(within(screen.getByTestId('task-row-7')).getByText('#7')).toBe(link('7'));
  });
});
