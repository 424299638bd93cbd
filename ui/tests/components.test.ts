import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { language } from '../src/lib/i18n/index.svelte';
import { mockBackups } from '../src/lib/api/mock/ops';
import { live } from '../src/lib/live/live.svelte';
import { router } from '../src/lib/route.svelte';
import { calm, close, open, SETTINGS, type Routes } from './desk';
import { Refusal, type FakeTransport } from './fake';
import { failureGroup, orderRow, overview, taskRow } from './samples';

afterEach(() => {
  close();
  vi.useRealTimers();
});

describe('the shell', () => {
  it('offers only pages that exist, the mailbox only when mail goes there', async () => {
    await open('#/overview');
    expect(screen.getByTestId('nav-mailbox')).toBeTruthy();
    for (const page of ['overview', 'orders', 'queue', 'failures', 'settings']) {
      expect(screen.getByTestId(`nav-${page}`)).toBeTruthy();
    }
  });

  it('has no mailbox when mail goes out by SMTP', async () => {
    await open('#/overview', {
      settings: () => ({ ...SETTINGS, mail: { ...SETTINGS.mail, transport: 'smtp' } }),
    });
    expect(screen.queryByTestId('nav-mailbox')).toBeNull();
  });

  it('changes language and theme without a reload', async () => {
    await open('#/overview');
    expect(screen.getByTestId('nav-orders').textContent).toContain('Đơn hàng');
    await fireEvent.click(screen.getByTestId('locale-switch'));
    expect(screen.getByTestId('nav-orders').textContent).toContain('Orders');
    const before = document.documentElement.classList.contains('dark');
    await fireEvent.click(screen.getByTestId('theme-switch'));
    expect(document.documentElement.classList.contains('dark')).toBe(!before);
  });

  it('asks for the token after a 401, and goes on after the login', async () => {
    let locked = true;
    const door = (answer: unknown) => () => (locked ? new Refusal(401, 'login_required') : answer);
    const fake = await open('#/overview', { overview: door(overview()), settings: door(SETTINGS) });
    await fireEvent.input(screen.getByTestId('login-token'), { target: { value: ' secret ' } });
    locked = false;
    await fireEvent.click(screen.getByTestId('login-submit'));
    await calm();
    expect(fake.asked.find((one) => one.path === '/login')?.body).toEqual({ token: 'secret' });
    expect(screen.getByTestId('nav-overview')).toBeTruthy();
  });

  it('opens the palette with Ctrl K, but not while a word is being composed', async () => {
    await open('#/overview');
    await fireEvent.keyDown(window, { key: 'k', ctrlKey: true, isComposing: true });
    expect(screen.queryByTestId('palette-input')).toBeNull();
    await fireEvent.keyDown(window, { key: 'k', ctrlKey: true });
    expect(screen.getByTestId('palette-input')).toBeTruthy();
  });
});

describe('a notification', () => {
  it('leads to its page through whatever lies over it', async () => {
    await open('#/orders');
    await fireEvent.click(screen.getByTestId('create-order'));
    await calm();
    expect(document.querySelector('dialog')).not.toBeNull();
    router.open('/failures');
    await calm();
    expect(document.querySelector('dialog')).toBeNull();
    expect(screen.getByRole('heading', { name: 'Thất bại' })).toBeTruthy();
  });
});

describe('the order list', () => {
  const two = { orders: () => ({ rows: [orderRow('DH000002'), orderRow('DH000001')], next: null }) };

  it('moves by J and K while it has focus and opens by link', async () => {
    await open('#/orders', two);
    const links = screen.getAllByRole('link').filter((link) => link.hasAttribute('data-open'));
    links[0]?.focus();
    await fireEvent.keyDown(links[0] as HTMLElement, { key: 'j' });
    expect(document.activeElement).toBe(links[1]);
    await fireEvent.keyDown(links[1] as HTMLElement, { key: 'k', isComposing: true });
    expect(document.activeElement).toBe(links[1]);
    expect(links[1]?.getAttribute('href')).toBe('#/orders/DH000001');
  });

  it('lets new orders wait behind a pill while a row is in hand', async () => {
    let rows = [orderRow('DH000002'), orderRow('DH000001')];
    await open('#/orders', { orders: () => ({ rows, next: null }) });
    const list = screen.getByRole('table').closest('.scroll') as HTMLElement;
    await fireEvent.pointerEnter(list);
    rows = [orderRow('DH000003'), orderRow('DH000002', { stage: 'completed' }), orderRow('DH000001')];
    vi.useFakeTimers();
    live.touch(['orders']);
    vi.advanceTimersByTime(300);
    vi.useRealTimers();
    await calm();
    expect(screen.queryByTestId('order-row-DH000003')).toBeNull();
    expect(within(screen.getByTestId('order-row-DH000002')).getByTestId('order-stage').textContent).toContain(
      'Hoàn tất',
    );
    await fireEvent.click(screen.getByRole('button', { name: /1 đơn mới/ }));
    expect(screen.getByTestId('order-row-DH000003')).toBeTruthy();
  });

  it('says that a filter hides everything, and clears it', async () => {
    await open('#/orders?stage=expired');
    expect(screen.getByText('Không có đơn khớp bộ lọc')).toBeTruthy();
    await fireEvent.click(screen.getByRole('button', { name: 'Xóa bộ lọc' }));
    await calm();
    expect(screen.getByText('Chưa có đơn nào')).toBeTruthy();
  });

  it('shows a broken list as an error with its fix, not as an empty one', async () => {
    await open('#/orders', { orders: () => new Refusal(500, 'internal') });
    expect(screen.getByRole('alert').textContent).toContain('Lỗi trong app');
    expect(screen.queryByText('Chưa có đơn nào')).toBeNull();
  });
});

