/** The accounts of the ledger in words, and which way a movement goes for whoever it is about. */
import { t, tMaybe } from '../i18n/index.svelte';
import type { LedgerRow } from '../api/types';

/** Whose balance a movement is told for: the wallet, else the order. */
function subject(row: LedgerRow): string | undefined {
  const both = [row.credit, row.debit];
  return (
    both.find((account) => account.startsWith('wallet:')) ??
    both.find((account) => account.startsWith('order:'))
  );
}

/** Money in or out as seen from `account`, or from the wallet or order that the row is about; else nothing. */
export function signOf(row: LedgerRow, account?: string): '+' | '−' | '' {
  const about = account ?? subject(row);
  if (about === undefined) return row.debit === 'bank' ? '+' : '';
  if (row.credit === about) return '+';
  return row.debit === about ? '−' : '';
}

/** With whose it is, for a sentence; without, where that stands beside it. */
export function accountWords(account: string, row: LedgerRow, whose = true): string {
  const [kind = account, id] = account.split(':');
  if (!whose && (kind === 'order' || kind === 'wallet')) return t(`account.any_${kind}`);
  if (kind === 'order') return t('account.order', { code: row.order ?? `#${id ?? ''}` });
  if (kind === 'wallet') return t('account.wallet', { name: row.customer?.name || `#${id ?? ''}` });
  return tMaybe('account', kind);
}
