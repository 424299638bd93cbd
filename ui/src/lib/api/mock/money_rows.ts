/** Sample money: transfers with suggestions, customers, ledger rows, webhooks, a reconciliation. */
import type * as T from '../types';
import { code, minutesAgo, mockOrders } from './rows';

const DEPOSIT = (id: number): string => `NAP${'BCDFGHJKLMNP'.charAt(id % 12)}${String(4700 + id)}`;

export function mockCustomers(): T.CustomerRow[] {
  return mockOrders()
    .slice(0, 60)
    .map((order, i) => ({
      ...order.customer,
      id: i,
      deposit_code: DEPOSIT(i),
      wallet_vnd: i % 3 === 0 ? 1_500_000 - i * 10_000 : 0,
      orders: 1 + (i % 4),
      spent_vnd: order.total_vnd * (1 + (i % 4)),
      last_order_at: order.created_at,
      created_at: order.created_at,
    }));
}

export function customerOf(row: T.CustomerRow): {
  id: number;
  name: string;
  email: string;
  deposit_code: string;
} {
  return { id: row.id, name: row.name, email: row.email, deposit_code: row.deposit_code };
}

const UNMATCHED: [string, number, string, number][] = [
  ['DH12O455 cam on shop', 499_000, 'no_code', 44],
  ['NGUYEN DUC THANG chuyen tien khoa hoc rust', 499_000, 'no_code', 95],
  [
    'CT DEN:123456 MBVCB.3278907687.DH999999.CT tu 0011000123456 TRAN THI AN toi 0900000699',
    799_000,
    'unknown_code',
    190,
  ],
  ['DH120458 DH120455', 1_290_000, 'ambiguous', 1500],
  ['', 50_000, 'no_code', 4000],
];

export function mockTransfers(): T.TransferRow[] {
  const customers = mockCustomers();
  const base = (id: number, at: number): T.TransferRow => ({
    id,
    sepay_id: 92_700 + id,
    direction: 'in',
    amount_vnd: 499_000,
    gateway: 'MBBank',
    account: '0900000699',
    content: '',
    reference: `FT263261044${70 + id}`,
    state: 'order',
    reason: null,
    level: null,
    order: null,
    customer: null,
    note: null,
    received_at: minutesAgo(at),
    booked_at: minutesAgo(at),
    age_s: at * 60,
  });
  const person = (i: number): ReturnType<typeof customerOf> | null => {
    const row = customers[i];
    return row ? customerOf(row) : null;
  };
  return [
    {
      ...base(40, 3),
      amount_vnd: 509_000,
      content: 'DH120461',
      level: 'exact',
      order: code(461),
      customer: person(0),
    },
    ...UNMATCHED.map(([content, amount, reason, at], i) => ({
      ...base(39 - i, at),
      content,
      amount_vnd: amount,
      gateway: i === 2 ? 'Vietcombank' : 'MBBank',
      state: 'unmatched',
      reason,
    })),
    ...Array.from({ length: 14 }, (_, i) => ({
      ...base(30 - i, 60 + i * 70),
      state: 'wallet',
      amount_vnd: 200_000 + i * 50_000,
      content: `${DEPOSIT(i * 3)} nap tien`,
      level: 'exact',
      customer: person(i * 3),
    })),
    {
      ...base(12, 5000),
      state: 'set_aside',
      content: 'tien nha thang 11',
      note: 'Tiền nhà, không phải của shop',
    },
    { ...base(11, 5200), state: 'ignored', direction: 'out', reason: 'money_out', content: 'rut tien mat' },
  ];
}

export function mockSuggestions(transfer: T.TransferRow): T.Suggestion[] {
  const orders = mockOrders();
  const customers = mockCustomers();
  const about = (i: number): T.CustomerRow | undefined => customers[i];
  const order = (i: number, score: number, evidence: T.Evidence[]): T.Suggestion => {
    const row = orders[i];
    const buyer = about(i);
    if (!row || !buyer) return { score, evidence };
    return {
      order: {
        code: row.code,
        stage: row.stage,
        total_vnd: row.total_vnd,
        paid_vnd: row.paid_vnd,
        difference_vnd: row.paid_vnd + transfer.amount_vnd - row.total_vnd,
        summary: row.summary,
        customer: customerOf(buyer),
        created_at: row.created_at,
      },
      customer: null,
      score,
      evidence,
    };
  };
  const wallet = (i: number, score: number, evidence: T.Evidence[]): T.Suggestion => {
    const row = about(i);
    return { order: null, customer: row ? customerOf(row) : null, score, evidence };
  };
  switch (transfer.reason) {
    case 'no_code':
      if (transfer.content === '') return [];
      if (!transfer.content.startsWith('DH')) {
        return [
          wallet(0, 40, [{ kind: 'payer_name', found: 'NGUYEN DUC THANG', meant: about(0)?.name ?? '' }]),
          order(0, 30, [{ kind: 'payer_name', found: 'NGUYEN DUC THANG' }, { kind: 'already_paid' }]),
        ];
      }
      return [
        order(3, 95, [
          { kind: 'near_code', found: 'DH12O455', meant: code(458) },
          { kind: 'time', seconds: 240 },
        ]),
        order(7, 60, [{ kind: 'amount', amount_vnd: transfer.amount_vnd }, { kind: 'late' }]),
        wallet(3, 20, [{ kind: 'same_customer', found: 'cam on shop' }]),
      ];
    case 'unknown_code':
      return [order(3, 50, [{ kind: 'payer_name', found: 'TRAN THI AN', meant: 'Trần Thị Ẩn' }])];
    case 'ambiguous':
      return [
        order(3, 70, [{ kind: 'code', found: 'DH120458', meant: code(458) }]),
        order(6, 60, [{ kind: 'code', found: 'DH120455', meant: code(455) }, { kind: 'already_paid' }]),
      ];
    default:
      return [];
  }
}

