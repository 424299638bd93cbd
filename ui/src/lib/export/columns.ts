/** What each list is in a file: the columns it shows, and the ones behind them. */
import type { CustomerRow, LedgerRow, OrderRow, TaskRow, TransferRow, WebhookRow } from '../api/types';
import { t, tMaybe } from '../i18n/index.svelte';
import type { Column } from './csv';

export const orderColumns = (): Column<OrderRow>[] => [
  { name: t('orders.code'), kind: 'code', of: (row) => row.code },
  { name: t('orders.customer'), kind: 'text', of: (row) => row.customer.name },
  { name: t('create.phone'), kind: 'code', of: (row) => row.customer.phone?.replace(/^\+84/, '0') },
  { name: t('create.email'), kind: 'text', of: (row) => row.customer.email },
  { name: t('orders.course'), kind: 'text', of: (row) => row.summary },
  { name: t('orders.total'), kind: 'money', of: (row) => row.total_vnd },
  { name: t('orders.received'), kind: 'money', of: (row) => row.paid_vnd },
  { name: t('orders.stage'), kind: 'text', of: (row) => t(`stage.${row.stage}`) },
  {
    name: t('orders.flagged'),
    kind: 'text',
    of: (row) => row.flags.map((flag) => t(`flag.${flag}`)).join('; '),
  },
  { name: t('orders.created'), kind: 'at', of: (row) => row.created_at },
  { name: t('orders.delivered'), kind: 'at', of: (row) => row.completed_at },
];

export const transferColumns = (): Column<TransferRow>[] => [
  { name: 'SePay id', kind: 'code', of: (row) => row.sepay_id },
  { name: t('ledger.at'), kind: 'at', of: (row) => row.received_at },
  { name: t('bank.bank'), kind: 'text', of: (row) => row.gateway },
  { name: t('pay.account'), kind: 'code', of: (row) => row.account },
  {
    name: t('orders.amount'),
    kind: 'money',
    of: (row) => (row.direction === 'out' ? `-${row.amount_vnd}` : row.amount_vnd),
  },
  { name: t('pay.memo'), kind: 'text', of: (row) => row.content },
  { name: t('webhooks.reference'), kind: 'code', of: (row) => row.reference },
  { name: t('orders.stage'), kind: 'text', of: (row) => tMaybe('transfer_state', row.state) },
  {
    name: t('unmatched.why'),
    kind: 'text',
    of: (row) => (row.reason ? tMaybe('reason', row.reason) : row.note),
  },
  { name: t('orders.code'), kind: 'code', of: (row) => row.order },
  { name: t('orders.customer'), kind: 'text', of: (row) => row.customer?.name || row.customer?.email },
];

export const customerColumns = (): Column<CustomerRow>[] => [
  { name: t('customers.name'), kind: 'text', of: (row) => row.name },
  { name: t('create.email'), kind: 'text', of: (row) => row.email },
  { name: t('create.phone'), kind: 'code', of: (row) => row.phone?.replace(/^\+84/, '0') },
  { name: t('customers.deposit_code'), kind: 'code', of: (row) => row.deposit_code },
  { name: t('customers.wallet'), kind: 'money', of: (row) => row.wallet_vnd },
  { name: t('customers.orders'), kind: 'count', of: (row) => row.orders },
  { name: t('customers.spent'), kind: 'money', of: (row) => row.spent_vnd },
  { name: t('customers.last'), kind: 'at', of: (row) => row.last_order_at },
];

export const ledgerColumns = (): Column<LedgerRow>[] => [
  { name: t('ledger.entry'), kind: 'code', of: (row) => row.id },
  { name: t('ledger.at'), kind: 'at', of: (row) => row.at },
  { name: t('ledger.what'), kind: 'text', of: (row) => tMaybe('ledger_kind', row.kind) },
  { name: t('ledger.from'), kind: 'text', of: (row) => row.debit },
  { name: t('ledger.to'), kind: 'text', of: (row) => row.credit },
  { name: t('ledger.value'), kind: 'money', of: (row) => row.amount_vnd },
  { name: t('ledger.after'), kind: 'money', of: (row) => row.balance_after_vnd },
  { name: t('orders.code'), kind: 'code', of: (row) => row.order },
  { name: t('orders.customer'), kind: 'text', of: (row) => row.customer?.name },
  { name: t('common.reason'), kind: 'text', of: (row) => row.note },
];

export const webhookColumns = (): Column<WebhookRow>[] => [
  { name: 'SePay id', kind: 'code', of: (row) => row.sepay_id },
  { name: t('webhooks.received'), kind: 'at', of: (row) => row.received_at },
  {
    name: t('orders.amount'),
    kind: 'money',
    of: (row) => (row.direction === 'out' ? `-${row.amount_vnd}` : row.amount_vnd),
  },
  { name: t('webhooks.outcome'), kind: 'text', of: (row) => tMaybe('outcome', row.outcome) },
  { name: t('pay.memo'), kind: 'text', of: (row) => row.content },
  { name: t('orders.code'), kind: 'code', of: (row) => row.order },
  { name: t('webhooks.source'), kind: 'text', of: (row) => tMaybe('webhook_source', row.source) },
  { name: t('webhooks.repeated'), kind: 'count', of: (row) => row.repeats },
];

export const taskColumns = (): Column<TaskRow>[] => [
  { name: t('queue.task'), kind: 'code', of: (row) => row.id },
  { name: t('queue.kind'), kind: 'text', of: (row) => tMaybe('task_kind', row.kind) },
  { name: t('orders.code'), kind: 'code', of: (row) => row.order },
  { name: t('orders.course'), kind: 'text', of: (row) => row.course },
  { name: t('orders.stage'), kind: 'text', of: (row) => tMaybe('task', row.state) },
  { name: t('queue.attempt'), kind: 'count', of: (row) => row.attempt },
  { name: t('queue.doing'), kind: 'text', of: (row) => row.error?.code },
  { name: t('orders.created'), kind: 'at', of: (row) => row.created_at },
  { name: t('queue.finished'), kind: 'at', of: (row) => row.finished_at },
];
