import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';

import { MockStorefront } from '../src/lib/api/mock/storefront';
import type { Endpoint, OutgoingRow, Storefront } from '../src/lib/api/types';
import { calm, close, open, SETTINGS, type Routes } from './desk';
import { Refusal, type Asked, type FakeTransport } from './fake';

const HASH = '#/settings?section=storefront';
const KEY = 'cd_aaaabbbbccccddddeeeeffff0000111122223333444';
const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

afterEach(close);

const page = (): Storefront => new MockStorefront('full').answer('GET', [], undefined) as Storefront;
const hook = (rest: Partial<Endpoint> = {}): Endpoint => ({
  name: 'web',
  url: 'https://shop.example.com/hook',
  events: [],
  state: 'on',
  created_at: '2026-11-22T00:00:00Z',
  last_ok_at: null,
  waiting: 0,
  failed: 0,
  ...rest,
});
const told = (rest: Partial<OutgoingRow> = {}): OutgoingRow => ({
  id: 7,
  webhook_id: 'msg_7',
  event: 'webhook.test',
  at: '2026-11-22T00:00:00Z',
  order: null,
  attempts: 1,
  status: 204,
  delivered_at: '2026-11-22T00:00:01Z',
  state: 'delivered',
  next_at: null,
  error: null,
  task: null,
  ...rest,
});

async function website(more: Routes = {}): Promise<FakeTransport> {
  const fake = await open(HASH, { storefront: page, ...more });
  // The page is fetched when it is first opened.
  await screen.findByTestId('key-new', undefined, { timeout: 10_000 });
  await calm();
  return fake;
}

async function click(testid: string): Promise<void> {
  await fireEvent.click(screen.getByTestId(testid));
  await calm();
}

async function fill(testid: string, value: string): Promise<void> {
  await fireEvent.input(screen.getByTestId(testid), { target: { value } });
  await calm();
}

const dialog = (): HTMLElement => document.querySelector('dialog') as HTMLElement;
const sent = (fake: FakeTransport, method: string): Asked[] =>
  fake.asked.filter((one) => one.method === method);

describe('the keys of a website', () => {
  it('are allowed what is enough to sell, and nothing chosen is not everything', async () => {
    const fake = await website({ 'POST storefront/keys': () => ({ name: 'web2', key: KEY }) });
    await click('key-new');
    await fill('key-name', ' web2 ');
    for (const scope of ['courses:read', 'orders:write']) await click(`scope-${scope}`);
    expect((screen.getByTestId('key-make') as HTMLButtonElement).disabled).toBe(true);
    for (const scope of ['courses:read', 'orders:write']) await click(`scope-${scope}`);
    await click('key-make');
    expect(sent(fake, 'POST').at(-1)?.body).toEqual({
      name: 'web2',
      scopes: expect.arrayContaining(['courses:read', 'orders:write']) as string[],
    });
    expect((sent(fake, 'POST').at(-1)?.body as { scopes: string[] }).scopes).toHaveLength(2);
  });

  it('are shown once and never again', async () => {
    await website({ 'POST storefront/keys': () => ({ name: 'web2', key: KEY }) });
    await click('key-new');
    await fill('key-name', 'web2');
    await click('key-make');
    expect((screen.getByTestId('shown-once') as HTMLInputElement).value).toBe(KEY);
    await fireEvent.click(within(dialog()).getByRole('button', { name: 'Đóng' }));
    await calm();
    expect(document.querySelector('dialog')).toBeNull();
    expect(document.body.innerHTML).not.toContain(KEY);
    for (const input of document.querySelectorAll('input')) expect(input.value).not.toBe(KEY);
  });

  it('keep the form when the name was used before', async () => {
    await website({ 'POST storefront/keys': () => new Refusal(409, 'name_taken') });
    await click('key-new');
    await fill('key-name', 'web');
    await click('key-make');
    expect(within(dialog()).getByRole('alert').textContent).toContain('Tên này đã dùng rồi');
  });

  it('are revoked after being told what stops', async () => {
    const fake = await website();
    await fireEvent.click(within(screen.getByTestId('website-key-web')).getByRole('button'));
    await calm();
    expect(dialog().textContent).toContain('tạo và hủy đơn, xem khoá học đang bán');
    expect(sent(fake, 'DELETE')).toEqual([]);
    await click('confirm');
    expect(sent(fake, 'DELETE')[0]?.path).toBe('/admin/api/storefront/keys/web');
  });

  it('are listed with their age under Security, which leads here', async () => {
    const row = {
      name: 'storefront.web',
      set: true,
      hint: null,
      changed_at: '2026-11-01T00:00:00Z',
      exact: true,
      days: 21,
      old: false,
      by: null,
      previous_until: null,
      given_by: 'here',
      actions: ['delete'],
    };
    const keys = { store: 'keyring', trouble: null, remind_after_days: 180, overlap_h: 24, rows: [row] };
    await website({ keys: () => keys });
    const there = screen.getByTestId('key-storefront.web');
    expect(within(there).queryByRole('button')).toBeNull();
    expect(within(there).getByRole('link').getAttribute('href')).toBe(HASH);
  });
});

