/** Placing a transfer: at once, reported with an undo that also stays in the transfer itself. */
import { money, MONEY_TOPICS } from '../api/money';
import type { TransferDetail } from '../api/types';
import { t } from '../i18n/index.svelte';
import { live } from '../live/live.svelte';
import { attempt, toast } from '../ui/toast.svelte';

/** Runs `action` and reports `title`. A refusal becomes a toast, and whoever shows the transfer asks again. */
export async function place(
  action: () => Promise<TransferDetail>,
  title: (done: TransferDetail) => string,
  text = '',
): Promise<TransferDetail | undefined> {
  const done = await attempt(action);
  live.touch([...MONEY_TOPICS, 'queue']);
  if (!done) return undefined;
  if (done.actions.includes('undo')) {
    toast.undo(title(done), text, () => takeBack(done.transfer.id));
  } else {
    toast.ok(title(done), text);
  }
  return done;
}

export async function takeBack(transfer: number): Promise<TransferDetail | undefined> {
  const done = await attempt(() => money.undo(transfer));
  live.touch([...MONEY_TOPICS, 'queue']);
  if (done) toast.ok(t('unmatched.undone'));
  return done;
}