describe('creating an order', () => {
  const payment = {
    bank: 'MBBank',
    bin: '970422',
    account: '0900000699',
    holder: 'NGUYEN VAN AN',
    memo: 'DH777777',
    amount_vnd: 499000,
    vietqr: '000201',
    pay_url: 'http://127.0.0.1/pay/DH777777',
    qr_svg: '<svg xmlns="http://www.w3.org/2000/svg"/>',
  };
  const detail = (stage: 'pending' | 'completed') => ({
    order: orderRow('DH777777', { stage }),
    note: '',
    channel: 'owner',
    expires_at: '2026-11-23T00:34:12Z',
    items: [],
    payment,
    timeline: [],
    tasks: [],
    transfers: [],
    access: [],
    mails: [],
    actions: [],
  });
  const course = {
    slug: 'rust-101',
    title: 'Rust cơ bản',
    price_vnd: 499000,
    source: {},
    target: {},
    active: true,
    version: 1,
    ready: true,
    sold: 0,
  };

  it('sends the courses and the buyer, shows the QR, and pays in the demo', async () => {
    const fake = await open('#/orders', {
      courses: () => ({ rows: [course], next: null }),
      'POST orders': () => detail('pending'),
      'orders/DH777777': () => detail('pending'),
      'simulate-transfer': () => ({ sepay_id: 9, http_status: 200, answer: {} }),
    });
    await fireEvent.click(screen.getByTestId('create-order'));
    await calm();
    await fireEvent.click(screen.getByTestId('course-rust-101'));
    await fireEvent.input(screen.getByTestId('order-email'), { target: { value: 'thang@example.com' } });
    await fireEvent.input(screen.getByTestId('order-name'), { target: { value: 'Nguyễn Đức Thắng' } });
    await fireEvent.submit(screen.getByTestId('order-email').closest('form') as HTMLFormElement);
    await calm();
    expect(fake.asked.find((one) => one.method === 'POST')?.body).toMatchObject({
      customer: { email: 'thang@example.com', name: 'Nguyễn Đức Thắng', phone: null },
      items: [{ course: 'rust-101' }],
      priority: 'normal',
    });
    expect(screen.getByTestId('pay-qr').getAttribute('src')).toMatch(/^data:image\/svg\+xml/);
    await fireEvent.click(screen.getByTestId('simulate-payment'));
    await calm();
    expect(fake.asked.find((one) => one.path.endsWith('simulate-transfer'))?.body).toEqual({
      order: 'DH777777',
      lost: false,
    });
  });

  it('keeps what was typed when the core refuses it', async () => {
    await open('#/orders', {
      courses: () => ({ rows: [course], next: null }),
      'POST orders': () => new Refusal(422, 'invalid_email'),
    });
    await fireEvent.click(screen.getByTestId('create-order'));
    await calm();
    await fireEvent.click(screen.getByTestId('course-rust-101'));
    await fireEvent.input(screen.getByTestId('order-email'), { target: { value: 'a@b' } });
    await fireEvent.submit(screen.getByTestId('order-email').closest('form') as HTMLFormElement);
    await calm();
    expect(screen.getByText('E-mail không hợp lệ')).toBeTruthy();
    expect((screen.getByTestId('order-email') as HTMLInputElement).value).toBe('a@b');
  });
});

