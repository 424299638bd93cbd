/** The sample shop behind the mock transport: answers the admin API and plays one payment when asked. */
import type { Answer, Link } from '../transport';
import type * as T from '../types';
import {
  code,
  detailOf,
  minutesAgo,
  mockFailures,
  mockMailbox,
  mockNotices,
  mockOrders,
  mockTasks,
  taskDetail,
} from './rows';
import {
  mockBundles,
  mockCourse,
  mockCourses,
  mockGoogle,
  mockRecipes,
  mockServices,
  mockSource,
  mockWorkers,
} from './desk';
import { MockMails } from './mails';
import { MoneyBook } from './money';
import { mockBackups, mockContents, mockDiagnostics, mockHealth, mockLogs } from './ops';
import { MockProblem } from './problem';
import { MockStorefront } from './storefront';
import { mockTunnel } from './tunnel';
import { mockOverview, mockQueue, mockSettings, mockChecklist } from './views';

export type Variant = 'full' | 'empty' | 'broken';

export function problemBody(error: unknown): Answer {
  const known = error instanceof MockProblem ? error : new MockProblem(500, 'internal', String(error));
  const body: T.Problem = {
    type: 'about:blank',
    title: known.code,
    status: known.status,
    code: known.code,
    detail: known.message,
  };
  return { status: known.status, contentType: 'application/problem+json', body: JSON.stringify(body) };
}

export class Shop {
  orders: T.OrderRow[];
  tasks: T.TaskRow[];
  failures: T.Failures;
  settings: T.Settings;
  notices: T.Notice[];
  queue: T.Queue;
  book: MoneyBook;
  mails: MockMails;
  storefront: MockStorefront;
  #seq = 0;
  #send: ((event: T.Event) => void) | undefined;

  constructor(
    readonly variant: Variant,
    readonly moving: boolean,
  ) {
    const full = variant !== 'empty';
    this.orders = full ? mockOrders() : [];
    this.tasks = full ? mockTasks() : [];
    this.failures = mockFailures(variant);
    this.settings = mockSettings(variant);
    this.notices = full ? mockNotices() : [];
    this.queue = mockQueue(variant, this.tasks);
    this.mails = new MockMails(variant);
    this.storefront = new MockStorefront(variant);
    this.book = new MoneyBook(variant, () => this.orders);
  }

  answer(method: string, path: string, body: unknown): unknown {
    const url = new URL(path, 'http://mock');
    const parts = url.pathname.split('/').slice(3).map(decodeURIComponent);
    const [first = '', second = '', third = ''] = parts;
    if (this.variant === 'broken' && ['failures', 'tasks'].includes(first) && method === 'GET') {
      throw new MockProblem(500, 'internal', 'database is locked (5): SELECT … FROM task');
    }
    if (first === 'mail-templates') return this.#mail(method, parts.slice(1), body);
    if (first === 'storefront') return this.storefront.answer(method, parts.slice(1), body);
    if (first === 'secrets' && third === 'rotate')
      return { name: second, value: 'whsec_c2FtcGxl', previous_until: null } satisfies T.KeyRotated;
    if (method === 'GET') return this.#get(first, second, url.searchParams);
    if (method === 'POST') return this.#post(first, second, third, body);
    if (method === 'PUT' && first === 'courses') return mockCourse('rust-co-ban', this.variant).course;
    if (method === 'PUT' && first === 'bundles') return mockBundles()[0];
    return this.settings;
  }

  listen(onEvent: (event: T.Event) => void, onLink: (link: Link) => void): () => void {
    this.#send = onEvent;
    onLink(this.variant === 'broken' ? 'lost' : 'open');
    if (!this.moving || this.variant !== 'full') return () => undefined;
    const timer = setInterval(() => this.#progress(), 500);
    return () => clearInterval(timer);
  }

  #tell(topics: string[], progress: Record<string, T.Progress> = {}): void {
    this.#seq += 1;
    this.#send?.({ seq: this.#seq, topics, progress });
  }

