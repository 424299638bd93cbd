/**
 * The wire types of the admin API, one name per view model of the core, generated from its OpenAPI document
 * by `cargo xtask codegen`. The rest of the UI imports them from here only.
 *
 * Money is whole đồng (`*_vnd`), times are RFC 3339 UTC strings (`*_at`).
 */
import type { components } from './generated';

type Schemas = components['schemas'];

export type Page<T> = { rows: T[]; next?: string | null };

export type Stage = Schemas['Stage'];
export type Flag = Schemas['Flag'];
export type Delivery = Schemas['Delivery'];
export type TaskState = Schemas['TaskState'];
export type Money = Schemas['Money'];
export type QueueCounts = Schemas['QueueCounts'];
export type Today = Schemas['Today'];
export type Attention = Schemas['Attention'];
export type Overview = Schemas['Overview'];
export type Receiving = Schemas['Receiving'];
export type OrderRow = Schemas['OrderRow'];
export type CustomerName = Schemas['CustomerName'];
export type OrderDetail = Schemas['OrderDetail'];
export type OrderItem = Schemas['OrderItem'];
export type Payment = Schemas['Payment'];
export type TimelineRow = Schemas['TimelineRow'];
export type MailRow = Schemas['MailRow'];
export type TransferRow = Schemas['TransferRow'];
export type TaskRow = Schemas['TaskRow'];
export type ErrorText = Schemas['ErrorText'];
export type Progress = Schemas['Progress'];
export type TaskDetail = Schemas['TaskDetail'];
export type StageRow = Schemas['StageRow'];
export type AttemptRow = Schemas['AttemptRow'];
export type FailureGroup = Schemas['FailureGroup'];
export type Failures = Schemas['Failures'];
export type FailureFilter = Schemas['FailureFilter'];
export type RetryRequest = Schemas['RetryRequest'];
export type RetryReport = Schemas['RetryReport'];
export type Queue = Schemas['Queue'];
export type LaneRow = Schemas['LaneRow'];
export type WorkerRow = Schemas['WorkerRow'];
export type PauseRequest = Schemas['PauseRequest'];
export type CourseRow = Schemas['CourseRow'];
export type CustomerRow = Schemas['CustomerRow'];
export type Checklist = Schemas['Checklist'];
export type CheckRow = Schemas['CheckRow'];
export type Settings = Schemas['Settings'];
export type ShopSettings = Schemas['ShopSettings'];
export type SepaySettings = Schemas['SepaySettings'];
export type BankAccount = Schemas['BankAccount'];
export type MailSettings = Schemas['MailSettings'];
export type WorkerSettings = Schemas['WorkerSettings'];
export type OrderSettings = Schemas['OrderSettings'];
export type NotificationSettings = Schemas['NotificationSettings'];
export type SecretRow = Schemas['SecretRow'];
export type Notice = Schemas['Notice'];
export type NewOrder = Schemas['NewOrder'];
export type NewCustomer = Schemas['NewCustomer'];
export type NewItem = Schemas['NewItem'];
export type SimulateTransfer = Schemas['SimulateTransfer'];
export type SimulatedTransfer = Schemas['SimulatedTransfer'];
export type MailboxMessage = Schemas['MailboxMessage'];
/** One numbered event; `progress` is keyed by task id. */
export type Event = Schemas['Event'];
export type Problem = Schemas['Problem'];
