/** The record of human actions as a file. */
import type { AuditRow } from '../api/types';
import type { Column } from '../export/csv';
import { t } from '../i18n/index.svelte';
import { details, subject, what, who } from './words';

export const auditColumns = (): Column<AuditRow>[] => [
  { name: t('ledger.entry'), kind: 'code', of: (row) => row.id },
  { name: t('ledger.at'), kind: 'at', of: (row) => row.at },
  { name: t('audit.who'), kind: 'text', of: (row) => who(row.actor) },
  { name: t('audit.what'), kind: 'text', of: (row) => what(row.action) },
  { name: t('audit.subject'), kind: 'code', of: (row) => subject(row) },
  { name: t('audit.details'), kind: 'text', of: (row) => details(row).join('; ') },
];
