import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';

import { piecesOf } from '../src/lib/transfers/evidence.svelte';
import { router } from '../src/lib/route.svelte';
import { signOf } from '../src/lib/money/accounts';
import { curlOf } from '../src/lib/webhooks/curl';
import { toast } from '../src/lib/ui/toast.svelte';
import type { LedgerRow, OrderDetail, TransferDetail, TransferRow } from '../src/lib/api/types';
import { calm, close, open, type Routes } from './desk';
import { Refusal, type Asked, type FakeTransport } from './fake';
import { orderRow } from './samples';

afterEach(close);

const LAN = { id: 7, name: 'Trần Thị Lan', email: 'lan@example.com', deposit_code: 'NAPB4707' };

function transfer(rest: Partial<TransferRow> = {}): TransferRow {
  return {
    id: 5,
    sepay_id: 92_705,
    direction: 'in',
    amount_vnd: 499_000,
    gateway: 'MBBank',
    account: '0900000699',
    content: 'dh 12o45 cam on',
    reference: 'FT1',
    state: 'unmatched',
    reason: 'no_code',
    received_at: '2026-11-22T00:34:12Z',
    ...rest,
  };
}

function waiting(rest: Partial<TransferRow> = {}): TransferDetail {
  return {
    transfer: transfer(rest),
    suggestions: [
      {
        order: {
          code: 'DH12045',
          stage: 'pending',
          total_vnd: 499_000,
          paid_vnd: 0,
          difference_vnd: 0,
          summary: 'Rust cơ bản',
          customer: LAN,
          created_at: '2026-11-22T00:30:00Z',
        },
        score: 95,
        evidence: [
          { kind: 'near_code', found: 'dh 12o45', meant: 'DH12045' },
          { kind: 'amount', amount_vnd: 499_000 },
        ],
      },
      { customer: LAN, score: 20, evidence: [{ kind: 'same_customer', found: 'cam on' }] },
    ],
    movements: [],
    actions: ['match', 'credit', 'create_order', 'set_aside'],
  };
}

const matched = (): TransferDetail => ({
  transfer: transfer({ state: 'order', order: 'DH12045', level: 'manual' }),
  suggestions: [],
  movements: [],
  actions: ['undo'],
  undo_until: new Date(Date.now() + 10_000).toISOString(),
});

const posts = (fake: FakeTransport): Asked[] => fake.asked.filter((one) => one.method === 'POST');

