/** Opens the whole app over answers that a test writes down. */
import { render } from '@testing-library/svelte';
import { tick } from 'svelte';

import App from '../src/App.svelte';
import { MockStorefront } from '../src/lib/api/mock/storefront';
import { mockTunnel, mockTunnelSettings } from '../src/lib/api/mock/tunnel';
import { live } from '../src/lib/live/live.svelte';
import { router } from '../src/lib/route.svelte';
import { session } from '../src/lib/session.svelte';
import { shellUi } from '../src/lib/shell/ui.svelte';
import { toast } from '../src/lib/ui/toast.svelte';
import { FakeTransport, settle, type Asked } from './fake';
import { overview } from './samples';

export const SETTINGS = {
  shop: { name: 'Khoá học An', language: 'vi' },
  sepay: { webhook_url: 'http://127.0.0.1/hook', timestamp_tolerance_s: 300 },
  bank_accounts: [],
  mail: { transport: 'mailbox', host: '', port: 587, tls: 'starttls', user: '', from: '' },
  tunnel: mockTunnelSettings('full'),
  workers: { count: 2, lease_s: 30, retry_base_s: 20, retry_max: 8 },
  orders: { expire_after_min: 1440, tolerance_vnd: 0, link_days: 30, link_max_downloads: 10 },
  notifications: { desktop: true, quiet_from: '22:00', quiet_to: '07:00' },
  channels: {
    desktop_about: 'all',
    telegram_chat: '',
    telegram_about: 'needs_owner',
    webhook_url: '',
    webhook_about: 'all',
    webhook_private: false,
    mail_to: '',
    mail_about: 'stopped',
  },
  backup: { daily: true, at: '03:00', keep: 14, folder: '' },
  limits: {
    enabled: true,
    visitor_per_s: 20,
    visitors_per_s: 300,
    refused_per_s: 5,
    key_per_s: 100,
    connections: 512,
  },
  access: { allowed_hosts: [], client_ip_header: '', allowed_ips: [] },
  secrets: [{ name: 'sepay.api_key', set: true, hint: '6789' }],
  secret_store: 'keyring',
};

/** Answers by the path after `/admin/api/`, without its question mark. */
export type Routes = Record<string, (asked: Asked) => unknown>;

export async function open(
  hash: string,
  routes: Routes = {},
  window: Pick<FakeTransport, 'keepAwake' | 'restart'> = {},
): Promise<FakeTransport> {
  const fake = Object.assign(new FakeTransport(), window);
  const all: Routes = {
    overview: () => overview(),
    settings: () => SETTINGS,
    checklist: () => ({ done: 0, total: 0, rows: [] }),
    tunnel: () => mockTunnel('full'),
    storefront: () => new MockStorefront('empty').answer('GET', [], undefined),
    failures: () => ({ groups: [], failed: 0, retrying: 0 }),
    reconcile: () => ({ state: 'off', configured: false, runs: [], accounts: [], difference_vnd: 0 }),
    ...routes,
  };
  fake.answer = (asked) => {
    const name = asked.path.replace('/admin/api/', '').split('?')[0] ?? '';
    const given = all[`${asked.method} ${name}`] ?? all[name];
    return given ? given(asked) : { rows: [], next: null };
  };
  location.hash = hash;
  router.open(hash);
  session.needsLogin = false;
  render(App);
  fake.link('open');
  await calm();
  return fake;
}

export async function calm(): Promise<void> {
  for (let i = 0; i < 6; i++) {
    await settle();
    await tick();
  }
}

/** Puts away what outlives a rendered app. */
export function close(): void {
  live.stop();
  Object.assign(shellUi, { palette: false, notices: false, help: false, create: false });
  toast.shown = [];
}
