/** What a row of the record says, in the owner's words. */
import type { AuditRow } from '../api/types';
import { isKey } from '../i18n/messages';
import { t, tMaybe } from '../i18n/index.svelte';
import { say } from '../i18n/say.svelte';
import { hashOf, type PageName } from '../route.svelte';

/** The kinds of actions that the list can be narrowed to. */
export const KINDS = [
  'order.',
  'transfer.',
  'wallet.',
  'ledger.',
  'course.',
  'bundle.',
  'customer.',
  'task.',
  'queue.',
  'settings.',
  'bank_account.',
  'secret.',
  'storefront_key.',
  'worker_key.',
  'webhook.',
  'mail_template.',
  'backup.',
  'login',
  'export',
] as const;

export function who(actor: string): string {
  const [kind = '', name = ''] = actor.split(/:(.*)/s);
  return name === '' ? tMaybe('audit_actor', kind) : `${tMaybe('audit_actor', kind)} ${name}`;
}

export const what = (action: string): string => tMaybe('audit_action', action);

/** Logins and exports are done to nothing that has a name of its own. */
export const subject = (row: AuditRow): string => (row.subject === 'private' ? '' : row.subject);

/** The page that shows what it was done to. */
export function subjectLink(row: AuditRow): string | undefined {
  const to = (page: PageName, detail: string | null = null): string => hashOf({ page, detail });
  const [kind] = row.action.split('.');
  if (kind === 'order') return to('orders', row.subject);
  if (kind === 'task') return to('queue', row.subject);
  if (kind === 'course') return to('courses', row.subject);
  if (kind === 'wallet') return to('customers', row.subject);
  if (kind === 'mail_template') {
    const [mail = '', lang = ''] = row.subject.split('.');
    return hashOf({ page: 'settings', detail: 'mail-templates', filters: { mail, lang } });
  }
  if (kind === 'storefront_key') return hashOf({ page: 'settings', filters: { section: 'storefront' } });
  if (kind === 'settings' || kind === 'secret') return to('settings');
  return undefined;
}

function value(key: string, given: unknown): string {
  if (given === null || given === undefined || given === '') return t('audit.nothing');
  if (typeof given === 'boolean') return t(given ? 'audit.yes' : 'audit.no');
  if (typeof given === 'number') {
    if (key.endsWith('_vnd')) return say.money(given);
    if (key.endsWith('_until') || key.endsWith('_at')) return say.dateTime(new Date(given).toISOString());
    return say.count(given);
  }
  if (Array.isArray(given)) return given.map((one) => value('', one)).join(', ');
  if (typeof given === 'object') {
    return Object.entries(given)
      .map(([name, one]) => `${label(name)} ${value(name, one)}`)
      .join(', ');
  }
  const text = String(given);
  return isKey(`audit_value.${text}`) ? t(`audit_value.${text}` as Parameters<typeof t>[0]) : text;
}

/** A field's name; one without words of its own is shown as it is. */
function label(name: string): string {
  return tMaybe('audit_field', name);
}

/** The details, a line each: what changed from what to what, else every field. */
export function details(row: AuditRow): string[] {
  const data = row.data as Record<string, unknown>;
  const changed = data['changed'];
  if (changed !== null && typeof changed === 'object') {
    const lines = Object.entries(changed as Record<string, [unknown, unknown]>).map(
      ([name, [before, after]]) => {
        const key = name.split('.').at(-1) ?? name;
        return t('audit.changed', {
          what: label(name),
          before: value(key, before),
          after: value(key, after),
        });
      },
    );
    return lines.length > 0 ? lines : [t('audit.unchanged')];
  }
  return Object.entries(data)
    .filter(([, given]) => given !== null && given !== '')
    .map(([name, given]) => `${label(name)}: ${value(name, given)}`);
}
