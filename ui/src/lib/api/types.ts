/**
 * The wire types of the admin API by their short names.
 *
 * `generated.ts` is written from the server's own OpenAPI document (`cargo xtask codegen`); this file only names what
 * the UI uses, and says "some JSON" where the document says "an object". Money is whole đồng (`*_vnd`), times are
 * RFC 3339 UTC strings (`*_at`).
 */
import type { components } from './generated';

type Schemas = components['schemas'];
/** A schema whose `field` holds words that depend on the kind of row. */
type WithData<S extends keyof Schemas, Field extends string> = Omit<Schemas[S], Field> &
  Record<Field, Record<string, unknown>>;

export type Page<T> = { rows: T[]; next?: string | null };

export type TimelineRow = WithData<'TimelineRow', 'data'>;
export type Notice = WithData<'Notice', 'data'>;
export type CourseRow = Omit<Schemas['CourseRow'], 'source' | 'target'> & {
  source: Spec;
  target: Spec;
  enrolment?: Spec | null;
};
export type SimulatedTransfer = Omit<Schemas['SimulatedTransfer'], 'answer'> & { answer: unknown };
export type OrderDetail = Omit<Schemas['OrderDetail'], 'timeline'> & { timeline: TimelineRow[] };

// What is sent: fields with a default may be left out.
export type FailureFilter = Partial<Schemas['FailureFilter']>;
export type RetryRequest = { filter?: FailureFilter; dry_run?: boolean };
export type PauseRequest = Partial<Schemas['PauseRequest']>;
export type SimulateTransfer = Partial<Schemas['SimulateTransfer']>;
export type NewCustomer = Pick<Schemas['NewCustomer'], 'email'> & Partial<Schemas['NewCustomer']>;
export type NewOrder = Partial<Schemas['NewOrder']> & { customer: NewCustomer; items: NewItem[] };
export type BankAccount = Pick<Schemas['BankAccount'], 'bank' | 'account' | 'holder'> &
  Partial<Schemas['BankAccount']>;

export type Stage = Schemas['Stage'];
export type Flag = Schemas['Flag'];
export type Delivery = Schemas['Delivery'];
export type TaskState = Schemas['TaskState'];
export type Money = Schemas['Money'];
export type QueueCounts = Schemas['QueueCounts'];
export type Today = Schemas['Today'];
export type Attention = Schemas['Attention'];
export type Overview = Schemas['Overview'];
export type Tunnel = Schemas['Tunnel'];
export type TunnelSettings = Schemas['TunnelSettings'];
export type Receiving = Schemas['Receiving'];
export type CustomerName = Schemas['CustomerName'];
export type OrderItem = Schemas['OrderItem'];
export type Payment = Schemas['Payment'];
export type MailRow = Schemas['MailRow'];
export type TransferRow = Schemas['TransferRow'];
export type ErrorText = Schemas['ErrorText'];
export type Progress = Schemas['Progress'];
export type TaskDetail = Schemas['TaskDetail'];
export type StageRow = Schemas['StageRow'];
export type AttemptRow = Schemas['AttemptRow'];
export type FailureGroup = Schemas['FailureGroup'];
export type Failures = Schemas['Failures'];
export type RetryReport = Schemas['RetryReport'];
export type Queue = Schemas['Queue'];
export type LaneRow = Schemas['LaneRow'];
export type WorkerRow = Schemas['WorkerRow'];
export type CustomerRow = Schemas['CustomerRow'];
export type Checklist = Schemas['Checklist'];
export type CheckRow = Schemas['CheckRow'];
export type Settings = Schemas['Settings'];
export type ShopSettings = Schemas['ShopSettings'];
export type SepaySettings = Schemas['SepaySettings'];
export type MailSettings = Schemas['MailSettings'];
export type WorkerSettings = Schemas['WorkerSettings'];
export type OrderSettings = Schemas['OrderSettings'];
export type LimitSettings = Schemas['LimitSettings'];
export type NotificationSettings = Schemas['NotificationSettings'];
export type SecretRow = Schemas['SecretRow'];
export type NewItem = Schemas['NewItem'];
export type MailboxMessage = Schemas['MailboxMessage'];
export type Event = Schemas['Event'];
export type Problem = Schemas['Problem'];
export type OrderRow = Schemas['OrderRow'];
export type TaskRow = Schemas['TaskRow'];