describe('an unmatched transfer', () => {
  const routes: Routes = {
    transfers: () => ({ rows: [transfer()], next: null }),
    'transfers/5': () => waiting(),
    'POST transfers/5/match': () => matched(),
    'POST transfers/5/undo': () => waiting(),
    'POST transfers/5/credit': () => ({
      ...matched(),
      transfer: transfer({ state: 'wallet', customer: LAN }),
    }),
    'POST transfers/5/set-aside': () => ({ ...matched(), transfer: transfer({ state: 'set_aside' }) }),
  };

  it('shows its suggestions with the evidence, and the words they rest on', async () => {
    await open('#/unmatched/5', routes);
    const first = screen.getByTestId('suggestion-1');
    expect(first.textContent).toContain('DH12045');
    expect(first.textContent).toContain('Mã gần giống: dh 12o45 ↔ DH12045');
    expect(first.textContent).toContain('Đúng số tiền 499.000');
    expect([...document.querySelectorAll('mark')].map((mark) => mark.textContent)).toEqual([
      'dh 12o45',
      'cam on',
    ]);
  });

  it('is matched with the top suggestion by M, and given back by the undo', async () => {
    const fake = await open('#/unmatched/5', routes);
    await fireEvent.keyDown(document.body, { key: 'm' });
    await calm();
    expect(posts(fake).map((one) => [one.path, one.body])).toEqual([
      ['/admin/api/transfers/5/match', { order: 'DH12045' }],
    ]);
    expect(screen.getByTestId('transfer-state').dataset['state']).toBe('order');
    await fireEvent.click(screen.getByTestId('undo'));
    await calm();
    expect(posts(fake).at(-1)?.path).toBe('/admin/api/transfers/5/undo');
  });

  it('goes where the number says', async () => {
    const fake = await open('#/unmatched/5', routes);
    await fireEvent.keyDown(document.body, { key: '2' });
    await calm();
    expect(posts(fake)[0]).toMatchObject({ path: '/admin/api/transfers/5/credit', body: { customer_id: 7 } });
  });

  it('does nothing on letters that are typed or composed', async () => {
    const fake = await open('#/unmatched/5', routes);
    await fireEvent.keyDown(screen.getByPlaceholderText(/Tìm nội dung/), { key: 'm' });
    await fireEvent.keyDown(document.body, { key: 'm', isComposing: true });
    await calm();
    expect(posts(fake)).toEqual([]);
  });

  it('is set aside only with a reason', async () => {
    const fake = await open('#/unmatched/5', routes);
    await fireEvent.keyDown(document.body, { key: 'i' });
    await calm();
    const submit = screen.getByTestId('reason-submit') as HTMLButtonElement;
    expect(submit.disabled).toBe(true);
    await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'tiền nhà' } });
    expect(submit.disabled).toBe(false);
    await fireEvent.submit(submit.closest('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]?.body).toEqual({ reason: 'tiền nhà' });
  });

  it('locks when another path took it', async () => {
    let taken = false;
    await open('#/unmatched/5', {
      ...routes,
      'transfers/5': () => (taken ? { ...matched(), actions: [] } : waiting()),
      'POST transfers/5/match': () => {
        taken = true;
        return new Refusal(409, 'already_matched');
      },
    });
    await fireEvent.click(screen.getByTestId('take-1'));
    await calm();
    expect(screen.getByTestId('transfer-lost').textContent).toContain('Vừa được khớp với DH12045');
    expect(screen.queryByTestId('take-1')).toBeNull();
    expect(toast.shown[0]?.title).toBe('Giao dịch đã có chỗ');
  });

  it('that was matched here does not say that somebody else did', async () => {
    await open('#/unmatched/5', { ...routes });
    await fireEvent.click(screen.getByTestId('take-1'));
    await calm();
    expect(screen.queryByTestId('transfer-lost')).toBeNull();
  });

  it('credits a new customer by e-mail', async () => {
    const fake = await open('#/unmatched/5', routes);
    await fireEvent.click(screen.getByTestId('mode-credit'));
    await calm();
    await fireEvent.click(screen.getByTestId('credit-fresh'));
    await fireEvent.input(screen.getByTestId('credit-email'), { target: { value: 'moi@example.com' } });
    await fireEvent.submit(screen.getByTestId('credit-email').closest('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]?.body).toEqual({ email: 'moi@example.com' });
  });
});

describe('the money of an order', () => {
  function detail(actions: string[], rest: Partial<OrderDetail> = {}): OrderDetail {
    return {
      order: orderRow('DH000009', { stage: 'completed', paid_vnd: 509_000 }),
      note: '',
      channel: 'owner',
      expires_at: '2026-11-23T00:00:00Z',
      items: [],
      payment: null,
      timeline: [],
      tasks: [],
      transfers: [],
      access: [],
      mails: [],
      actions,
      held_vnd: 509_000,
      surplus_vnd: 10_000,
      refunded_vnd: 0,
      ...rest,
    } as OrderDetail;
  }
  const answer = (actions: string[]) => ({
    'orders/DH000009': () => detail(actions),
    'POST orders/DH000009/refund': () => detail([]),
    'POST orders/DH000009/surplus': () => detail([]),
    'POST orders/DH000009/mark-paid': () => detail([]),
    'POST orders/DH000009/pay-from-wallet': () => detail([]),
  });

  it('offers exactly what the core allows', async () => {
    await open('#/orders/DH000009', answer(['mark_paid']));
    expect(screen.getByTestId('money-mark_paid')).toBeTruthy();
    expect(screen.queryByTestId('money-refund')).toBeNull();
  });

  it('is given back whole with a reason, after saying what will happen', async () => {
    const fake = await open('#/orders/DH000009', answer(['refund']));
    await fireEvent.click(screen.getByTestId('money-refund'));
    expect(screen.getByText(/Ghi nhận đã trả lại 509.000 ₫ cho Nguyễn Đức Thắng/)).toBeTruthy();
    await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'đổi ý' } });
    await fireEvent.submit(screen.getByTestId('reason').closest('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]?.body).toEqual({ reason: 'đổi ý' });
  });

  it('is given back in part, never more than it holds', async () => {
    const fake = await open('#/orders/DH000009', answer(['refund']));
    await fireEvent.click(screen.getByTestId('money-refund'));
    await fireEvent.click(screen.getByTestId('refund-part'));
    await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'bớt' } });
    const amount = screen.getByTestId('refund-amount');
    const submit = screen.getByTestId('reason-submit') as HTMLButtonElement;
    await fireEvent.input(amount, { target: { value: '1tr' } });
    expect(submit.disabled).toBe(true);
    await fireEvent.input(amount, { target: { value: '100k' } });
    expect(submit.disabled).toBe(false);
    await fireEvent.submit(submit.closest('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]?.body).toEqual({ reason: 'bớt', amount_vnd: 100_000 });
  });

  it('moves its surplus to the wallet or aside', async () => {
    const fake = await open('#/orders/DH000009', answer(['surplus']));
    await fireEvent.click(screen.getByTestId('money-surplus'));
    await fireEvent.click(screen.getByTestId('surplus-aside'));
    await fireEvent.submit(screen.getByTestId('reason').closest('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]?.body).toEqual({ to: 'set_aside' });
  });
});

describe('the wallet', () => {
  const entry: LedgerRow = {
    id: 11,
    at: '2026-11-22T00:34:12Z',
    kind: 'adjust',
    debit: 'shop',
    credit: 'wallet:7',
    amount_vnd: 50_000,
    balance_after_vnd: 150_000,
    customer: { id: 7, name: 'Trần Thị Lan' },
    note: 'tặng',
    can_reverse: true,
  };
  const person = {
    ...LAN,
    phone: '+84912345678',
    wallet_vnd: 150_000,
    orders: 1,
    spent_vnd: 499_000,
    last_order_at: null,
    created_at: '2026-11-22T00:00:00Z',
  };
  const routes: Routes = {
    wallet: () => ({
      owed_vnd: 150_000,
      customers: 1,
      topups_today_vnd: 100_000,
      spent_today_vnd: 0,
      adjusted_today_vnd: 50_000,
    }),
    ledger: () => ({ rows: [entry], next: null }),
    customers: () => ({ rows: [person], next: null }),
    'customers/7': () => ({
      customer: person,
      orders: [],
      ledger: [entry],
      topup_url: 'http://127.0.0.1/topup/NAPB4707?t=x',
      deposit_code: 'NAPB4707',
    }),
    'POST customers/7/adjust': () => ({
      customer: { ...person, wallet_vnd: 50_000 },
      orders: [],
      ledger: [],
      topup_url: '',
      deposit_code: 'NAPB4707',
    }),
    'POST ledger/11/reverse': () => ({ ...entry, id: 12, kind: 'reverse' }),
  };

  it('says what is owed, and shows each movement with its sign and the balance after', async () => {
    await open('#/wallet?tab=ledger', routes);
    expect(screen.getByTestId('wallet-owed').textContent).toContain('150.000');
    const row = screen.getByTestId('ledger-row-11').textContent ?? '';
    expect(row).toContain('+50.000');
    expect(row).toContain('150.000');
    expect(row).toContain('tặng');
  });

  it('reverses an entry by a counter-entry with a reason', async () => {
    const fake = await open('#/wallet?tab=ledger', routes);
    await fireEvent.click(screen.getByTestId('reverse-11'));
    const dialog = document.querySelector('dialog') as HTMLElement;
    await fireEvent.input(within(dialog).getByRole('textbox'), { target: { value: 'nhầm' } });
    await fireEvent.submit(dialog.querySelector('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]).toMatchObject({ path: '/admin/api/ledger/11/reverse', body: { reason: 'nhầm' } });
  });

  it('is never adjusted below zero, and a large amount is asked twice', async () => {
    const fake = await open('#/customers/7', routes);
    await fireEvent.keyDown(document.body, { key: 'w' });
    await calm();
    const amount = screen.getByTestId('adjust-amount');
    const submit = screen.getByTestId('reason-submit') as HTMLButtonElement;
    await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'sửa' } });
    await fireEvent.input(amount, { target: { value: '2tr' } });
    expect(submit.disabled).toBe(true);
    await fireEvent.click(screen.getByTestId('adjust-sure'));
    expect(submit.disabled).toBe(false);
    await fireEvent.click(screen.getByTestId('adjust-minus'));
    expect(submit.disabled).toBe(true);
    await fireEvent.input(amount, { target: { value: '100.000' } });
    await fireEvent.submit(submit.closest('form') as HTMLFormElement);
    await calm();
    expect(posts(fake)[0]?.body).toEqual({ amount_vnd: -100_000, reason: 'sửa' });
    expect(screen.getByTestId('customer-wallet').textContent).toContain('50.000');
  });

  it('counts a movement from the side of the account that is looked at', () => {
    const spent: LedgerRow = { ...entry, debit: 'wallet:7', credit: 'order:9', kind: 'wallet_pay' };
    expect(signOf(spent)).toBe('−');
    expect(signOf(spent, 'order:9')).toBe('+');
    expect(signOf({ ...spent, debit: 'bank', credit: 'unmatched' })).toBe('+');
    expect(signOf({ ...spent, debit: 'unmatched', credit: 'set_aside' })).toBe('');
  });
});

