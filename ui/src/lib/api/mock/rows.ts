/** Sample rows: many names with stacked marks, every stage, every kind of trouble. */
import type * as T from '../types';

export const minutesAgo = (n: number): string => new Date(Date.now() - n * 60_000).toISOString();
export const code = (n: number): string => `DH${120_000 + n}`;

const NAMES = [
  'Nguyễn Đức Thắng Ẩn Ễnh Ỗ Ữ',
  'Trần Thị Ẩn',
  'Lê Hoàng Ngữ',
  'Phạm Quỳnh Ỗ',
  'Vũ Minh Khôi',
  'Đặng Thuỳ Dương',
  'Bùi Xuân Phái',
  'Hoàng Ngọc Ánh Tuyết',
  'Võ Tấn Lộc',
  'Đỗ Hữu Nghĩa',
];
const TITLES = [
  'Rust cơ bản',
  'Thiết kế giao diện',
  'Tiếng Nhật N3',
  'Bán hàng online từ con số không đến đơn thứ một nghìn',
];
const PRICES = [499_000, 799_000, 1_290_000, 349_000];
const STAGES: T.Stage[] = [
  'processing',
  'completed',
  'processing',
  'pending',
  'failed',
  'completed',
  'completed',
  'expired',
  'paid',
  'cancelled',
  'refunded',
  'completed',
];

export function mockOrders(): T.OrderRow[] {
  return Array.from({ length: 140 }, (_, i) => {
    const stage = i < STAGES.length ? (STAGES[i] ?? 'completed') : 'completed';
    const course = i % 4;
    const total = PRICES[course] ?? 499_000;
    const paid = ['pending', 'expired', 'cancelled'].includes(stage) ? 0 : total;
    return {
      code: code(461 - i),
      customer: {
        id: i,
        name: NAMES[i % NAMES.length] ?? '',
        email: `khach${i}@example.com`,
        phone: i % 3 === 0 ? '+84912345678' : null,
      },
      summary: TITLES[course] ?? '',
      stage,
      flags: i === 0 ? ['overpaid'] : i === 6 ? ['late'] : i === 8 ? ['underpaid', 'paid_twice'] : [],
      total_vnd: total,
      paid_vnd: i === 0 ? total + 10_000 : paid,
      vip: i === 5,
      created_at: minutesAgo(i * 19 + 2),
      paid_at: paid > 0 ? minutesAgo(i * 19 + 1) : null,
      completed_at: stage === 'completed' ? minutesAgo(i * 19) : null,
      retry_at: i === 2 ? new Date(Date.now() + 42_000).toISOString() : null,
    };
  });
}

export const DETAIL = 'GET http://127.0.0.1:8099/rust/manifest.json: 404 Not Found';

export function mockTasks(): T.TaskRow[] {
  const of = (id: number, rest: Partial<T.TaskRow>): T.TaskRow => ({
    id,
    kind: 'deliver_order',
    lane: 'order',
    state: 'done',
    stage: 'mail',
    attempt: 0,
    max_attempt: 8,
    vip: false,
    order: code(461 - (id % 40)),
    course: null,
    waiting_for_course: false,
    created_at: minutesAgo(9010 - id),
    started_at: minutesAgo(9009 - id),
    finished_at: minutesAgo(9008 - id),
    ...rest,
  });
  const error = (name: string, detail: string, kind = 'permanent'): T.ErrorText => ({
    code: name,
    class: kind,
    detail,
  });
  const failed = Array.from({ length: 16 }, (_, i) =>
    of(8980 - i, {
      state: 'failed',
      kind: i < 4 ? 'prepare_course' : 'deliver_order',
      lane: i < 4 ? 'course' : 'order',
      stage: i < 4 ? 'fetch' : 'mail',
      order: i < 4 ? null : code(440 - i),
      course: i < 4 ? TITLES[i] : null,
      attempt: i < 4 ? 1 : 8,
      error:
        i < 4
          ? error('source_not_found', DETAIL)
          : error('mail_auth', '535 5.7.8 Username and Password not accepted', 'transient'),
    }),
  );
  return [
    of(9007, {
      state: 'running',
      kind: 'prepare_course',
      lane: 'course',
      stage: 'fetch',
      order: null,
      course: TITLES[3],
      attempt: 1,
      started_at: minutesAgo(1),
      finished_at: null,
      progress: {
        stage: 'fetch',
        done_bytes: 254_000_000,
        total_bytes: 412_000_000,
        bytes_per_s: 18_400_000,
        eta_s: 9,
        item: 'Bài 07 – Chốt đơn qua livestream.mp4',
      },
    }),
    of(9006, {
      state: 'running',
      stage: 'share',
      attempt: 1,
      order: code(461),
      started_at: minutesAgo(0),
      finished_at: null,
      vip: true,
    }),
    of(9005, { state: 'ready', order: code(455), started_at: null, finished_at: null }),
    of(9004, {
      state: 'scheduled',
      attempt: 3,
      order: code(459),
      stage: 'share',
      run_at: new Date(Date.now() + 42_000).toISOString(),
      started_at: null,
      finished_at: null,
      error: error('source_server_error', '503 Service Unavailable', 'transient'),
    }),
    of(9003, {
      state: 'scheduled',
      waiting_for_course: true,
      order: code(453),
      started_at: null,
      finished_at: null,
    }),
    ...failed,
    ...Array.from({ length: 90 }, (_, i) => of(8950 - i, {})),
  ];
}