  #progress(): void {
    const progress: Record<string, T.Progress> = {};
    for (const task of this.tasks) {
      if (task.state !== 'running' || !task.progress?.total_bytes) continue;
      const done = Math.min(task.progress.total_bytes, task.progress.done_bytes + 9_000_000);
      task.progress = { ...task.progress, done_bytes: done };
      progress[task.id] = task.progress;
    }
    this.#tell([], progress);
  }

  #get(first: string, second: string, filters: URLSearchParams): unknown {
    const money = this.book.get(first, second, filters);
    if (money !== undefined) return Array.isArray(money) ? page(money, filters) : money;
    switch (first) {
      case 'overview':
        return mockOverview(this);
      case 'orders':
        return second ? this.#order(second) : page(this.#filterOrders(filters), filters);
      case 'tasks':
        return second ? this.#task(Number(second)) : page(this.#filterTasks(filters), filters);
      case 'queue':
        return this.queue;
      case 'failures':
        if (second === 'mended')
          return page(this.tasks.filter((task) => task.state === 'done').slice(0, 4), filters);
        return this.failures;
      case 'courses':
        if (second) return mockCourse(second, this.variant);
        return { rows: this.variant === 'empty' ? [] : mockCourses(this.variant), next: null };
      case 'bundles':
        return { rows: this.variant === 'empty' ? [] : mockBundles(), next: null };
      case 'services':
        return mockServices(this.variant);
      case 'workers':
        return mockWorkers(this.variant);
      case 'recipes':
        return mockRecipes();
      case 'google':
        return mockGoogle(this.variant);
      case 'health':
        return mockHealth(this.variant);
      case 'logs':
        return mockLogs(this.variant, filters);
      case 'backups':
        return mockBackups(this.variant);
      case 'diagnostics':
        return mockDiagnostics();
      case 'tunnel':
        return mockTunnel(this.variant);
      case 'settings':
        return this.settings;
      case 'checklist':
        return mockChecklist(this.variant);
      case 'notices':
        return { rows: this.notices, next: null };
      case 'mailbox': {
        const all = this.variant === 'empty' ? [] : mockMailbox();
        if (second) return all.find((mail) => mail.file === second);
        return { rows: all.map((mail) => ({ ...mail, text: null, html: null })), next: null };
      }
      default:
        throw new MockProblem(404, 'not_found', first);
    }
  }

  #post(first: string, second: string, third: string, body: unknown): unknown {
    if (first === 'orders' && second === '') return this.#create(body as T.NewOrder);
    if (first === 'orders') {
      const order = this.#row(second);
      if (third === 'cancel') order.stage = 'cancelled';
      if (third === 'refund') order.stage = 'refunded';
      if (third === 'mark-paid' || third === 'pay-from-wallet') order.stage = 'processing';
      if (third === 'surplus') Object.assign(order, { paid_vnd: order.total_vnd, flags: [] });
      this.#tell(['orders', `order:${second}`]);
      return this.#order(second);
    }
    const money = this.book.post(first, second, third, (body ?? {}) as Record<string, unknown>);
    if (money !== undefined) {
      this.#tell(['money', 'orders', 'customers', 'webhooks']);
      return money;
    }
    if (first === 'simulate-transfer') return this.#pay((body as T.SimulateTransfer).order ?? '');
    if (first === 'tasks') return this.#task(Number(second));
    if (first === 'failures') {
      const { dry_run: dry = false, filter } = body as T.RetryRequest;
      const matched = this.failures.groups
        .filter((group) => !filter?.group || group.group === filter.group)
        .reduce((sum, group) => sum + group.count, 0);
      return { matched, retried: dry ? 0 : matched, skipped: 0 } satisfies T.RetryReport;
    }
    if (first === 'queue') {
      this.queue = { ...this.queue, counts: { ...this.queue.counts, paused: second === 'pause' } };
      this.#tell(['queue']);
      return this.queue;
    }
    if (first === 'checks') {
      return (
        mockChecklist(this.variant).rows.find((row) => row.id === second) ?? { id: second, state: 'pass' }
      );
    }
    if (first === 'notices') {
      this.notices = this.notices.map((notice) =>
        second === 'seen' || String(notice.id) === second ? { ...notice, state: 'seen' } : notice,
      );
      return undefined;
    }
    if (first === 'channels')
      return { id: second, state: second === 'telegram' ? 'fail' : 'pass', code: 'telegram_chat_wrong' };
    if (first === 'backups') return third === 'check' ? mockContents() : mockBackups(this.variant);
    if (first === 'diagnostics') return { path: '/var/lib/chotdon/diagnostics/chotdon-diagnostics.zip' };
    if (first === 'tunnel') return mockTunnel(this.variant);
    if (first === 'courses') return this.#course(second, third, body);
    if (first === 'recipes') return { state: 'not_enrolled', requests: [] };
    if (first === 'workers')
      return { name: 'may-kho', key: 'whsec_c2FtcGxl', command: 'chotdon-server worker --name may-kho' };
    if (first === 'services' || first === 'google') return mockGoogle(this.variant);
    if (first === 'login' || first === 'logout') return undefined;
    throw new MockProblem(404, 'not_found', first);
  }

  #mail(method: string, [name = '', lang = '', action = '']: string[], body: unknown): unknown {
    if (name === '') return this.mails.list();
    const { texts = {} } = (body ?? {}) as { texts?: T.MailTexts };
    if (action === 'preview') return this.mails.preview(name, lang, texts);
    if (action === 'test') return undefined;
    if (method === 'PUT') return this.mails.save(name, lang, texts);
    return method === 'DELETE' ? this.mails.reset(name, lang) : this.mails.one(name, lang);
  }

  #course(slug: string, action: string, body: unknown): unknown {
    if (slug === 'source-test') return mockSource((body as { source: T.Spec }).source);
    if (action === 'announce') return { ...mockCourse(slug, this.variant).past, queued: 134 };
    if (action === 'check') return mockCourse(slug, this.variant).course.check;
    if (action === 'archive' || action === 'duplicate') return mockCourse(slug, this.variant).course;
    return mockCourse(slug, this.variant);
  }

  #create(wanted: T.NewOrder): T.OrderDetail {
    if (!wanted.customer.email.includes('@'))
      throw new MockProblem(422, 'invalid_email', wanted.customer.email);
    const bought = mockCourses().filter((course) => wanted.items.some((item) => item.course === course.slug));
    const total = bought.reduce((sum, course) => sum + course.price_vnd, 0);
    const row: T.OrderRow = {
      code: code(900 + this.orders.length),
      customer: {
        id: 99,
        name: wanted.customer.name ?? '',
        email: wanted.customer.email,
        phone: wanted.customer.phone,
      },
      summary: bought.map((course) => course.title).join(', '),
      stage: 'pending',
      flags: [],
      total_vnd: total,
      paid_vnd: 0,
      vip: wanted.priority === 'vip',
      created_at: minutesAgo(0),
    };
    this.orders = [row, ...this.orders];
    this.#tell(['orders']);
    return detailOf(row);
  }

  #pay(wanted: string): T.SimulatedTransfer {
    const order = this.#row(wanted);
    order.paid_vnd = order.total_vnd;
    order.stage = 'processing';
    order.paid_at = minutesAgo(0);
    this.#tell(['orders', `order:${wanted}`, 'money']);
    setTimeout(() => {
      order.stage = 'completed';
      order.completed_at = minutesAgo(0);
      this.#tell(['orders', `order:${wanted}`, 'queue']);
    }, 1500);
    return { sepay_id: 92_704, http_status: 200, answer: { success: true } };
  }

  #row(wanted: string): T.OrderRow {
    const row = this.orders.find((order) => order.code === wanted);
    if (!row) throw new MockProblem(404, 'not_found', `no order ${wanted}`);
    return row;
  }

  #order(wanted: string): T.OrderDetail {
    return detailOf(this.#row(wanted));
  }

  #task(id: number): T.TaskDetail {
    const row = this.tasks.find((task) => task.id === id);
    if (!row) throw new MockProblem(404, 'not_found', `no task ${id}`);
    return taskDetail(row);
  }

  #filterOrders(filters: URLSearchParams): T.OrderRow[] {
    const q = (filters.get('q') ?? '').toLowerCase();
    const stage = filters.get('stage');
    return this.orders.filter(
      (order) =>
        (!stage || order.stage === stage) &&
        (filters.get('attention') !== '1' || order.flags.length > 0 || order.stage === 'failed') &&
        (q === '' ||
          `${order.code} ${order.customer.name} ${order.customer.email}`.toLowerCase().includes(q)),
    );
  }

  #filterTasks(filters: URLSearchParams): T.TaskRow[] {
    const state = filters.get('state');
    const group = filters.get('group');
    const of = this.failures.groups.find((one) => one.group === group);
    return this.tasks.filter(
      (task) =>
        (!state || task.state === state) &&
        (filters.get('tried') !== 'true' || task.attempt > 0) &&
        (!of || task.error?.code === of.error.code),
    );
  }
}

function page<R>(rows: R[], filters: URLSearchParams): T.Page<R> {
  const from = Number(filters.get('after') ?? 0);
  const to = from + Number(filters.get('limit') ?? 100);
  return { rows: rows.slice(from, to), next: to < rows.length ? String(to) : null };
}
