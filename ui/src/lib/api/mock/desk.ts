/** Sample catalogue, services, workers on other machines and connections. */
import type * as T from '../types';
import { MockProblem } from './problem';
import { minutesAgo } from './rows';
import type { Variant } from './shop';

const DAY = 1440;

export function mockCourses(variant: Variant = 'full'): T.CourseRow[] {
  const broken = variant === 'broken';
  const course = (
    slug: string,
    title: string,
    price_vnd: number,
    rest: Partial<T.CourseRow> = {},
  ): T.CourseRow => ({
    slug,
    title,
    price_vnd,
    source: { kind: 'folder', path: `/courses/${slug}` },
    target: { kind: 'folder' },
    enrolment: null,
    active: true,
    version: 3,
    ready: true,
    bytes: 412_000_000,
    files: 37,
    sold: 120,
    sold_30d: 31,
    failed_30d_percent: 0,
    description: '',
    access_days: 0,
    preparation: null,
    check: { at: minutesAgo(310), state: 'same', files: 0, error: null, queued_version: null },
    ...rest,
  });
  return [
    course('rust-co-ban', 'Rust cơ bản', 499_000, {
      description: 'Từ dòng đầu tiên đến chương trình chạy được.\n12 bài, mỗi bài một bài tập.',
      sold: 218,
    }),
    course('thiet-ke-giao-dien', 'Thiết kế giao diện', 799_000, {
      source: { kind: 'http', url: 'https://kho.example.com/thiet-ke/', secret: 'source.kho' },
      target: { kind: 'drive' },
      enrolment: {
        kind: 'recipe',
        name: 'moodle',
        base_url: 'https://hoc.example.com',
        course: '42',
        secret: 'lms.truong',
      },
      access_days: 365,
      version: 7,
      sold: 103,
      sold_30d: 12,
      failed_30d_percent: broken ? 18 : 3,
    }),
    course('tieng-nhat-n3', 'Tiếng Nhật N3', 1_290_000, {
      source: { kind: 'rclone', remote: 'kho', path: 'tieng-nhat/n3' },
      preparation: { task: 9007, version: 4, state: 'running', code: null },
      check: { at: minutesAgo(4), state: 'changed', files: 3, error: null, queued_version: null },
      sold: 86,
      sold_30d: 9,
    }),
    course('ban-hang-online', 'Bán hàng online từ con số không đến đơn thứ một nghìn', 349_000, {
      ready: false,
      version: 1,
      bytes: null,
      files: null,
      sold: 0,
      sold_30d: 0,
      preparation: broken ? { task: 8970, version: 1, state: 'failed', code: 'source_unreachable' } : null,
      check: null,
    }),
    course('excel-truc-tuyen', 'Excel trực tuyến', 259_000, {
      source: { kind: 'none' },
      enrolment: {
        kind: 'recipe',
        name: 'moodle',
        base_url: 'https://hoc.example.com',
        course: '57',
        secret: 'lms.truong',
      },
      access_days: 180,
      version: 1,
      bytes: 0,
      files: 0,
      check: null,
      sold: 19,
      sold_30d: 6,
    }),
    course('ky-nang-ghi-chep', 'Kỹ năng ghi chép', 149_000, { active: false, sold: 412, sold_30d: 0 }),
  ];
}

function task(state: T.TaskState): T.TaskRow {
  return {
    id: 9050,
    kind: 'test_delivery',
    lane: 'order',
    state,
    stage: 'mail',
    attempt: 1,
    max_attempt: 3,
    vip: false,
    waiting_for_course: false,
    created_at: minutesAgo(42),
    finished_at: minutesAgo(41),
    course: 'Rust cơ bản',
  } as T.TaskRow;
}

export function mockCourse(slug: string, variant: Variant): T.CourseDetail {
  const course = mockCourses(variant).find((row) => row.slug === slug);
  if (!course) throw new MockProblem(404, 'not_found', slug);
  const versions = course.ready
    ? [course.version, course.version - 1].map((version, i) => ({
        version,
        files: 37 - i * 2,
        bytes: 412_000_000 - i * 30_000_000,
        ready_at: minutesAgo(DAY * (3 + i * 40)),
        orders: i === 0 ? 84 : 134,
      }))
    : [];
  if (course.source.kind === 'none')
    versions.splice(0, 2, { version: 1, files: 0, bytes: 0, ready_at: minutesAgo(DAY * 3), orders: 19 });
  const past = course.ready && course.version === 3;
  return {
    course,
    versions,
    prices: [
      { price_vnd: course.price_vnd, from_at: minutesAgo(DAY * 30) },
      { price_vnd: course.price_vnd + 100_000, from_at: minutesAgo(DAY * 200) },
    ],
    test: course.ready
      ? { email: 'an@example.com', task: task(variant === 'broken' ? 'failed' : 'done') }
      : null,
    bundles: slug === 'rust-co-ban' ? [{ slug: 'tron-bo', title: 'Trọn bộ lập trình' }] : [],
    past: {
      version: course.version,
      orders: past ? 134 : 0,
      buyers: past ? 121 : 0,
      told: 0,
      busy: past ? 2 : 0,
      over: past ? 5 : 0,
      queued: 0,
    },
  };
}