describe('the webhook inbox', () => {
  const row = {
    sepay_id: 92_705,
    received_at: '2026-11-22T00:34:12Z',
    source: 'webhook',
    outcome: 'unmatched',
    direction: 'in',
    amount_vnd: 499_000,
    gateway: 'MBBank',
    content: 'dh 12o45 cam on',
    reference: 'FT1',
    transfer_id: 5,
    repeats: 1,
    different_body: true,
  };
  const routes: Routes = {
    webhooks: () => ({ rows: [row], next: null }),
    'webhooks/summary': () => ({
      webhook_url: 'http://127.0.0.1/hook',
      today: { unmatched: 1 },
      p95_ms: 4,
      rejected_24h: [{ reason: 'unauthorized', count: 12, last_at: '2026-11-22T00:00:00Z' }],
    }),
    'webhooks/92705': () => ({
      row,
      body: '{"id":92705}',
      other_body: '{"id":92705,"transferAmount":1}',
      response: { status: 200, body: { success: true, outcome: 'unmatched' } },
      transfer_id: 5,
      can_reprocess: true,
    }),
    'POST webhooks/92705/reprocess': () => ({ outcome: 'paid', order: 'DH12045' }),
  };

  it('shows both bodies and the answer, moved through by T', async () => {
    await open('#/webhooks/92705', routes);
    await fireEvent.keyDown(document.body, { key: 't' });
    await calm();
    const panel = screen.getByRole('tabpanel');
    expect([...panel.querySelectorAll('pre')].map((pre) => pre.textContent)).toEqual([
      '{\n  "id": 92705\n}',
      '{\n  "id": 92705,\n  "transferAmount": 1\n}',
    ]);
    await fireEvent.keyDown(document.body, { key: 't' });
    await calm();
    expect(screen.getByRole('tabpanel').textContent).toContain('200');
  });

  it('decides a stored webhook anew and says what came of it', async () => {
    const fake = await open('#/webhooks/92705', routes);
    await fireEvent.click(screen.getByTestId('reprocess'));
    await calm();
    expect(posts(fake)[0]?.path).toBe('/admin/api/webhooks/92705/reprocess');
    expect(toast.shown[0]?.text).toBe('Đã trả đơn · DH12045');
  });

  it('waits for the first webhook with the steps of the setup', async () => {
    await open('#/webhooks', { ...routes, webhooks: () => ({ rows: [], next: null }) });
    expect(screen.getByText('Đang chờ webhook đầu tiên…')).toBeTruthy();
    expect(screen.getAllByRole('listitem').length).toBeGreaterThanOrEqual(3);
  });

  it('copies a call without the key', () => {
    const call = curlOf('http://127.0.0.1/hook', `{"content":"it's"}`);
    expect(call).toContain('Apikey ••••');
    expect(call).toContain(`'{"content":"it'\\''s"}'`);
  });
});

describe('the words of a transfer', () => {
  it('are cut where the evidence stands, overlaps merged, in whatever case', () => {
    expect(piecesOf('ck DH12O45 cam on', ['dh12o45', '12O45 cam'])).toEqual([
      { text: 'ck ', marked: false },
      { text: 'DH12O45 cam', marked: true },
      { text: ' on', marked: false },
    ]);
    expect(piecesOf('', ['x'])).toEqual([]);
  });
});

describe('a detail that is opened by its address', () => {
  it('keeps page and filters', async () => {
    await open('#/unmatched/5?state=all', { 'transfers/5': () => waiting() });
    expect(router.route).toMatchObject({ page: 'unmatched', detail: '5', filters: { state: 'all' } });
  });
});