export function mockLedger(): T.LedgerRow[] {
  const customers = mockCustomers();
  const who = (id: number): T.LedgerRow['customer'] => {
    const row = customers[id];
    return row ? { id, name: row.name } : null;
  };
  const row = (id: number, at: number, rest: Partial<T.LedgerRow>): T.LedgerRow => ({
    id,
    at: minutesAgo(at),
    kind: 'transfer',
    debit: 'bank',
    credit: 'wallet:0',
    amount_vnd: 1_500_000,
    balance_after_vnd: 1_500_000,
    transfer_id: null,
    order: null,
    customer: who(0),
    note: null,
    reversed_by: null,
    can_reverse: false,
    ...rest,
  });
  return [
    row(412, 4, {
      kind: 'transfer',
      credit: 'order:461',
      amount_vnd: 509_000,
      order: code(461),
      transfer_id: 40,
      balance_after_vnd: 509_000,
    }),
    row(411, 30, {
      kind: 'adjust',
      debit: 'shop',
      amount_vnd: 50_000,
      balance_after_vnd: 1_500_000,
      note: 'Tặng khách quen',
      can_reverse: true,
    }),
    row(410, 60, {
      kind: 'credit',
      amount_vnd: 200_000,
      balance_after_vnd: 1_450_000,
      transfer_id: 30,
      can_reverse: true,
    }),
    row(409, 70, {
      kind: 'wallet_pay',
      debit: 'wallet:0',
      credit: 'order:460',
      amount_vnd: 499_000,
      order: code(460),
      balance_after_vnd: 1_250_000,
    }),
    row(408, 400, {
      kind: 'refund',
      debit: 'order:451',
      credit: 'refunded',
      amount_vnd: 799_000,
      order: code(451),
      customer: who(10),
      note: 'Khách đổi ý',
      balance_after_vnd: null,
    }),
    row(407, 900, {
      kind: 'reverse',
      debit: 'wallet:0',
      credit: 'shop',
      amount_vnd: 100_000,
      balance_after_vnd: 1_749_000,
      note: 'Cộng nhầm khách',
    }),
    row(406, 910, {
      kind: 'adjust',
      debit: 'shop',
      amount_vnd: 100_000,
      balance_after_vnd: 1_849_000,
      note: 'Cộng tay',
      reversed_by: 407,
    }),
    row(405, 1500, {
      kind: 'transfer',
      credit: 'unmatched',
      amount_vnd: 1_290_000,
      customer: null,
      transfer_id: 36,
      balance_after_vnd: null,
    }),
  ];
}

const BODY = (row: T.WebhookRow): string =>
  JSON.stringify({
    id: row.sepay_id,
    gateway: row.gateway,
    transactionDate: '2026-11-22 14:29:03',
    accountNumber: '0900000699',
    code: null,
    content: row.content,
    transferType: row.direction,
    transferAmount: row.amount_vnd,
    accumulated: 19_077_000,
    subAccount: null,
    referenceCode: row.reference,
    description: '',
  });

export function mockWebhooks(): T.WebhookRow[] {
  const outcome: Record<string, string> = { order: 'paid', wallet: 'credited', set_aside: 'unmatched' };
  return mockTransfers().map((transfer, i) => ({
    sepay_id: transfer.sepay_id,
    received_at: transfer.received_at,
    source: i % 5 === 4 ? 'reconcile' : 'webhook',
    outcome: i === 0 ? 'overpaid' : (outcome[transfer.state] ?? transfer.state),
    direction: transfer.direction,
    amount_vnd: transfer.amount_vnd,
    gateway: transfer.gateway,
    content: transfer.content,
    reference: transfer.reference,
    transfer_id: transfer.id,
    order: transfer.order,
    repeats: i === 0 ? 2 : 0,
    different_body: i === 1,
  }));
}

export function webhookDetail(row: T.WebhookRow): T.WebhookDetail {
  return {
    row,
    body: BODY(row),
    other_body: row.different_body ? BODY({ ...row, amount_vnd: 4_990_000 }) : null,
    response: {
      status: 200,
      body: { success: true, outcome: row.outcome, ...(row.order ? { order: row.order } : {}) },
    },
    transfer_id: row.transfer_id,
    can_reprocess: row.outcome === 'unmatched',
  };
}

export function mockReconcile(variant: string): T.Reconcile {
  const bad = variant === 'broken';
  const code = bad ? 'sepay_token_wrong' : null;
  const run: T.ReconcileRun = {
    id: 9,
    cause: 'timer',
    state: bad ? 'failed' : 'done',
    started_at: minutesAgo(2),
    ended_at: minutesAgo(2),
    listed: 41,
    added: 0,
    added_vnd: 0,
    unreadable: 0,
    slept_s: 0,
    code,
  };
  const off = variant === 'empty';
  return {
    state: off ? 'off' : bad ? 'failed' : 'idle',
    configured: !off,
    code: off ? 'sepay_token_missing' : code,
    difference_vnd: bad ? -10_000 : 0,
    last_run: off ? null : run,
    runs: off ? [] : [run],
    accounts: off
      ? []
      : [
          {
            account: '0900000699',
            bank: 'MBBank',
            sepay_balance_vnd: 19_077_000,
            gap_vnd: bad ? -10_000 : 0,
            at: minutesAgo(2),
          },
        ],
    next_at: off ? null : minutesAgo(-3),
  };
}