export function mockBundles(): T.BundleRow[] {
  return [
    {
      slug: 'tron-bo',
      title: 'Trọn bộ lập trình',
      description: '',
      price_vnd: 1_090_000,
      active: true,
      courses: [
        { slug: 'rust-co-ban', title: 'Rust cơ bản' },
        { slug: 'thiet-ke-giao-dien', title: 'Thiết kế giao diện' },
      ],
      apart_vnd: 1_298_000,
      sold: 27,
    },
  ];
}

export function mockServices(variant: Variant): T.Services {
  const service = (name: string, rest: Partial<T.ServiceRow> = {}): T.ServiceRow => ({
    name,
    state: 'open',
    waiting: 0,
    in_use: 0,
    at_once: 4,
    today: 0,
    per_day: null,
    ...rest,
  });
  if (variant === 'empty') return { services: [] };
  const broken = variant === 'broken';
  return {
    services: [
      service(
        'drive',
        broken
          ? { state: 'parked', code: 'drive_reconnect', since: minutesAgo(33), waiting: 14 }
          : { in_use: 2 },
      ),
      service('drive_sharing', {
        state: 'parked',
        code: 'drive_sharing_quota',
        since: minutesAgo(12),
        until: minutesAgo(-48),
        waiting: 6,
        at_once: 1,
        today: 412,
        per_day: 500,
      }),
      service(
        'lms:truong',
        broken
          ? {
              state: 'broken',
              code: 'lms_unreachable',
              since: minutesAgo(7),
              until: minutesAgo(-3),
              waiting: 2,
            }
          : {},
      ),
      service(
        'smtp',
        broken
          ? { state: 'paused', reason: 'Đổi nhà cung cấp thư', since: minutesAgo(90), waiting: 31 }
          : { in_use: 1 },
      ),
    ],
  };
}

export function mockWorkers(variant: Variant): T.Page<T.ExternalWorker> {
  if (variant === 'empty') return { rows: [] };
  return {
    rows: [
      {
        name: 'may-kho',
        key_id: 'k1',
        state: 'working',
        created_at: minutesAgo(DAY * 12),
        seen_at: minutesAgo(0.1),
        tasks: [
          {
            task: 9007,
            course: 'Tiếng Nhật N3',
            stage: 'fetch',
            started_at: minutesAgo(6),
            lease_until: minutesAgo(-0.4),
            progress: {
              stage: 'fetch',
              item: 'bai-12.mp4',
              done_bytes: 220_000_000,
              total_bytes: 412_000_000,
              bytes_per_s: 9_000_000,
              eta_s: 21,
            },
          },
        ],
      },
      {
        name: 'laptop-cu',
        key_id: 'k2',
        state: variant === 'broken' ? 'away' : 'here',
        created_at: minutesAgo(DAY * 2),
        seen_at: minutesAgo(variant === 'broken' ? 190 : 1),
        previous_until: minutesAgo(-600),
        tasks: [],
      },
    ],
  };
}

export function mockRecipes(): T.Page<T.RecipeRow> {
  return {
    rows: ['Moodle', 'Teachable', 'Thinkific', 'Canvas', 'Open edX'].map((title) => ({
      name: title.toLowerCase().replace(' ', '_'),
      title,
      about: 'Make an API token with the right to enrol users.',
      base_url: null,
      course: 'The number in the address of the course.',
      secrets: [{ name: 'main', about: 'API token', default: null }],
      fields: [],
      can_unenrol: true,
    })),
  };
}

export function mockGoogle(variant: Variant): T.Google {
  if (variant === 'empty') return { state: 'off', client_id: '', secret_set: false };
  const base = {
    client_id: '1234567890-abc.apps.googleusercontent.com',
    secret_set: true,
    email: 'an@example.com',
  };
  if (variant === 'broken')
    return { ...base, state: 'reconnect', code: 'drive_reconnect', detail: 'invalid_grant' };
  return { ...base, state: 'connected', used_bytes: 11_400_000_000, limit_bytes: 15_000_000_000 };
}

export function mockSource(source: T.Spec): T.SourceListing {
  if (source.kind === 'program') return { listed: false, files: 0, bytes: 0, first: [] };
  if (source['path'] === '' || source['url'] === '')
    throw new MockProblem(400, 'bad_request', 'source: missing field');
  return {
    listed: true,
    files: 37,
    bytes: 412_000_000,
    first: Array.from({ length: 6 }, (_, i) => ({
      path: `bai-${String(i + 1).padStart(2, '0')}.mp4`,
      bytes: 11_000_000,
    })),
  };
}
