/** Retry of many: at once up to ten tasks, above that after a preview of the count. */
import { api } from '../api/api';
import type { FailureFilter, RetryReport } from '../api/types';
import { t } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { attempt, toast } from '../ui/toast.svelte';

export const PREVIEW_ABOVE = 10;

class Preview {
  /** What would be retried, while the owner is asked. */
  wanted = $state.raw<{ filter: FailureFilter; matched: number }>();
}

export const preview = new Preview();

/** `count` is how many are shown; the preview counts again. */
export async function retryMany(filter: FailureFilter, count: number): Promise<void> {
  if (count <= PREVIEW_ABOVE) {
    await retryNow(filter);
    return;
  }
  const counted = await attempt(() => api.retryFailures({ filter, dry_run: true }));
  if (counted) preview.wanted = { filter, matched: counted.matched };
}

export async function retryNow(filter: FailureFilter): Promise<RetryReport | undefined> {
  const report = await attempt(() => api.retryFailures({ filter, dry_run: false }));
  if (report) {
    const skipped = report.skipped > 0 ? t('retry.skipped', { n: report.skipped }) : '';
    toast.ok(t('retry.done', { n: report.retried }), skipped);
  }
  live.touch(['failures', 'queue', 'orders']);
  return report;
}

/** Demo: puts the missing source of the course that fails on purpose, so that a retry can succeed. */
export async function mendDemoSource(): Promise<void> {
  const done = await attempt(async () => {
    await api.mendDemoSource();
    return true;
  });
  if (done) toast.ok(t('failures.mended'));
}