export function mockFailures(variant: string): T.Failures {
  if (variant === 'empty') return { groups: [], failed: 0, retrying: 0, last_resolved_at: minutesAgo(2000) };
  return {
    failed: 16,
    retrying: 1,
    last_resolved_at: minutesAgo(300),
    groups: [
      {
        group: 'deliver_order:mail:mail_auth',
        kind: 'deliver_order',
        stage: 'mail',
        error: {
          code: 'mail_auth',
          class: 'transient',
          detail: '535 5.7.8 Username and Password not accepted',
        },
        count: 12,
        orders: 12,
        amount_vnd: 5_988_000,
        first_at: minutesAgo(190),
        last_at: minutesAgo(12),
        sample_orders: [code(436), code(435), code(434)],
        sample_courses: [],
      },
      {
        group: 'prepare_course:fetch:source_not_found',
        kind: 'prepare_course',
        stage: 'fetch',
        error: { code: 'source_not_found', class: 'permanent', detail: DETAIL },
        count: 4,
        orders: 4,
        amount_vnd: 1_996_000,
        first_at: minutesAgo(38),
        last_at: minutesAgo(25),
        sample_orders: [code(457)],
        sample_courses: ['Rust cơ bản'],
      },
    ],
  };
}

export function mockNotices(): T.Notice[] {
  return [
    {
      id: 4,
      class: 2,
      kind: 'task_failed',
      data: { code: 'mail_auth', task_kind: 'deliver_order' },
      count: 12,
      first_at: minutesAgo(190),
      last_at: minutesAgo(12),
      state: 'new',
      route: '/failures',
    },
    {
      id: 3,
      class: 1,
      kind: 'worker_hung',
      data: { course: 'Rust cơ bản', stage: 'fetch' },
      count: 1,
      first_at: minutesAgo(70),
      last_at: minutesAgo(70),
      state: 'new',
      route: '/queue',
    },
    {
      id: 2,
      class: 2,
      kind: 'task_failed',
      data: { code: 'source_not_found', course: 'Rust cơ bản' },
      count: 4,
      first_at: minutesAgo(38),
      last_at: minutesAgo(25),
      state: 'seen',
      route: '/failures',
    },
    {
      id: 1,
      class: 2,
      kind: 'mail_stopped',
      data: { code: 'mail_unreachable' },
      count: 1,
      first_at: minutesAgo(1500),
      last_at: minutesAgo(1500),
      state: 'resolved',
      route: '/settings',
    },
  ];
}

export function mockMailbox(): T.MailboxMessage[] {
  return [0, 1, 2].map((i) => ({
    file: `000${i}.eml`,
    to: `khach${i}@example.com`,
    subject: `Khoá học ${TITLES[i]} của bạn đã sẵn sàng`,
    at: minutesAgo(10 + i * 90),
    text: `Chào ${NAMES[i]},\n\nKhoá học của bạn: http://127.0.0.1:8686/d/abc${i}\n`,
    html: `<div style="font:15px/1.5 sans-serif;padding:24px"><h2>Chào ${NAMES[i]}</h2><p>Khoá học <b>${TITLES[i]}</b> đã sẵn sàng.</p><p><a href="http://127.0.0.1:8686/d/abc${i}">Tải khoá học</a></p></div>`,
  }));
}

