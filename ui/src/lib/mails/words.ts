/** Words about templates: mistakes, places, and where a template is edited. */
import type { MailMistake, MailTemplateRow } from '../api/types';
import { isKey, t } from '../i18n/index.svelte';
import { hashOf } from '../route.svelte';

/** The detail of the settings page that holds the templates. */
export const MAIL_TEMPLATES = 'mail-templates' as const;

export function mistakeWords(mistake: MailMistake): string {
  const key = `mail_mistake.${mistake.code}`;
  if (!isKey(key)) return mistake.what;
  return t(key, { name: mistake.name ?? '…' });
}

/** `delivered.vi.text, dòng 3`. */
export function mistakePlace(mistake: MailMistake): string {
  const { file, line } = mistake;
  return line == null ? file : t('mails.place', { file, line });
}

export function hashOfTemplate(row?: Pick<MailTemplateRow, 'name' | 'lang'>): string {
  const filters: Record<string, string> = row ? { mail: row.name, lang: row.lang } : {};
  return hashOf({ page: 'settings', detail: MAIL_TEMPLATES, filters });
}
