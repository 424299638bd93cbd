/** Small rows for component tests. */
import type { FailureGroup, OrderRow, Overview, TaskRow } from '../src/lib/api/types';

export function orderRow(code: string, rest: Partial<OrderRow> = {}): OrderRow {
  return {
    code,
    customer: { id: 1, name: 'Nguyễn Đức Thắng', email: 'thang@example.com', phone: null },
    summary: 'Rust cơ bản',
    stage: 'pending',
    flags: [],
    total_vnd: 499000,
    paid_vnd: 0,
    vip: false,
    created_at: '2026-11-22T00:34:12Z',
    ...rest,
  };
}

export function taskRow(id: number, rest: Partial<TaskRow> = {}): TaskRow {
  return {
    id,
    kind: 'deliver_order',
    lane: 'order',
    state: 'failed',
    stage: 'mail',
    attempt: 8,
    max_attempt: 8,
    vip: false,
    order: 'DH123456',
    course: null,
    waiting_for_course: false,
    created_at: '2026-11-22T00:34:12Z',
    error: { code: 'mail_auth', class: 'permanent', detail: '535 refused' },
    ...rest,
  };
}

export function failureGroup(group: string, count: number): FailureGroup {
  return {
    group,
    kind: 'deliver_order',
    stage: 'mail',
    error: { code: 'mail_auth', class: 'permanent', detail: '535 refused' },
    count,
    orders: count,
    amount_vnd: 499000,
    first_at: '2026-11-22T00:00:00Z',
    last_at: '2026-11-22T00:34:12Z',
    sample_orders: ['DH123456'],
    sample_courses: [],
  };
}

export function overview(rest: Partial<Overview> = {}): Overview {
  return {
    shop: 'Khoá học An',
    demo: true,
    version: '0.1.0',
    stages: { pending: 1 },
    today: {
      date: '2026-11-22',
      in_vnd: 0,
      in_before_vnd: 0,
      transfers: 0,
      paid: 0,
      paid_before: 0,
      awaiting: 1,
      completed: 0,
      completed_before: 0,
      hours_vnd: Array<number>(24).fill(0),
    },
    queue: {
      queued: 0,
      running: 0,
      retrying: 0,
      failed: 0,
      oldest_wait_ms: 0,
      workers: 2,
      busy: 0,
      paused: false,
    },
    queue_sparkline: [],
    money: {
      in_vnd: 0,
      orders_vnd: 0,
      wallets_vnd: 0,
      unmatched_vnd: 0,
      set_aside_vnd: 0,
      refunded_vnd: 0,
      adjusted_vnd: 0,
      difference_vnd: 0,
      transfers: 0,
      ledger_ok: true,
    },
    attention: [],
    newest: [orderRow('DH123456')],
    checklist: { done: 7, total: 7, rows: [] },
    receiving: {
      state: 'ok',
      since: '2026-11-22T00:00:00Z',
      webhook_url: 'http://127.0.0.1/hook',
      rejected_24h: 0,
      tunnel: { kind: 'none', state: 'off', since: '2026-11-22T00:00:00Z' },
    },
    ...rest,
  };
}
