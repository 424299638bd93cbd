/** Sample views of the whole shop. */
import type * as T from '../types';
import { minutesAgo } from './rows';
import { mockGlance, mockTunnelSettings } from './tunnel';
import type { Shop, Variant } from './shop';

export function mockOverview(shop: Shop): T.Overview {
  const { variant } = shop;
  const empty = variant === 'empty';
  const broken = variant === 'broken';
  const hours = Array.from({ length: 24 }, (_, hour) =>
    empty || hour < 6 || hour > 14 ? 0 : ((hour * 37) % 11) * 310_000,
  );
  const stages: Record<string, number> = {};
  for (const stage of [
    'pending',
    'paid',
    'processing',
    'completed',
    'failed',
    'expired',
    'cancelled',
    'refunded',
  ]) {
    stages[stage] = shop.orders.filter((order) => order.stage === stage).length;
  }
  return {
    shop: 'Khoá học An',
    demo: true,
    version: '0.1.0',
    stages,
    today: {
      date: new Date().toISOString().slice(0, 10),
      in_vnd: empty ? 0 : 18_463_000,
      in_before_vnd: empty ? 0 : 14_889_000,
      transfers: empty ? 0 : 37,
      paid: empty ? 0 : 31,
      paid_before: empty ? 0 : 25,
      awaiting: empty ? 0 : 5,
      completed: empty ? 0 : 27,
      completed_before: empty ? 0 : 27,
      delivery_p50_s: empty ? null : 9,
      delivery_p95_s: empty ? null : 41,
      hours_vnd: hours,
    },
    queue: shop.queue.counts,
    queue_sparkline: Array.from({ length: 60 }, (_, i) =>
      empty ? 0 : ([0, 0, 2, 1, 0, 4, 3, 0, 1, 6][(i * 7) % 10] ?? 0),
    ),
    money: {
      in_vnd: empty ? 0 : 18_463_000,
      orders_vnd: empty ? 0 : 13_829_000,
      wallets_vnd: empty ? 0 : 1_497_000,
      unmatched_vnd: empty ? 0 : 3_137_000,
      set_aside_vnd: 0,
      refunded_vnd: 0,
      adjusted_vnd: 0,
      difference_vnd: broken ? -10_000 : 0,
      transfers: empty ? 0 : 37,
      ledger_ok: !broken,
    },
    attention: empty
      ? []
      : [
          ...shop.failures.groups.map((group): T.Attention => ({ kind: 'failures', group })),
          {
            kind: 'unmatched',
            count: shop.book.unmatched().length,
            amount_vnd: shop.book.unmatched().reduce((sum, row) => sum + row.amount_vnd, 0),
            oldest_at: minutesAgo(4000),
          },
          ...(broken
            ? ([
                { kind: 'wrong_amount', count: 3 },
                { kind: 'undelivered', count: 2, oldest_at: minutesAgo(31) },
                { kind: 'secrets', code: 'secret_store_unavailable' },
              ] satisfies T.Attention[])
            : []),
        ],
    newest: shop.orders.slice(0, 10),
    last_transfer_at: empty ? null : minutesAgo(3),
    checklist: mockChecklist(variant),
    receiving: {
      state: empty ? 'not_set_up' : broken ? 'stopped' : 'ok',
      since: minutesAgo(12),
      webhook_url: 'http://127.0.0.1:8686/api/v1/payment/webhook',
      last_webhook_at: empty ? null : minutesAgo(3),
      rejected_24h: broken ? 14 : 0,
      tunnel: mockGlance(variant),
      woke: null,
    },
  };
}

export function mockQueue(variant: Variant, tasks: T.TaskRow[]): T.Queue {
  const empty = variant === 'empty';
  const n = (wanted: (task: T.TaskRow) => boolean): number => tasks.filter(wanted).length;
  const lane = (name: string, limit: number): T.LaneRow => ({
    name,
    ready: n((task) => task.lane === name && task.state === 'ready'),
    running: n((task) => task.lane === name && task.state === 'running'),
    scheduled: n((task) => task.lane === name && task.state === 'scheduled'),
    failed: n((task) => task.lane === name && task.state === 'failed'),
    limit,
    oldest_wait_ms: empty ? 0 : 14_000,
    per_minute: empty ? 0 : 6,
    paused_at: variant === 'broken' && name === 'course' ? minutesAgo(8) : null,
    resumes_at: variant === 'broken' && name === 'course' ? minutesAgo(-22) : null,
    reason: null,
  });
  const running = tasks.filter((task) => task.state === 'running');
  return {
    counts: {
      queued: n((task) => task.state === 'ready'),
      running: running.length,
      retrying: n((task) => task.state === 'scheduled' && task.attempt > 0),
      failed: n((task) => task.state === 'failed'),
      oldest_wait_ms: empty ? 0 : 14_000,
      workers: 4,
      busy: running.length,
      paused: variant === 'broken',
    },
    lanes: [lane('course', 2), lane('order', 4), lane('owner', 1)],
    workers: [1, 2, 3, 4].map((id) => {
      const task = running[id - 1];
      const hung = variant === 'broken' && id === 2;
      return {
        id,
        state: hung ? 'hung' : task ? 'busy' : 'idle',
        task: task ?? null,
        started_at: task ? minutesAgo(1.2) : null,
        seen_at: minutesAgo(hung ? 1.6 : 0),
        restarts: hung ? 2 : 0,
      };
    }),
    stale_refused: 0,
  };
}

