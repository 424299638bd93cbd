/** Sample health, log lines, copies and diagnostics. */
import type * as T from '../types';
import { minutesAgo } from './rows';
import type { Variant } from './shop';

const CARDS: [string, string | null, string | null, string | null][] = [
  ['tunnel', null, null, null],
  ['webhook', null, null, null],
  ['sepay_api', 'sepay_token_wrong', null, 'reconcile'],
  ['workers', 'lanes_paused', 'order', 'resume'],
  ['delivery', 'mail_auth', 'smtp', '/queue'],
  ['channels', 'telegram_unauthorized', 'telegram', '/settings?section=channels'],
  ['database', null, null, null],
  ['disk', 'disk_low', '1403 MB', '/settings?section=backup'],
  ['backup', 'backup_failed', null, 'backup'],
  ['clock', null, '0 s', null],
];

export function mockHealth(variant: Variant): T.HealthPage {
  const broken = variant === 'broken';
  return {
    version: '0.1.0',
    uptime_s: 183_400,
    cards: CARDS.map(([id, code, detail, fix], at) => {
      const bad = broken && code !== null;
      const state = bad ? (at % 2 === 0 ? 'fail' : 'warn') : 'ok';
      return {
        id,
        state,
        since: minutesAgo(bad ? 42 : 3000),
        code: bad ? code : null,
        detail: bad || id === 'clock' ? detail : null,
        fix: bad ? fix : null,
        hours: Array.from({ length: 24 }, (_, hour) =>
          variant === 'empty' && hour < 22
            ? 'none'
            : bad && hour > 20
              ? state
              : hour === 9 && at === 1
                ? 'warn'
                : 'ok',
        ),
      };
    }),
  };
}

const SAID: [string, string, string, Record<string, string>][] = [
  [
    'info',
    'http',
    'transfer',
    { sepay_id: '93', amount_vnd: '499000', outcome: 'paid', order_code: 'DH120461' },
  ],
  ['warn', 'workers', 'a stage failed', { task_id: '8970', stage: 'mail', attempt: '2', code: 'mail_auth' }],
  ['error', 'services', 'a service is left alone', { service: 'smtp', code: 'mail_auth' }],
  ['info', 'backup', 'a backup was made and checked', { bytes: '41200000', orders: '1204' }],
  ['debug', 'reconcile', 'SePay asks to wait', { seconds: '2' }],
];

export function mockLogs(variant: Variant, filters: URLSearchParams): T.LogPage {
  const many = variant === 'empty' || filters.has('after') ? 0 : 120;
  const rows = Array.from({ length: many }, (_, at) => {
    const [level = 'info', component = '', message = '', fields = {}] = SAID[at % SAID.length] ?? [];
    return { seq: at + 1, at: minutesAgo(120 - at), level, component, message, fields };
  });
  const [level, component] = [filters.get('level'), filters.get('component')];
  return {
    rows: rows.filter(
      (row) =>
        (!component || row.component === component) && (!level || level === 'info' || row.level === level),
    ),
    more: many > 0,
    components: ['backup', 'http', 'reconcile', 'services', 'workers'],
    level: 'info',
    folder: '/var/lib/chotdon/logs',
  };
}

export function mockBackups(variant: Variant): T.Backups {
  const empty = variant === 'empty';
  return {
    rows: empty
      ? []
      : [420, 1860, 3300].map((minutes, at) => ({
          name: `2026-11-${22 - at}-030000.chotdon-backup.db`,
          at: minutesAgo(minutes),
          bytes: 41_200_000 - at * 300_000,
        })),
    folder: '/var/lib/chotdon/backups',
    last_at: empty ? null : minutesAgo(420),
    code: variant === 'broken' ? 'backup_no_space' : null,
    detail: variant === 'broken' ? 'the copy needs about 58 MB and the disk has 12 MB free' : null,
    pending: variant === 'broken' ? mockContents() : null,
  };
}

export function mockContents(): T.BackupContents {
  return {
    made_at: minutesAgo(420),
    orders: 1204,
    customers: 861,
    courses: 5,
    transfers: 1377,
    open_tasks: 3,
  };
}

export function mockDiagnostics(): T.Diagnostics {
  const file = (name: string, beginning: string): T.Diagnostics['files'][number] => ({
    name,
    bytes: beginning.length * 40,
    beginning,
  });
  return {
    files: [
      file('versions.json', '{\n  "version": "0.1.0",\n  "os": "linux"\n}'),
      file('settings.json', '{\n  "mail": { "from": "set", "port": 587 }\n}'),
      file('log.jsonl', '{"level":"INFO","message":"transfer","sepay_id":93}\n'),
      file('health.json', '{\n  "cards": []\n}'),
      file('metrics.txt', 'chotdon_orders{stage="completed"} 1204\n'),
    ],
    summary: 'ChotDon 0.1.0 · linux x86_64',
  };
}
