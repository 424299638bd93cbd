/** What the owner does to a task from several places. */
import { api } from '../api/api';
import type { TaskDetail } from '../api/types';
import { t } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { attempt, toast } from '../ui/toast.svelte';

/** Puts a task back in the queue at its failed stage, or at `fromStage`. */
export async function retryTask(id: number, fromStage?: string): Promise<TaskDetail | undefined> {
  const detail = await attempt(() => api.retryTask(id, fromStage));
  if (detail) toast.ok(t('retry.done', { n: 1 }), detail.task.order ?? `#${id}`);
  live.touch([`task:${id}`, 'queue', 'failures', 'orders']);
  return detail;
}