export function mockChecklist(variant: Variant): T.Checklist {
  const bad = variant === 'broken';
  const row = (id: string, state: string, rest: Partial<T.CheckRow> = {}): T.CheckRow => ({
    id,
    state,
    checked_at: minutesAgo(30),
    ...rest,
  });
  const rows =
    variant === 'empty'
      ? [
          'bank',
          'sepay_key',
          'tunnel',
          'webhook',
          'sepay_api',
          'mail',
          'secrets',
          'course',
          'notifications',
        ].map((id) =>
          row(id, id === 'secrets' ? 'pass' : id === 'notifications' ? 'warn' : 'fail', {
            checked_at: null,
          }),
        )
      : [
          row('bank', 'pass', { detail: 'MBBank 0900000699' }),
          row('sepay_key', 'pass'),
          row('tunnel', bad ? 'fail' : 'pass', bad ? { code: 'tunnel_wrong_token' } : {}),
          row('webhook', 'pass'),
          row('sepay_api', 'pass'),
          row('mail', bad ? 'fail' : 'pass', bad ? { code: 'mail_auth' } : {}),
          row('secrets', bad ? 'fail' : 'pass', bad ? { code: 'secret_store_unavailable' } : {}),
          row('course', 'pass', { detail: '4' }),
          row('notifications', 'pass'),
        ];
  return { done: rows.filter((one) => one.state === 'pass').length, total: rows.length, rows };
}

export function mockSettings(variant: Variant): T.Settings {
  const empty = variant === 'empty';
  return {
    shop: { name: 'Khoá học An', language: 'vi' },
    sepay: {
      webhook_url: 'http://127.0.0.1:8686/api/v1/payment/webhook',
      last_webhook_at: empty ? null : minutesAgo(3),
      timestamp_tolerance_s: 300,
    },
    bank_accounts: empty
      ? []
      : [
          {
            id: 1,
            bank: 'MBBank',
            bin: '970422',
            account: '0900000699',
            holder: 'NGUYEN VAN AN',
            virtual_account: null,
            memo_prefix: null,
            preferred: true,
          },
        ],
    mail: {
      transport: variant === 'broken' ? 'smtp' : 'mailbox',
      host: 'smtp.example.com',
      port: 587,
      tls: 'starttls',
      user: 'shop@example.com',
      from: 'Khoá học An <shop@example.com>',
    },
    tunnel: mockTunnelSettings(variant),
    workers: { count: 4, lease_s: 30, retry_base_s: 20, retry_max: 8 },
    orders: { expire_after_min: 1440, tolerance_vnd: 0, link_days: 30, link_max_downloads: 10 },
    notifications: { desktop: true, quiet_from: '22:00', quiet_to: '07:00' },
    channels: {
      desktop_about: 'all',
      telegram_chat: empty ? '' : '987654321',
      telegram_about: 'needs_owner',
      webhook_url: '',
      webhook_about: 'all',
      webhook_private: false,
      mail_to: '',
      mail_about: 'stopped',
    },
    backup: { daily: true, at: '03:00', keep: 14, folder: '' },
    limits: {
      enabled: true,
      visitor_per_s: 20,
      visitors_per_s: 300,
      refused_per_s: 5,
      key_per_s: 100,
      connections: 512,
    },
    access: { allowed_hosts: [], client_ip_header: '', allowed_ips: [] },
    secrets: [
      { name: 'sepay.api_key', set: !empty, hint: empty ? null : '6789' },
      { name: 'sepay.hmac_secret', set: false, hint: null },
      { name: 'smtp.password', set: !empty, hint: null },
    ],
    secret_store: 'keyring',
  };
}