describe('where a website is told', () => {
  it('is saved with a signing secret that ChotDon makes and shows once', async () => {
    const fake = await website({
      'PUT storefront/webhooks/web': () => hook({ state: 'no_secret' }),
      'POST secrets/webhook.web/rotate': () => ({ name: 'webhook.web', value: SECRET, previous_until: null }),
    });
    expect(screen.getByTestId('endpoints-none')).toBeTruthy();
    await click('endpoint-new');
    await fill('endpoint-name', 'web');
    await fill('endpoint-url', 'https://shop.example.com/hook');
    await click('events-some');
    await click('event-wallet.credited');
    await click('endpoint-save');
    const [put] = sent(fake, 'PUT');
    expect(put?.body).toMatchObject({ url: 'https://shop.example.com/hook', active: true });
    expect((put?.body as { events: string[] }).events).not.toContain('wallet.credited');
    expect((screen.getByTestId('shown-once') as HTMLInputElement).value).toBe(SECRET);
  });

  it('keeps an own secret that was refused in the form, and the address that was saved', async () => {
    let refused = true;
    let saved = false;
    const fake = await website({
      'PUT storefront/webhooks/web': () => {
        saved = true;
        return hook();
      },
      'PUT secrets/webhook.web': () => (refused ? new Refusal(400, 'bad_request') : SETTINGS),
      'storefront/webhooks': () => ({ rows: saved ? [hook()] : [], next: null }),
    });
    await click('endpoint-new');
    await fill('endpoint-name', 'web');
    await fill('endpoint-url', 'https://shop.example.com/hook');
    await fill('endpoint-secret', 'not a secret');
    await click('endpoint-save');
    expect(within(dialog()).getByRole('alert')).toBeTruthy();
    refused = false;
    await fill('endpoint-secret', SECRET);
    await click('endpoint-save');
    expect(document.querySelector('dialog')).toBeNull();
    expect(sent(fake, 'PUT').at(-1)?.body).toEqual({ value: SECRET });
    expect(document.body.innerHTML).not.toContain(SECRET);
  });

  it('tells in words how a test ended, as soon as it did', async () => {
    let row = told({ state: 'sending', status: null, delivered_at: null });
    const fake = await website({
      'storefront/webhooks': () => ({ rows: [hook()], next: null }),
      'POST storefront/webhooks/web/test': () => ({ webhook_id: 'msg_7' }),
      'storefront/webhooks/web/events': () => ({ rows: [row], next: null }),
    });
    await click('test-web');
    const said = screen.getByTestId('said-web');
    expect(said.textContent).toContain('Đang gửi…');
    row = told({
      state: 'retrying',
      status: 500,
      delivered_at: null,
      next_at: '2026-11-22T00:05:00Z',
      error: { code: 'webhook_refused', class: 'transient', detail: '' },
      task: 31,
    });
    fake.send({ seq: 1, topics: ['webhooks_out'], progress: {} });
    await expect.poll(() => said.textContent, { timeout: 2_000 }).toContain('(HTTP 500)');
    expect(said.textContent).toContain('Gửi lại lúc 22/11/2026 07:05');
    row = told({ attempts: 2 });
    fake.send({ seq: 2, topics: ['webhooks_out'], progress: {} });
    await expect.poll(() => said.textContent, { timeout: 5_000 }).toContain('Website đã nhận (HTTP 204).');
  });

  it('is turned off after being told what is lost, and on again as it was', async () => {
    let state = 'on';
    const events = ['order.paid'];
    const fake = await website({
      'storefront/webhooks': () => ({ rows: [hook({ state, events })], next: null }),
      'PUT storefront/webhooks/web': (asked) => {
        state = (asked.body as { active: boolean }).active ? 'on' : 'off';
        return hook({ state, events });
      },
    });
    await click('off-web');
    expect(dialog().textContent).toContain('sẽ không được báo lại');
    await click('confirm');
    await click('on-web');
    expect(sent(fake, 'PUT').map((one) => one.body)).toEqual(
      [false, true].map((active) => ({ url: 'https://shop.example.com/hook', events, active })),
    );
  });
});

describe('the address that a website calls', () => {
  it('comes with a line to try that holds no key', async () => {
    await website();
    const curl = screen.getByTestId('address-curl').textContent;
    expect(curl).toContain('/api/v1/courses');
    expect(curl).toContain('Bearer $CHOTDON_KEY');
    expect(curl).not.toContain('cd_');
    expect(screen.queryByTestId('only-here')).toBeNull();
  });

  it('says so while it is good on this machine alone', async () => {
    await website({ storefront: () => ({ ...page(), public: false }) });
    expect(screen.getByTestId('only-here')).toBeTruthy();
  });
});