describe('failures', () => {
  const routes = (count: number): Routes => ({
    failures: () => ({ groups: [failureGroup('g1', count)], failed: count, retrying: 0 }),
    'POST failures/retry': (asked) => {
      const dry = (asked.body as { dry_run: boolean }).dry_run;
      return { matched: count, retried: dry ? 0 : count, skipped: 0 };
    },
    tasks: () => ({ rows: [taskRow(7)], next: null }),
    'POST tasks/7/retry': () => ({
      task: taskRow(7, { state: 'ready' }),
      stages: [],
      attempts: [],
      waiting_orders: 0,
      lease_epoch: 1,
      actions: [],
    }),
  });
  const retries = (fake: FakeTransport): unknown[] =>
    fake.asked.filter((one) => one.path.endsWith('failures/retry')).map((one) => one.body);

  it('retry a group of ten at once, without a question', async () => {
    const fake = await open('#/failures', routes(10));
    await fireEvent.click(screen.getByTestId('retry-group'));
    await calm();
    expect(retries(fake)).toEqual([{ filter: { group: 'g1' }, dry_run: false }]);
  });

  it('preview the count above ten, and run only after the yes', async () => {
    const fake = await open('#/failures', routes(11));
    await fireEvent.click(screen.getByTestId('retry-all'));
    await calm();
    expect(retries(fake)).toEqual([{ filter: {}, dry_run: true }]);
    await fireEvent.submit(
      screen.getByTestId('confirm').closest('dialog')?.querySelector('form') as HTMLFormElement,
    );
    await calm();
    expect(retries(fake)).toEqual([
      { filter: {}, dry_run: true },
      { filter: {}, dry_run: false },
    ]);
  });

  it('open to their tasks, each with its own retry', async () => {
    const fake = await open('#/failures', routes(1));
    await fireEvent.click(screen.getByRole('button', { name: 'Mở danh sách tác vụ' }));
    await calm();
    expect(fake.paths().some((path) => path.startsWith('/admin/api/tasks?state=failed&group=g1'))).toBe(true);
    await fireEvent.click(screen.getByTestId('retry-task-7'));
    await calm();
    expect(fake.paths()).toContain('/admin/api/tasks/7/retry');
  });

  it('say cause and fix in both languages', async () => {
    await open('#/failures', routes(1));
    expect(screen.getByText('Máy chủ e-mail từ chối đăng nhập')).toBeTruthy();
    language.set('en');
    await calm();
    expect(screen.getByText('The mail server refused the login')).toBeTruthy();
  });
});

describe('settings', () => {
  it('never show a secret, only its end, and send a new one once', async () => {
    const fake = await open('#/settings', { 'PUT secrets/sepay.hmac_secret': () => SETTINGS });
    // The page is fetched when it is first opened.
    const key = await screen.findByTestId('secret-sepay.api_key', undefined, { timeout: 10_000 });
    expect(key.querySelector('input')?.value).toBe('••••6789');
    const field = screen.getByTestId('secret-sepay.hmac_secret');
    const input = field.querySelector('input') as HTMLInputElement;
    await fireEvent.input(input, { target: { value: 'whsec_canary' } });
    await fireEvent.click(within(field).getByRole('button', { name: 'Lưu' }));
    await calm();
    expect(fake.asked.find((one) => one.method === 'PUT')).toMatchObject({
      path: '/admin/api/secrets/sepay.hmac_secret',
      body: { value: 'whsec_canary' },
    });
    expect(input.value).toBe('');
    expect(document.body.innerHTML).not.toContain('whsec_canary');
  });

  it('follow a link to a section once all that stands above it is there, and once only', async () => {
    const led: string[] = [];
    Element.prototype.scrollIntoView = function (this: Element) {
      led.push(this.id);
    };
    let backups: (list: unknown) => void = () => undefined;
    const late = new Promise((resolve) => (backups = resolve));
    await open('#/settings?section=limits', { backups: () => late });
    const main = screen.getByRole('main');
    await screen.findByTestId('secret-sepay.api_key', undefined, { timeout: 10_000 });
    await calm();
    expect(main.getAttribute('aria-busy')).toBe('true');
    expect(led).toEqual([]);

    backups(mockBackups('full'));
    await calm();
    expect(screen.getByTestId('backup-now')).toBeTruthy();
    expect(main.getAttribute('aria-busy')).toBe('false');
    expect(led).toEqual(['section-limits']);

    // Another question, of the dialog for a new order, does not take the page back there.
    await fireEvent.click(screen.getByTestId('create-order'));
    await calm();
    expect(screen.getByTestId('order-submit')).toBeTruthy();
    expect(led).toEqual(['section-limits']);
  });
});
