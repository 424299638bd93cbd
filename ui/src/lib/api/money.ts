/** What the owner does with money: transfers, orders' money, wallets, the webhook inbox, reconciliation. */
import { post } from './api';
import type * as T from './types';

const enc = encodeURIComponent;

export type NewBuyer = { email: string; name?: string };

export const money = {
  match: (transfer: number, order: string) =>
    post<T.TransferDetail>(`transfers/${transfer}/match`, { order }),
  credit: (transfer: number, to: { customer_id: number } | NewBuyer) =>
    post<T.TransferDetail>(`transfers/${transfer}/credit`, to),
  createOrder: (transfer: number, customer: NewBuyer, courses: string[]) =>
    post<T.TransferDetail>(`transfers/${transfer}/create-order`, {
      customer,
      items: courses.map((course) => ({ course })),
    }),
  setAside: (transfer: number, reason: string) =>
    post<T.TransferDetail>(`transfers/${transfer}/set-aside`, { reason }),
  undo: (transfer: number) => post<T.TransferDetail>(`transfers/${transfer}/undo`),

  markPaid: (order: string, reason: string) =>
    post<T.OrderDetail>(`orders/${enc(order)}/mark-paid`, { reason }),
  /** No amount gives everything back. */
  refund: (order: string, reason: string, amount_vnd?: number) =>
    post<T.OrderDetail>(`orders/${enc(order)}/refund`, {
      reason,
      ...(amount_vnd === undefined ? {} : { amount_vnd }),
    }),
  surplus: (order: string, to: 'wallet' | 'set_aside', reason: string) =>
    post<T.OrderDetail>(`orders/${enc(order)}/surplus`, { to, ...(reason === '' ? {} : { reason }) }),
  payFromWallet: (order: string) => post<T.OrderDetail>(`orders/${enc(order)}/pay-from-wallet`),

  reverse: (entry: number, reason: string) => post<T.LedgerRow>(`ledger/${entry}/reverse`, { reason }),
  adjust: (customer: number, amount_vnd: number, reason: string) =>
    post<T.CustomerDetail>(`customers/${customer}/adjust`, { amount_vnd, reason }),

  reprocess: (sepayId: number) =>
    post<{ outcome: string; order?: string | null }>(`webhooks/${sepayId}/reprocess`),
  /** `from` is a day, `2026-11-20`; none goes on where the last run ended. */
  reconcile: (from?: string) => post<unknown>('reconcile', from === undefined ? {} : { from }),
};

/** Whatever money is shown in. */
export const MONEY_TOPICS = ['money', 'orders'] as const;
