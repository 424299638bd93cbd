/**
 * The wire types of the admin API, one name per view model of the core.
 *
 * Money is whole đồng (`*_vnd`), times are RFC 3339 UTC strings (`*_at`). The rest of the UI imports from
 * here only, so that generating them from the OpenAPI document touches this file alone.
 */

export type Stage =
  'pending' | 'paid' | 'processing' | 'completed' | 'failed' | 'expired' | 'cancelled' | 'refunded';
export type Flag = 'underpaid' | 'overpaid' | 'late' | 'paid_twice' | 'marked';
export type Delivery = 'waiting' | 'preparing' | 'sharing' | 'delivered' | 'failed' | 'revoked';
export type TaskState = 'scheduled' | 'ready' | 'running' | 'done' | 'failed' | 'cancelled';

export type Page<T> = { rows: T[]; next?: string | null };

export type Money = {
  in_vnd: number;
  orders_vnd: number;
  wallets_vnd: number;
  unmatched_vnd: number;
  set_aside_vnd: number;
  difference_vnd: number;
  transfers: number;
  ledger_ok: boolean;
};

export type QueueCounts = {
  queued: number;
  running: number;
  retrying: number;
  failed: number;
  oldest_wait_ms: number;
  workers: number;
  busy: number;
  paused: boolean;
};

export type Today = {
  date: string;
  in_vnd: number;
  in_before_vnd: number;
  transfers: number;
  paid: number;
  paid_before: number;
  awaiting: number;
  completed: number;
  completed_before: number;
  delivery_p50_s?: number | null;
  delivery_p95_s?: number | null;
  hours_vnd: number[];
};

export type Attention =
  | { kind: 'failures'; group: FailureGroup }
  | { kind: 'unmatched'; count: number; amount_vnd: number; oldest_at: string }
  | { kind: 'wrong_amount'; count: number }
  | { kind: 'undelivered'; count: number; oldest_at: string }
  | { kind: 'secrets'; code: string };

export type Overview = {
  shop: string;
  demo: boolean;
  version: string;
  stages: Record<string, number>;
  today: Today;
  queue: QueueCounts;
  queue_sparkline: number[];
  money: Money;
  attention: Attention[];
  newest: OrderRow[];
  last_transfer_at?: string | null;
  checklist: Checklist;
  receiving: Receiving;
};

export type Receiving = {
  state: string;
  since: string;
  webhook_url: string;
  last_webhook_at?: string | null;
  rejected_24h: number;
};

export type OrderRow = {
  code: string;
  customer: CustomerName;
  summary: string;
  stage: Stage;
  flags: Flag[];
  total_vnd: number;
  paid_vnd: number;
  vip: boolean;
  created_at: string;
  paid_at?: string | null;
  completed_at?: string | null;
  retry_at?: string | null;
};

export type CustomerName = { id: number; name: string; email: string; phone?: string | null };

export type OrderDetail = {
  order: OrderRow;
  note: string;
  channel: string;
  expires_at: string;
  items: OrderItem[];
  payment?: Payment | null;
  timeline: TimelineRow[];
  tasks: TaskRow[];
  transfers: TransferRow[];
  mails: MailRow[];
  actions: string[];
};

export type OrderItem = {
  course: string;
  title: string;
  price_vnd: number;
  delivery: Delivery;
  link?: string | null;
};

export type Payment = {
  bank: string;
  bin: string;
  account: string;
  holder: string;
  memo: string;
  amount_vnd: number;
  vietqr: string;
  pay_url: string;
  qr_svg: string;
};

export type TimelineRow = {
  id: number;
  at: string;
  kind: string;
  data: Record<string, unknown>;
  actor: string;
};

export type MailRow = {
  id: number;
  recipient: string;
  subject: string;
  state: string;
  created_at: string;
  sent_at?: string | null;
};

export type TransferRow = {
  id: number;
  sepay_id: number;
  direction: string;
  amount_vnd: number;
  gateway: string;
  account: string;
  content: string;
  reference: string;
  state: string;
  reason?: string | null;
  level?: string | null;
  order?: string | null;
  received_at: string;
  booked_at?: string | null;
};

export type TaskRow = {
  id: number;
  kind: string;
  lane: string;
  state: TaskState;
  stage: string;
  attempt: number;
  max_attempt: number;
  vip: boolean;
  order?: string | null;
  course?: string | null;
  waiting_for_course: boolean;
  run_at?: string | null;
  created_at: string;
  started_at?: string | null;
  finished_at?: string | null;
  error?: ErrorText | null;
  progress?: Progress | null;
};

export type ErrorText = { code: string; class: string; detail: string };

