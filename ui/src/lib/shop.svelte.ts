/** What every page may need: the Overview (counts, state), the settings, the inbox. Asked once, in the shell. */
import { getContext, setContext } from 'svelte';

import type { Notice, Overview, Page, Settings } from './api/types';
import { rowsOf } from './api/api';
import { Query } from './live/query.svelte';

const KEY = Symbol('shop');

export class ShopView {
  overview = new Query<Overview>(
    () => 'overview',
    () => ['orders', 'queue', 'failures', 'money', 'settings', 'tunnel'],
  );
  settings = new Query<Settings>(
    () => 'settings',
    // A webhook that came shows in the settings too.
    () => ['settings', 'money', 'tunnel'],
  );
  #notices = new Query<Page<Notice> | Notice[]>(
    () => 'notices',
    () => ['notices'],
  );

  get notices(): Notice[] {
    return rowsOf(this.#notices.data);
  }

  /** Open notices that need the owner; the badge of the bell. */
  get unread(): number {
    return this.notices.filter((notice) => notice.state === 'new').length;
  }

  /** Transfers that wait for a person. */
  get unmatched(): number {
    const found = this.overview.data?.attention.find((item) => item.kind === 'unmatched');
    return found?.kind === 'unmatched' ? found.count : 0;
  }

  refreshNotices(): Promise<void> {
    return this.#notices.refresh();
  }

  get demo(): boolean {
    return this.overview.data?.demo ?? false;
  }
}

/** Whether money can come in, as one of the states that have words. */
export function receivingState(
  overview: Overview | undefined,
): 'ok' | 'not_set_up' | 'unreachable' | 'stopped' {
  const state = overview?.receiving.state;
  return state === 'ok' || state === 'not_set_up' || state === 'unreachable' ? state : 'stopped';
}

export function provideShop(): ShopView {
  return setContext(KEY, new ShopView());
}

export function theShop(): ShopView {
  return getContext<ShopView>(KEY);
}
