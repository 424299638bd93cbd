import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { Live, MERGE_MS } from '../src/lib/live/live.svelte';
import { mergeRows, upTo } from '../src/lib/live/merge';
import { FakeTransport } from './fake';

describe('live', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function started(): { fake: FakeTransport; live: Live } {
    const fake = new FakeTransport();
    const live = new Live();
    live.start();
    fake.link('open');
    return { fake, live };
  }

  it('wakes who shows a topic, once for many events', () => {
    const { fake, live } = started();
    const orders = vi.fn();
    const queue = vi.fn();
    live.watch(() => ['orders'], orders);
    live.watch(() => ['queue'], queue);
    for (let seq = 1; seq <= 50; seq++) fake.send({ seq, topics: ['orders'], progress: {} });
    expect(orders).not.toHaveBeenCalled();
    vi.advanceTimersByTime(MERGE_MS);
    expect(orders).toHaveBeenCalledOnce();
    expect(queue).not.toHaveBeenCalled();
  });

  it('wakes everyone after a gap in the numbering', () => {
    const { fake, live } = started();
    const queue = vi.fn();
    live.watch(() => ['queue'], queue);
    fake.send({ seq: 1, topics: ['orders'], progress: {} });
    fake.send({ seq: 2, topics: ['orders'], progress: {} });
    vi.advanceTimersByTime(MERGE_MS);
    expect(queue).not.toHaveBeenCalled();
    fake.send({ seq: 4, topics: ['orders'], progress: {} });
    vi.advanceTimersByTime(MERGE_MS);
    expect(queue).toHaveBeenCalledOnce();
  });

  it('wakes everyone when a lost stream is back', () => {
    const { fake, live } = started();
    const orders = vi.fn();
    live.watch(() => ['orders'], orders);
    fake.link('lost');
    expect(live.lostAt).not.toBe(0);
    fake.link('open');
    vi.advanceTimersByTime(MERGE_MS);
    expect(orders).toHaveBeenCalledOnce();
    expect(live.lostAt).toBe(0);
  });

  it('does not call the first number after a new start a gap', () => {
    const { fake, live } = started();
    const orders = vi.fn();
    live.watch(() => ['orders'], orders);
    fake.send({ seq: 900, topics: ['queue'], progress: {} });
    vi.advanceTimersByTime(MERGE_MS);
    expect(orders).not.toHaveBeenCalled();
  });

  it('moves bars without waking anyone', () => {
    const { fake, live } = started();
    const queue = vi.fn();
    live.watch(() => ['queue'], queue);
    const progress = { stage: 'fetch', done_bytes: 5, total_bytes: 10, bytes_per_s: 1 };
    fake.send({ seq: 1, topics: [], progress: { 7: progress } });
    vi.advanceTimersByTime(MERGE_MS);
    expect(live.progress.get(7)).toEqual(progress);
    expect(queue).not.toHaveBeenCalled();
    fake.send({ seq: 2, topics: [], progress: {} });
    expect(live.progress.has(7)).toBe(false);
  });

  it('forgets a watcher that has gone', () => {
    const { fake, live } = started();
    const orders = vi.fn();
    live.watch(() => ['orders'], orders)();
    fake.send({ seq: 1, topics: ['orders'], progress: {} });
    vi.advanceTimersByTime(MERGE_MS);
    expect(orders).not.toHaveBeenCalled();
  });
});

describe('a live list', () => {
  type Row = { id: number; text: string };
  const key = (row: Row): string => String(row.id);
  const rows = (...ids: number[]): Row[] => ids.map((id) => ({ id, text: `v${id}` }));

  it('takes fresh rows as they are while nobody touches it', () => {
    expect(mergeRows(rows(2, 1), rows(3, 2, 1), key, false)).toMatchObject({
      rows: rows(3, 2, 1),
      waiting: 0,
    });
  });

  it('changes shown rows in place and lets new ones wait while held', () => {
    const fresh = [{ id: 3, text: 'v3' }, { id: 2, text: 'changed' }, ...rows(1)];
    const merged = mergeRows(rows(2, 1), fresh, key, true);
    expect(merged.rows.map(key)).toEqual(['2', '1']);
    expect(merged.rows[0]?.text).toBe('changed');
    expect(merged.waiting).toBe(1);
  });

  it('keeps a row that left the list under the hand, marked as gone', () => {
    const merged = mergeRows(rows(3, 2, 1), rows(3, 1), key, true);
    expect(merged.rows.map(key)).toEqual(['3', '2', '1']);
    expect([...merged.gone]).toEqual(['2']);
  });

  it('does not count older rows as new', () => {
    const fresh = upTo(rows(4, 3, 2, 1, 0), rows(3, 2), key);
    expect(mergeRows(rows(3, 2), fresh, key, true).waiting).toBe(1);
  });
});
