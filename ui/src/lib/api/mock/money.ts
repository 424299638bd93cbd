/** The sample shop's money: answers its questions and moves it when asked, as far as a picture needs. */
import type * as T from '../types';
import { code, fakeQr, minutesAgo } from './rows';
import {
  customerOf,
  mockCustomers,
  mockLedger,
  mockReconcile,
  mockSuggestions,
  mockTransfers,
  mockWebhooks,
  webhookDetail,
} from './money_rows';
import { MockProblem } from './problem';

export class MoneyBook {
  transfers: T.TransferRow[];
  customers: T.CustomerRow[];
  ledger: T.LedgerRow[];
  webhooks: T.WebhookRow[];

  constructor(
    readonly variant: string,
    readonly orders: () => T.OrderRow[],
  ) {
    const full = variant !== 'empty';
    this.transfers = full ? mockTransfers() : [];
    this.customers = full ? mockCustomers() : [];
    this.ledger = full ? mockLedger() : [];
    this.webhooks = full ? mockWebhooks() : [];
  }

  unmatched(): T.TransferRow[] {
    return this.transfers.filter((row) => row.state === 'unmatched');
  }

  /** Undefined for a question that is not about money. */
  get(first: string, second: string, filters: URLSearchParams): unknown {
    if (this.variant === 'broken' && ['ledger', 'webhooks'].includes(first) && second !== 'summary') {
      throw new MockProblem(500, 'internal', 'database is locked (5)');
    }
    switch (first) {
      case 'transfers':
        return second ? this.#detail(this.#transfer(Number(second))) : this.#list(filters);
      case 'customers':
        return second ? this.#customer(Number(second)) : this.#people(filters);
      case 'ledger': {
        const account = filters.get('account');
        return this.ledger.filter((row) => !account || row.debit === account || row.credit === account);
      }
      case 'wallet':
        return this.#wallet();
      case 'webhooks':
        if (second === 'summary') return this.#summary();
        if (second) return webhookDetail(this.#webhook(Number(second)));
        return this.webhooks.filter(
          (row) =>
            (!filters.get('outcome') || row.outcome === filters.get('outcome')) &&
            (!filters.get('source') || row.source === filters.get('source')),
        );
      case 'reconcile':
        return mockReconcile(this.variant);
      default:
        return undefined;
    }
  }

  post(first: string, second: string, third: string, body: Record<string, unknown>): unknown {
    if (first === 'transfers') return this.#place(this.#transfer(Number(second)), third, body);
    if (first === 'customers')
      return this.#adjust(Number(second), Number(body['amount_vnd']), String(body['reason']));
    if (first === 'ledger') return this.#reverse(Number(second), String(body['reason']));
    if (first === 'webhooks') return { outcome: this.#webhook(Number(second)).outcome, order: null };
    if (first === 'reconcile') return mockReconcile(this.variant).last_run;
    return undefined;
  }

  #place(transfer: T.TransferRow, action: string, body: Record<string, unknown>): T.TransferDetail {
    if (action === 'undo') {
      Object.assign(transfer, { state: 'unmatched', order: null, customer: null, note: null, level: null });
      return this.#detail(transfer);
    }
    if (transfer.state === 'order' || transfer.state === 'wallet') {
      throw new MockProblem(409, 'already_matched', transfer.order ?? '');
    }
    if (action === 'match')
      Object.assign(transfer, { state: 'order', order: body['order'], level: 'manual' });
    if (action === 'create-order')
      Object.assign(transfer, { state: 'order', order: code(999), level: 'manual' });
    if (action === 'set-aside') Object.assign(transfer, { state: 'set_aside', note: body['reason'] });
    if (action === 'credit') {
      const row = this.customers.find((one) => one.id === body['customer_id']) ?? this.customers[0];
      Object.assign(transfer, { state: 'wallet', customer: row ? customerOf(row) : null });
    }
    const done = this.#detail(transfer);
    return action === 'match' ? { ...done, undo_until: new Date(Date.now() + 10_000).toISOString() } : done;
  }

  #detail(transfer: T.TransferRow): T.TransferDetail {
    const open = transfer.state === 'unmatched';
    return {
      transfer: { ...transfer },
      suggestions: open ? mockSuggestions(transfer) : [],
      movements: this.ledger.filter((row) => row.transfer_id === transfer.id),
      actions: open
        ? ['match', 'credit', 'create_order', 'set_aside']
        : transfer.state === 'set_aside'
          ? ['match', 'credit', 'create_order', 'undo']
          : transfer.level === 'manual'
            ? ['undo']
            : [],
      undo_until: null,
    };
  }

