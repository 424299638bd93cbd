/** The sentence of each timeline row, and how it is marked. */
import type { TimelineRow } from '../api/types';
import { errorWords } from '../errors/words.svelte';
import { isKey, t, tMaybe, type Key } from '../i18n/index.svelte';
import { say } from '../i18n/say.svelte';

export type Mark = 'good' | 'bad' | 'flag' | 'plain' | 'note';

const MARKS: Record<string, Mark> = {
  transfer: 'good',
  matched: 'good',
  booked: 'good',
  course_ready: 'good',
  shared: 'good',
  mail_sent: 'good',
  completed: 'good',
  attempt_failed: 'bad',
  failed: 'bad',
  overpaid: 'flag',
  underpaid: 'flag',
  late: 'flag',
  paid_twice: 'flag',
  wallet_paid: 'good',
  email_changed: 'flag',
  refunded: 'flag',
  access_revoked: 'flag',
  match_undone: 'flag',
  reversed: 'flag',
  note: 'note',
};

/** `sepayId` leads to what SePay sent. */
export type TimelineWords = { mark: Mark; title: string; text: string; code?: string; sepayId?: string };

export function timelineWords(row: TimelineRow): TimelineWords {
  const { data } = row;
  const text = (name: string): string => {
    const value = data[name];
    return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
  };
  const vnd = (name: string): string => {
    const value = data[name];
    return typeof value === 'number' ? say.money(value) : '';
  };
  const key = `timeline.${row.kind}`;
  const words = {
    id: text('sepay_id'),
    level: tMaybe('level', text('level')),
    amount: vnd('amount_vnd'),
    paid: vnd('paid_vnd'),
    total: vnd('total_vnd'),
    difference: vnd('difference_vnd'),
    course: text('course'),
    recipient: text('recipient'),
    step: tMaybe('step', text('stage')),
    task: tMaybe('task_kind', text('task')),
    attempt: text('attempt'),
    max: text('max'),
    reason: text('reason'),
  };
  const result: TimelineWords = {
    mark: row.actor === 'owner' && row.kind !== 'note' ? 'plain' : (MARKS[row.kind] ?? 'plain'),
    title: isKey(key) ? t(key as Key, words) : row.kind,
    text: '',
  };
  switch (row.kind) {
    case 'transfer':
      result.text = [vnd('amount_vnd'), text('gateway'), text('reference')].filter(Boolean).join(' · ');
      if (words.id !== '') result.sepayId = words.id;
      break;
    case 'matched':
    case 'booked':
      if (words.total === '') break;
      result.text = t('timeline.booked_text', words);
      break;
    case 'attempt_failed':
    case 'failed': {
      const error = errorWords(text('code'));
      result.text = error.title;
      result.code = text('code');
      const at = text('retry_at');
      if (at) result.text += ` · ${t('timeline.retry_at', { time: say.clock(at) })}`;
      break;
    }
    case 'retried':
      if (words.step === '') result.title = t('timeline.retried_plain');
      break;
    case 'surplus_moved':
      result.text = [tMaybe('timeline', `to_${text('to')}`), text('reason')].filter(Boolean).join(' · ');
      break;
    case 'email_changed':
      result.text = [`${text('from')} → ${text('to')}`, text('reason')].filter(Boolean).join(' · ');
      break;
    case 'announced':
      result.text = t('courses.v', { n: text('version') });
      break;
    case 'note':
      result.text = text('text');
      break;
    default:
      result.text = text('reason');
  }
  return result;
}
