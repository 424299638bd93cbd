/** What the owner does to an order from several places. */
import { api, get } from '../api/api';
import type { OrderDetail } from '../api/types';
import { t } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { attempt, toast } from '../ui/toast.svelte';

/** Puts the failed tasks of an order back in the queue. */
export async function retryOrder(code: string, known?: OrderDetail): Promise<void> {
  const detail = known ?? (await attempt(() => get<OrderDetail>(`orders/${encodeURIComponent(code)}`)));
  if (!detail) return;
  const failed = detail.tasks.filter((task) => task.state === 'failed').map((task) => task.id);
  if (failed.length === 0) {
    toast.ok(t('orders.nothing_to_retry', { code }));
    return;
  }
  const report = await attempt(() => api.retryFailures({ filter: { ids: failed }, dry_run: false }));
  if (report) toast.ok(t('retry.done', { n: report.retried }), code);
  live.touch(['orders', `order:${code}`, 'queue', 'failures']);
}

/** Pays an order in the demo; `lost` = the bank has the money and its webhook never comes. */
export async function simulatePayment(code: string, lost = false): Promise<boolean> {
  const answer = await attempt(() => api.simulateTransfer({ order: code, lost }));
  if (!answer) return false;
  const words = lost ? t('pay.simulated_lost') : t('pay.simulated', { status: answer.http_status });
  toast.ok(words, `SePay #${answer.sepay_id}`);
  live.touch(['orders', `order:${code}`, 'queue', 'money']);
  return true;
}