  #list(filters: URLSearchParams): T.TransferRow[] {
    const state = filters.get('state');
    const q = (filters.get('q') ?? '').toLowerCase();
    return this.transfers.filter(
      (row) => (!state || row.state === state) && `${row.content} ${row.reference}`.toLowerCase().includes(q),
    );
  }

  #people(filters: URLSearchParams): T.CustomerRow[] {
    const q = (filters.get('q') ?? '').toLowerCase();
    const owed = filters.get('owed') === '1';
    return this.customers.filter(
      (row) =>
        (!owed || row.wallet_vnd > 0) &&
        `${row.name} ${row.email} ${row.deposit_code}`.toLowerCase().includes(q),
    );
  }

  #customer(id: number): T.CustomerDetail {
    const customer = this.customers.find((row) => row.id === id);
    if (!customer) throw new MockProblem(404, 'not_found', `no customer ${id}`);
    return {
      customer: { ...customer },
      orders: this.orders()
        .filter((order) => order.customer.id === id)
        .slice(0, 50),
      ledger: this.ledger.filter((row) => row.credit === `wallet:${id}` || row.debit === `wallet:${id}`),
      topup_url: `http://127.0.0.1:8686/topup/${customer.deposit_code}?t=x`,
      topup_vietqr: '000201',
      topup_qr_svg: fakeQr(),
      deposit_code: customer.deposit_code,
    };
  }

  #adjust(id: number, amount: number, reason: string): T.CustomerDetail {
    const customer = this.customers.find((row) => row.id === id);
    if (!customer) throw new MockProblem(404, 'not_found', `no customer ${id}`);
    if (customer.wallet_vnd + amount < 0) throw new MockProblem(409, 'insufficient_funds', String(id));
    customer.wallet_vnd += amount;
    const up = amount > 0;
    this.ledger = [
      {
        id: 413 + this.ledger.length,
        at: minutesAgo(0),
        kind: 'adjust',
        debit: up ? 'shop' : `wallet:${id}`,
        credit: up ? `wallet:${id}` : 'shop',
        amount_vnd: Math.abs(amount),
        balance_after_vnd: customer.wallet_vnd,
        customer: { id, name: customer.name },
        note: reason,
        can_reverse: true,
      },
      ...this.ledger,
    ];
    return this.#customer(id);
  }

  #reverse(id: number, reason: string): T.LedgerRow {
    const row = this.ledger.find((one) => one.id === id);
    if (!row) throw new MockProblem(404, 'not_found', `no entry ${id}`);
    const back: T.LedgerRow = {
      ...row,
      id: 500 + id,
      at: minutesAgo(0),
      kind: 'reverse',
      debit: row.credit,
      credit: row.debit,
      note: reason,
      can_reverse: false,
    };
    this.ledger = [
      back,
      ...this.ledger.map((one) =>
        one.id === id ? { ...one, reversed_by: back.id, can_reverse: false } : one,
      ),
    ];
    return back;
  }

  #transfer(id: number): T.TransferRow {
    const row = this.transfers.find((one) => one.id === id);
    if (!row) throw new MockProblem(404, 'not_found', `no transfer ${id}`);
    return row;
  }

  #webhook(id: number): T.WebhookRow {
    const row = this.webhooks.find((one) => one.sepay_id === id);
    if (!row) throw new MockProblem(404, 'not_found', `no webhook ${id}`);
    return row;
  }

  #wallet(): T.Wallet {
    const held = this.customers.filter((row) => row.wallet_vnd > 0);
    return {
      owed_vnd: held.reduce((sum, row) => sum + row.wallet_vnd, 0),
      customers: held.length,
      topups_today_vnd: held.length > 0 ? 3_850_000 : 0,
      spent_today_vnd: held.length > 0 ? 499_000 : 0,
      adjusted_today_vnd: held.length > 0 ? -50_000 : 0,
    };
  }

  #summary(): T.WebhookSummary {
    const today: Record<string, number> = {};
    for (const row of this.webhooks) today[row.outcome] = (today[row.outcome] ?? 0) + 1;
    const empty = this.variant === 'empty';
    const bad = this.variant === 'broken';
    return {
      webhook_url: 'http://127.0.0.1:8686/api/v1/payment/webhook',
      last_webhook_at: empty ? null : minutesAgo(3),
      p95_ms: empty ? null : bad ? 6200 : 4,
      today,
      rejected_24h: bad
        ? [
            { reason: 'unauthorized', count: 1412, last_at: minutesAgo(1) },
            { reason: 'wrong_product', count: 3, last_at: minutesAgo(70) },
          ]
        : empty
          ? []
          : [{ reason: 'unauthorized', count: 12, last_at: minutesAgo(41) }],
    };
  }
}
