/**
 * Wire types of the money pages that `generated.ts` does not hold yet; each goes from here when it does.
 *
 * Money is whole đồng (`*_vnd`), times are RFC 3339 UTC strings (`*_at`).
 */
import type { components } from './generated';

type Schemas = components['schemas'];

export type TransferCustomer = { id: number; name: string; email: string; deposit_code: string };

export type TransferRow = Schemas['TransferRow'] & {
  customer?: TransferCustomer | null;
  note?: string | null;
  age_s?: number;
};

export type Evidence = {
  kind: string;
  found?: string | null;
  meant?: string | null;
  amount_vnd?: number | null;
  seconds?: number | null;
};

export type SuggestedOrder = {
  code: string;
  stage: Schemas['Stage'];
  total_vnd: number;
  paid_vnd: number;
  /** What a match would leave: above 0 too much, below 0 still missing. */
  difference_vnd: number;
  summary: string;
  customer: TransferCustomer;
  created_at: string;
};

export type Suggestion = {
  order?: SuggestedOrder | null;
  customer?: TransferCustomer | null;
  score: number;
  evidence: Evidence[];
};

export type TransferDetail = {
  transfer: TransferRow;
  suggestions: Suggestion[];
  movements?: Schemas['LedgerRow'][];
  actions: string[];
  undo_until?: string | null;
};

export type WebhookRow = {
  sepay_id: number;
  received_at: string;
  source: string;
  outcome: string;
  direction: string;
  amount_vnd: number;
  gateway: string;
  content: string;
  reference: string;
  transfer_id: number;
  order?: string | null;
  repeats: number;
  different_body: boolean;
};

export type WebhookDetail = {
  row: WebhookRow;
  body: string;
  other_body?: string | null;
  response: { status: number; body: unknown };
  transfer_id: number;
  can_reprocess: boolean;
};

export type WebhookSummary = {
  webhook_url: string;
  last_webhook_at?: string | null;
  p95_ms?: number | null;
  today: Record<string, number>;
  rejected_24h: { reason: string; count: number; last_at: string }[];
};

export type ReconcileRun = {
  id: number;
  cause: string;
  state: string;
  started_at: string;
  ended_at?: string | null;
  listed: number;
  added: number;
  added_vnd: number;
  unreadable: number;
  slept_s: number;
  code?: string | null;
  detail?: string | null;
};

export type Reconcile = {
  state: string;
  configured: boolean;
  code?: string | null;
  last_run?: ReconcileRun | null;
  runs: ReconcileRun[];
  accounts: {
    account: string;
    bank: string;
    sepay_balance_vnd?: number | null;
    gap_vnd?: number | null;
    at: string;
  }[];
  difference_vnd: number;
  next_at?: string | null;
};
