/** A notice in words, for lists and the inbox alike. */
import type { Notice } from '../api/types';
import { errorWords } from '../errors/words.svelte';
import { isKey, t, tMaybe } from '../i18n/index.svelte';
import { say } from '../i18n/say.svelte';
import { dots } from '../ui/dots';

export function noticeTitle(notice: Notice): string {
  const key = `notice.${notice.kind}`;
  const told = notice.data['count'];
  const minutes = notice.data['minutes'];
  const words = {
    n: typeof told === 'number' ? told : notice.kind === 'tunnel_back' ? 0 : notice.count,
    minutes: typeof minutes === 'number' ? minutes : 0,
  };
  return isKey(key) ? t(key, words) : notice.kind;
}

export function noticeText(notice: Notice): string {
  const { data } = notice;
  const word = (name: string): string | undefined => {
    const value = data[name];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const [code, kind, amount] = [word('code'), word('task_kind'), data['amount_vnd']];
  return dots(
    code && errorWords(code).title,
    typeof data['sepay_id'] === 'number' && `SePay #${data['sepay_id']}`,
    word('address'),
    word('host'),
    word('order'),
    word('course'),
    kind && tMaybe('task_kind', kind),
    typeof amount === 'number' && say.money(amount),
  );
}
