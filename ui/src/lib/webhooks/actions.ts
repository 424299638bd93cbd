/** Deciding a stored webhook anew; it can only help, since the same transfer is never booked twice. */
import { money, MONEY_TOPICS } from '../api/money';
import { t, tMaybe } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { attempt, toast } from '../ui/toast.svelte';

export async function reprocess(sepayId: number): Promise<void> {
  const done = await attempt(() => money.reprocess(sepayId));
  live.touch([...MONEY_TOPICS, 'queue', 'webhooks']);
  if (!done) return;
  toast.ok(
    t('webhooks.reprocessed', { id: sepayId }),
    [tMaybe('outcome', done.outcome), done.order].filter(Boolean).join(' · '),
  );
}