/** A grid of squares in the shape of a QR code; it cannot be scanned. */
export function fakeQr(): string {
  const cells: string[] = [];
  for (let y = 0; y < 25; y++)
    for (let x = 0; x < 25; x++) if ((x * 7 + y * 13 + x * y) % 3 === 0) cells.push(`M${x} ${y}h1v1h-1z`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-2 -2 29 29"><rect x="-2" y="-2" width="29" height="29" fill="#fff"/><path d="${cells.join('')}"/></svg>`;
}

export function detailOf(order: T.OrderRow): T.OrderDetail {
  const paid = order.paid_vnd > 0;
  const row = (
    id: number,
    at: number,
    kind: string,
    data: Record<string, unknown> = {},
    actor = 'system',
  ): T.TimelineRow => ({ id, at: minutesAgo(at), kind, data, actor });
  const timeline = [row(1, 9, 'created', {}, 'storefront')];
  if (paid) {
    timeline.push(
      row(2, 3, 'transfer', {
        sepay_id: 92_702,
        gateway: 'MBBank',
        reference: 'FT26326104471',
        amount_vnd: order.paid_vnd,
      }),
      row(3, 3, 'matched', { level: 'exact' }),
      row(4, 3, 'booked', {
        amount_vnd: order.paid_vnd,
        paid_vnd: order.paid_vnd,
        total_vnd: order.total_vnd,
      }),
    );
    if (order.flags.includes('overpaid')) timeline.push(row(5, 3, 'overpaid', { difference_vnd: 10_000 }));
    timeline.push(row(6, 3, 'course_ready', { course: order.summary }));
  }
  if (order.stage === 'processing' || order.stage === 'failed') {
    timeline.push(
      row(7, 2.9, 'attempt_failed', {
        task: 'deliver_order',
        stage: 'share',
        code: 'target_unwritable',
        attempt: 1,
        max: 8,
        retry_at: minutesAgo(2.6),
      }),
    );
  }
  if (order.stage === 'failed')
    timeline.push(row(8, 2, 'failed', { task: 'deliver_order', stage: 'share', code: 'target_unwritable' }));
  if (order.stage === 'completed') {
    timeline.push(
      row(9, 2, 'shared', { course: order.summary }),
      row(10, 2, 'mail_sent', { recipient: order.customer.email }),
      row(11, 2, 'completed'),
    );
  }
  timeline.push(row(12, 1, 'note', { text: 'Khách hẹn tối nay chuyển nốt.' }, 'owner'));
  const task = mockTasks().find((one) => one.id === (order.stage === 'failed' ? 8980 : 9006));
  const open = order.stage === 'processing' || order.stage === 'failed';
  return {
    order,
    deliver_to: order.customer.email,
    access:
      order.stage === 'completed'
        ? [
            {
              course: order.summary,
              kind: 'drive',
              email: order.customer.email,
              state: 'granted',
              since: minutesAgo(2),
              expires_at: null,
            },
          ]
        : [],
    note: '',
    channel: 'storefront',
    expires_at: minutesAgo(-1400),
    items: [
      {
        course: 'rust-co-ban',
        title: order.summary,
        price_vnd: order.total_vnd,
        delivery:
          order.stage === 'completed'
            ? 'delivered'
            : order.stage === 'failed'
              ? 'failed'
              : paid
                ? 'sharing'
                : 'waiting',
        version: order.stage === 'completed' ? 3 : null,
        link: order.stage === 'completed' ? 'http://127.0.0.1:8686/d/eyJhbGciOiJIUzI1NiJ9.k2' : null,
      },
    ],
    payment: {
      bank: 'MBBank',
      bin: '970422',
      account: '0900000699',
      holder: 'NGUYEN VAN AN',
      memo: order.code,
      amount_vnd: order.total_vnd,
      vietqr: '000201',
      pay_url: `http://127.0.0.1:8686/pay/${order.code}?t=x`,
      qr_svg: fakeQr(),
    },
    timeline,
    tasks: open && task ? [{ ...task, order: order.code }] : [],
    transfers: [],
    mails:
      order.stage === 'completed'
        ? [
            {
              id: 1,
              recipient: order.customer.email,
              subject: `Khoá học ${order.summary}`,
              state: 'sent',
              created_at: minutesAgo(2),
              sent_at: minutesAgo(2),
            },
          ]
        : [],
    actions: [
      ...(order.stage === 'failed' ? ['retry', 'cancel'] : []),
      ...(order.stage === 'completed' ? ['redeliver', 'resend', 'copy_link'] : []),
      ...(['pending', 'paid', 'processing', 'completed', 'failed'].includes(order.stage)
        ? ['change_email']
        : []),
      ...(order.stage === 'pending' ? ['mark_paid', 'pay_from_wallet', 'cancel'] : []),
      ...(order.stage === 'expired' ? ['mark_paid'] : []),
      ...(order.flags.includes('overpaid') ? ['surplus'] : []),
      ...(paid && order.stage !== 'refunded' ? ['refund'] : []),
    ],
    held_vnd: order.stage === 'refunded' ? 0 : order.paid_vnd,
    surplus_vnd: order.flags.includes('overpaid') ? order.paid_vnd - order.total_vnd : 0,
    refunded_vnd: order.stage === 'refunded' ? order.paid_vnd : 0,
  };
}

export function taskDetail(task: T.TaskRow): T.TaskDetail {
  const names = task.kind === 'prepare_course' ? ['fetch', 'upload', 'verify'] : ['share', 'mail'];
  const here = names.indexOf(task.stage);
  return {
    task,
    stages: names.map((stage, i) => ({
      stage,
      state: task.state === 'done' || i < here ? 'done' : i === here ? 'current' : 'next',
      ended_at: task.state === 'done' || i < here ? minutesAgo(3) : null,
    })),
    attempts: task.error
      ? [0, 1].map((i) => ({
          stage: task.stage,
          started_at: minutesAgo(14 + i * 20),
          ended_at: minutesAgo(13 + i * 20),
          error: task.error ?? { code: 'internal', class: 'transient', detail: '' },
        }))
      : [],
    waiting_orders: task.kind === 'prepare_course' ? 4 : 0,
    lease_epoch: 7,
    dedupe_key: task.order ? `deliver:${task.order}` : null,
    actions:
      task.state === 'failed'
        ? ['retry', 'cancel']
        : ['ready', 'scheduled', 'running'].includes(task.state)
          ? ['cancel', 'priority']
          : [],
  };
}
