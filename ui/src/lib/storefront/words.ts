/** Scopes, events and the state of an event that is sent, in plain words. */
import type { OutgoingRow } from '../api/types';
import { errorWords } from '../errors/words.svelte';
import { t, tMaybe } from '../i18n/index.svelte';
import { say } from '../i18n/say.svelte';
import type { Tone } from '../ui/Tag.svelte';

/** What a website needs to sell, and no more: it lists the courses, makes an order and sends the buyer to its page. */
export const LEAST = ['courses:read', 'orders:write'];

/** The catalogue's keys have no colon. */
const word = (name: string): string => name.replace(':', '_').replace('.', '_');

export const scopeWord = (scope: string): string => tMaybe('scope', word(scope));
export const scopeHint = (scope: string): string => tMaybe('scope_hint', word(scope));
export const eventWord = (event: string): string => tMaybe('out_event', word(event));

/** Several things in one sentence. */
export const list = (words: readonly string[]): string => words.join(', ');

export const TONES: Record<string, Tone> = {
  delivered: 'done',
  waiting: 'wait',
  sending: 'run',
  retrying: 'retry',
  failed: 'fail',
  called_off: 'off',
};

export const ENDPOINT_TONES: Record<string, Tone> = {
  on: 'done',
  off: 'off',
  gone: 'fail',
  no_secret: 'retry',
};

/** How the last attempt ended and what comes next. */
export function outcome(row: OutgoingRow): string {
  const http = row.status == null ? '' : ` (HTTP ${row.status})`;
  if (row.state === 'delivered') return t('storefront.taken', { http });
  if (row.state === 'retrying' || row.state === 'failed') {
    const words = errorWords(row.error?.code ?? 'unknown');
    if (row.next_at)
      return `${words.title}${http}. ${words.cause} ${t('storefront.next', { time: say.dateTime(row.next_at) })}`;
    // What was tried again and again is not mended by waiting.
    const tired = row.state === 'failed' && row.error?.class === 'transient';
    return `${words.title}${http}. ${tired ? t('storefront.given_up') : words.fix}`;
  }
  return t(row.state === 'called_off' ? 'storefront.called_off' : 'storefront.sending');
}
