/** Asking SePay now for what may have been missed; `from` = everything since that day in Vietnam, `2026-11-20`. */
import { money, MONEY_TOPICS } from '../api/money';
import { t } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { attempt, toast } from '../ui/toast.svelte';

export async function reconcileNow(from?: string): Promise<void> {
  const done = await attempt(async () => {
    await money.reconcile(from);
    return true;
  });
  live.touch([...MONEY_TOPICS, 'reconcile']);
  if (done) toast.ok(t('reconcile.started'));
}