export type Progress = {
  stage: string;
  done_bytes: number;
  total_bytes?: number | null;
  bytes_per_s: number;
  eta_s?: number | null;
  item?: string | null;
};

export type TaskDetail = {
  task: TaskRow;
  stages: StageRow[];
  attempts: AttemptRow[];
  waiting_orders: number;
  lease_epoch: number;
  dedupe_key?: string | null;
  actions: string[];
};

export type StageRow = { stage: string; state: string; ended_at?: string | null };
export type AttemptRow = { stage: string; started_at: string; ended_at: string; error: ErrorText };

export type FailureGroup = {
  group: string;
  kind: string;
  stage: string;
  error: ErrorText;
  count: number;
  orders: number;
  amount_vnd: number;
  first_at: string;
  last_at: string;
  sample_orders: string[];
  sample_courses: string[];
};

export type Failures = {
  groups: FailureGroup[];
  failed: number;
  retrying: number;
  last_resolved_at?: string | null;
};

export type FailureFilter = { group?: string; kind?: string; code?: string; ids?: number[] };
export type RetryRequest = { filter?: FailureFilter; dry_run?: boolean };
export type RetryReport = { matched: number; retried: number; skipped: number };

export type Queue = { counts: QueueCounts; lanes: LaneRow[]; workers: WorkerRow[]; stale_refused: number };

export type LaneRow = {
  name: string;
  ready: number;
  running: number;
  scheduled: number;
  failed: number;
  limit: number;
  oldest_wait_ms: number;
  per_minute: number;
  paused_at?: string | null;
  resumes_at?: string | null;
  reason?: string | null;
};

export type WorkerRow = {
  id: number;
  state: string;
  task?: TaskRow | null;
  started_at?: string | null;
  seen_at: string;
  restarts: number;
};

export type PauseRequest = { lane?: string; minutes?: number; reason?: string };

export type CourseRow = {
  slug: string;
  title: string;
  price_vnd: number;
  source: Record<string, unknown>;
  target: Record<string, unknown>;
  active: boolean;
  version: number;
  ready: boolean;
  bytes?: number | null;
  files?: number | null;
  sold: number;
};

export type CustomerRow = {
  id: number;
  name: string;
  email: string;
  phone?: string | null;
  deposit_code: string;
  wallet_vnd: number;
  orders: number;
  created_at: string;
};

export type Checklist = { done: number; total: number; rows: CheckRow[] };

export type CheckRow = {
  id: string;
  state: string;
  code?: string | null;
  detail?: string | null;
  checked_at?: string | null;
};

export type Settings = {
  shop: ShopSettings;
  sepay: SepaySettings;
  bank_accounts: BankAccount[];
  mail: MailSettings;
  workers: WorkerSettings;
  orders: OrderSettings;
  notifications: NotificationSettings;
  secrets: SecretRow[];
  secret_store: string;
};

export type ShopSettings = { name: string; language: string };
export type SepaySettings = {
  webhook_url: string;
  last_webhook_at?: string | null;
  timestamp_tolerance_s: number;
};
export type BankAccount = {
  id?: number | null;
  bank: string;
  bin?: string | null;
  account: string;
  holder: string;
  virtual_account?: string | null;
  memo_prefix?: string | null;
  preferred?: boolean;
};
export type MailSettings = {
  transport: string;
  host: string;
  port: number;
  tls: string;
  user: string;
  from: string;
};
export type WorkerSettings = { count: number; lease_s: number; retry_base_s: number; retry_max: number };
export type OrderSettings = {
  expire_after_min: number;
  tolerance_vnd: number;
  link_days: number;
  link_max_downloads: number;
};
export type NotificationSettings = { desktop: boolean; quiet_from: string; quiet_to: string };
export type SecretRow = { name: string; set: boolean; hint?: string | null };

export type Notice = {
  id: number;
  class: number;
  kind: string;
  data: Record<string, unknown>;
  count: number;
  first_at: string;
  last_at: string;
  state: string;
  route: string;
};

export type NewOrder = {
  customer: NewCustomer;
  items: NewItem[];
  priority?: string | null;
  pay_from_wallet?: boolean;
  note?: string | null;
};
export type NewCustomer = { email: string; name?: string; phone?: string | null };
export type NewItem = { course: string };

export type SimulateTransfer = { order?: string; amount_vnd?: number; content?: string; id?: number };
export type SimulatedTransfer = { sepay_id: number; http_status: number; answer: unknown };

export type MailboxMessage = {
  file: string;
  to: string;
  subject: string;
  at: string;
  text?: string | null;
  html?: string | null;
};

/** One numbered event; `progress` is keyed by task id. */
export type Event = { seq: number; topics: string[]; progress: Record<string, Progress> };

export type Problem = { type: string; title: string; status: number; code: string; detail: string };