// Money, the inbox and reconciliation.
export type LedgerRow = Schemas['LedgerRow'];
export type Evidence = Schemas['Evidence'];
export type Suggestion = Schemas['Suggestion'];
export type TransferAction = Schemas['TransferAction'];
export type TransferDetail = Schemas['TransferDetail'];
export type Wallet = Schemas['WalletSummary'];
export type CustomerDetail = Schemas['CustomerDetail'];
export type WebhookRow = Schemas['WebhookRow'];
export type WebhookDetail = Omit<Schemas['WebhookDetail'], 'response'> & {
  response: { status: number; body: unknown };
};
export type WebhookSummary = Schemas['WebhookSummary'];
export type Reconcile = Schemas['Reconcile'];
export type ReconcileRun = Schemas['ReconcileRun'];

// The catalogue.
/** A source, a target or an enrolment: `kind` says which further fields it has. */
export type Spec = { kind: string; [field: string]: unknown };
export type CourseChange = Omit<
  Partial<Schemas['CourseChange']>,
  'source' | 'target' | 'enrolment' | 'title' | 'price_vnd'
> & {
  title: string;
  price_vnd: number;
  source: Spec;
  target: Spec;
  enrolment?: Spec | null;
};
export type CourseDetail = Omit<Schemas['CourseDetail'], 'course'> & { course: CourseRow };
export type CourseCheck = Schemas['CourseCheck'];
export type Announcement = Schemas['Announcement'];
export type SourceListing = Schemas['SourceListing'];
export type BundleRow = Schemas['BundleRow'];
export type BundleChange = Pick<Schemas['BundleChange'], 'title' | 'price_vnd' | 'courses'> &
  Partial<Schemas['BundleChange']>;
export type AddressRequest = Pick<Schemas['AddressRequest'], 'email'> & Partial<Schemas['AddressRequest']>;

// The shop itself.
export type LogLine = Schemas['LogLine'];
export type LogPage = Schemas['LogPage'];
export type HealthPage = Schemas['HealthPage'];
export type HealthCard = Schemas['HealthCard'];
export type Backups = Schemas['Backups'];
export type BackupRow = Schemas['BackupRow'];
export type BackupContents = Schemas['BackupContents'];
export type Diagnostics = Schemas['Diagnostics'];

// Shapes of the parts beside this one.
export type ServiceRow = Schemas['ServiceRow'];
export type Services = Schemas['Services'];
export type ExternalWorker = Schemas['ExternalWorker'];
export type WorkerKeyShown = Schemas['WorkerKeyShown'];
export type RecipeRow = Schemas['RecipeRow'];
export type RecipeTest = Schemas['RecipeTest'];
export type Google = Schemas['Google'];

// The words of mails.
export type MailTemplateRow = Schemas['MailTemplateRow'];
export type MailTemplate = Schemas['MailTemplate'];
export type MailMistake = Schemas['MailMistake'];
export type MailPreview = Schemas['MailPreview'];
export type MailTexts = Partial<Schemas['MailTexts']>;
// Websites that sell for the shop.
export type Storefront = Schemas['StorefrontApi'];
export type StorefrontKeyRow = Schemas['StorefrontKeyRow'];
export type StorefrontKeyShown = Schemas['StorefrontKeyShown'];
export type Endpoint = Schemas['WebhookEndpoint'];
export type EndpointChange = Pick<Schemas['WebhookEndpointChange'], 'url'> &
  Partial<Schemas['WebhookEndpointChange']>;
export type OutgoingRow = Schemas['OutgoingRow'];
// Keys and the record of human actions.
export type AuditRow = Schemas['AuditRow'];
export type AuditCheck = Schemas['AuditCheck'];
export type KeyRow = Schemas['KeyRow'];
export type KeysPage = Schemas['KeysPage'];
export type KeyRotated = Schemas['KeyRotated'];
