import { fireEvent, screen } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';

import { runEach } from '../src/lib/bulk/run';
import { toast } from '../src/lib/ui/toast.svelte';
import { calm, close, open } from './desk';
import { Refusal, type Asked, type FakeTransport } from './fake';
import { orderRow, taskRow } from './samples';

afterEach(close);

const three = {
  orders: () => ({
    rows: [orderRow('DH000003'), orderRow('DH000002'), orderRow('DH000001')],
    next: null,
  }),
};
const posts = (fake: FakeTransport): Asked[] => fake.asked.filter((one) => one.method === 'POST');
const link = (code: string): HTMLElement =>
  document.querySelector(`[data-row="${code}"] [data-open]`) as HTMLElement;

async function confirm(reason?: string): Promise<void> {
  const dialog = document.querySelector('dialog') as HTMLElement;
  if (reason !== undefined) {
    await fireEvent.input(dialog.querySelector('textarea') as HTMLElement, { target: { value: reason } });
  }
  await fireEvent.submit(dialog.querySelector('form') as HTMLFormElement);
  await calm();
}

describe('many orders', () => {
  it('are marked by X and by Shift with the arrows, and unmarked again', async () => {
    await open('#/orders', three);
    link('DH000003').focus();
    await fireEvent.keyDown(link('DH000003'), { key: 'x' });
    expect(screen.getByTestId('bulk-bar').textContent).toContain('Đã chọn 1');
    await fireEvent.keyDown(link('DH000003'), { key: 'ArrowDown', shiftKey: true });
    expect(screen.getByTestId('bulk-bar').textContent).toContain('Đã chọn 2');
    await fireEvent.keyDown(link('DH000002'), { key: 'x' });
    await fireEvent.keyDown(link('DH000003'), { key: 'x' });
    expect(screen.queryByTestId('bulk-bar')).toBeNull();
  });

  it('are cancelled one by one with one reason; what failed stays marked', async () => {
    const fake = await open('#/orders', {
      ...three,
      'POST orders/DH000003/cancel': () => ({}),
      'POST orders/DH000002/cancel': () => new Refusal(409, 'order_not_cancellable'),
    });
    await fireEvent.click(screen.getByTestId('mark-DH000003'));
    await fireEvent.click(screen.getByTestId('mark-DH000002'));
    await fireEvent.click(screen.getByRole('button', { name: 'Hủy đơn' }));
    expect(posts(fake)).toEqual([]);
    await confirm('shop nghỉ');
    expect(posts(fake).map((one) => [one.path, one.body])).toEqual([
      ['/admin/api/orders/DH000003/cancel', { reason: 'shop nghỉ' }],
      ['/admin/api/orders/DH000002/cancel', { reason: 'shop nghỉ' }],
    ]);
    expect(toast.shown[0]).toMatchObject({ title: 'Xong 1/2' });
    expect(toast.shown[0]?.text).toContain('1 lỗi');
    expect(screen.getByTestId('bulk-bar').textContent).toContain('Đã chọn 1');
  });

  it('are everything the filter shows, when that is wanted', async () => {
    const fake = await open('#/orders?stage=pending', {
      orders: (asked) =>
        asked.path.includes('after=')
          ? { rows: [orderRow('DH000001')], next: null }
          : { rows: [orderRow('DH000003'), orderRow('DH000002')], next: 'c' },
    });
    await fireEvent.click(screen.getByTestId('mark-DH000003'));
    await fireEvent.click(screen.getByTestId('mark-all'));
    await calm();
    expect(screen.getByTestId('bulk-bar').textContent).toContain('Đã chọn 3');
    expect(fake.paths()).toContain('/admin/api/orders?stage=pending&limit=200&after=c');
  });

  it('are no longer marked when another filter shows other rows', async () => {
    await open('#/orders', three);
    await fireEvent.click(screen.getByTestId('mark-DH000003'));
    await fireEvent.click(screen.getByRole('button', { name: /^Hết hạn/ }));
    await calm();
    expect(screen.queryByTestId('bulk-bar')).toBeNull();
  });
});

describe('many tasks', () => {
  it('are retried by the core in one request', async () => {
    const fake = await open('#/queue', {
      tasks: () => ({ rows: [taskRow(8), taskRow(7)], next: null }),
      queue: () => ({
        counts: {
          queued: 0,
          running: 0,
          retrying: 0,
          failed: 2,
          oldest_wait_ms: 0,
          workers: 2,
          busy: 0,
          paused: false,
        },
        lanes: [],
        workers: [],
        stale_refused: 0,
      }),
      'POST failures/retry': () => ({ matched: 2, retried: 2, skipped: 0 }),
    });
    await fireEvent.click(screen.getByTestId('mark-8'));
    await fireEvent.click(screen.getByTestId('mark-7'));
    await fireEvent.click(screen.getByRole('button', { name: 'Thử lại' }));
    await confirm();
    expect(posts(fake)[0]?.body).toEqual({ filter: { ids: [8, 7] }, dry_run: false });
  });
});

describe('one action on many rows', () => {
  it('goes on after a failure and stops when told', async () => {
    const seen: string[] = [];
    const report = await runEach(
      ['a', 'b', 'c', 'd'],
      (key) => {
        seen.push(key);
        return key === 'a' ? Promise.reject(new Error('no')) : Promise.resolve();
      },
      () => seen.length === 3,
      () => undefined,
    );
    expect(seen).toEqual(['a', 'b', 'c']);
    expect(report).toMatchObject({ done: 2, failed: 1, total: 4, stopped: true, failedKeys: ['a'] });
  });
});

describe('a saved view', () => {
  it('keeps the filters under a name, opens them again, and goes when removed', async () => {
    await open('#/orders?stage=expired', three);
    await fireEvent.click(screen.getByTestId('save-view'));
    const field = screen.getByLabelText('Tên chế độ xem');
    await fireEvent.input(field, { target: { value: 'Quá hạn' } });
    await fireEvent.submit(field.closest('form') as HTMLFormElement);
    expect(screen.getByTestId('view-Quá hạn').getAttribute('aria-pressed')).toBe('true');
    await fireEvent.click(screen.getByRole('button', { name: /^Tất cả$/ }));
    await calm();
    await fireEvent.click(screen.getByTestId('view-Quá hạn'));
    await calm();
    expect(location.hash).toBe('#/orders?stage=expired');
    expect(localStorage.getItem('chotdon.views.orders')).toContain('Quá hạn');
    await fireEvent.click(screen.getByRole('button', { name: 'Xóa chế độ xem Quá hạn' }));
    expect(screen.queryByTestId('view-Quá hạn')).toBeNull();
  });

  it('that was damaged on disk is forgotten, not fatal', async () => {
    localStorage.setItem('chotdon.views.orders', '{"x":');
    await open('#/orders', three);
    expect(screen.getByTestId('order-row-DH000003')).toBeTruthy();
  });
});
