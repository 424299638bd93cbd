/** What went wrong, for people: title, cause and fix by stable code. An unknown code still gets honest words. */
import { isKey, t } from '../i18n/index.svelte';

/** Codes that have words; a test pins each to both languages. */
export const CODES = [
  'source_not_found',
  'source_unreachable',
  'source_unauthorized',
  'source_changed',
  'source_server_error',
  'source_invalid',
  'checksum_mismatch',
  'disk_full',
  'target_unwritable',
  'link_broken',
  'mail_auth',
  'mail_refused',
  'mail_unreachable',
  'mail_not_set_up',
  'mail_temporary',
  'mail_template',
  'worker_crashed',
  'worker_hung',
  'timeout',
  'cancelled',
  'internal',
  'secret_store_unavailable',
  'not_found',
  'bad_request',
  'conflict',
  'login_required',
  'too_many_attempts',
  'not_demo',
  'order_not_cancellable',
  'task_not_retryable',
  'unknown_course',
  'no_bank_account',
  'invalid_email',
  'invalid_amount',
  'unknown_bank',
  'sepay_key_missing',
  'sepay_key_invalid',
  'sepay_token_missing',
  'sepay_token_wrong',
  'sepay_unreachable',
  'sepay_rate_limited',
  'sepay_unavailable',
  'sepay_refused',
  'sepay_answer_invalid',
  'unavailable',
  'database_unavailable',
  'method_not_allowed',
  'webhook_not_seen',
  'no_course',
  'notifications_off',
  'notifications_unavailable',
  'bank_account_invalid',
  'listener_unreachable',
  'secrets_in_memory',
  'already_matched',
  'already_delivered',
  'insufficient_funds',
  'ledger_stopped',
  'idempotency_conflict',
  'reason_required',
  'nothing_to_refund',
  'no_surplus',
  'wrong_product',
  'already_settled',
  'order_not_pending',
  'not_reversible',
  'already_reversed',
  'no_endpoint',
  // Said by the UI itself: no answer came.
  'unreachable',
] as const;

export type ErrorWords = { title: string; cause: string; fix: string };

export function errorWords(code: string): ErrorWords {
  const title = `error.${code}.title`;
  const cause = `error.${code}.cause`;
  const fix = `error.${code}.fix`;
  if (isKey(title) && isKey(cause) && isKey(fix)) return { title: t(title), cause: t(cause), fix: t(fix) };
  return {
    title: t('error.unknown.title', { code }),
    cause: t('error.unknown.cause'),
    fix: t('error.unknown.fix'),
  };
}
