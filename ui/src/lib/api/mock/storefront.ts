/** A sample website: its keys, where it is told, and what it was told. */
import type * as T from '../types';
import { MockProblem } from './problem';
import { minutesAgo } from './rows';
import { mockTunnel } from './tunnel';
import type { Variant } from './shop';

const SCOPES = ['orders:read', 'orders:write', 'customers:read', 'customers:write', 'courses:read'];
const EVENTS = ['order.paid', 'order.delivered', 'order.failed', 'order.refunded', 'wallet.credited'];

export class MockStorefront {
  keys: T.StorefrontKeyRow[];
  endpoints: T.Endpoint[];
  #tests: T.OutgoingRow[] = [];

  constructor(readonly variant: Variant) {
    const empty = variant === 'empty';
    const broken = variant === 'broken';
    this.keys = empty
      ? []
      : [
          {
            name: 'app-di-dong',
            scopes: SCOPES,
            created_at: minutesAgo(1440 * 210),
            last_used_at: null,
          },
          {
            name: 'web',
            scopes: ['orders:write', 'courses:read'],
            created_at: minutesAgo(1440 * 12),
            last_used_at: minutesAgo(4),
          },
        ];
    const endpoint = (name: string, rest: Partial<T.Endpoint> = {}): T.Endpoint => ({
      name,
      url: `https://${name}.khoahocan.vn/chotdon`,
      events: [],
      state: 'on',
      created_at: minutesAgo(1440 * 12),
      last_ok_at: minutesAgo(6),
      waiting: 0,
      failed: 0,
      ...rest,
    });
    this.endpoints = empty
      ? []
      : [
          endpoint('web', broken ? { state: 'gone', failed: 3 } : { waiting: 1 }),
          endpoint('zalo', {
            events: ['order.paid', 'order.delivered'],
            last_ok_at: null,
            state: broken ? 'no_secret' : 'off',
          }),
        ];
  }

  answer(method: string, [what = '', name = '', action = '']: string[], body: unknown): unknown {
    if (what === '') return this.#api();
    if (what === 'keys') return this.#key(method, name, body);
    if (name === '') return { rows: this.endpoints, next: null };
    if (action === 'events') return { rows: this.#events(), next: null };
    if (action === 'test') return this.#test();
    if (method === 'DELETE') {
      this.endpoints = this.endpoints.filter((one) => one.name !== name);
      return undefined;
    }
    return this.#save(name, body as T.EndpointChange);
  }

  #api(): T.Storefront {
    const tunnel = mockTunnel(this.variant);
    const base = tunnel.public_url ?? 'http://127.0.0.1:8686';
    return {
      api_url: `${base}/api/v1`,
      openapi_url: `${base}/api/v1/openapi.json`,
      public: Boolean(tunnel.public_url),
      private_webhooks: false,
      scopes: SCOPES,
      events: EVENTS,
      uses_since: minutesAgo(3057),
      overlap_h: 24,
      keys: this.keys,
    };
  }

  #key(method: string, name: string, body: unknown): T.StorefrontKeyShown | undefined {
    if (method === 'DELETE') {
      this.keys = this.keys.filter((key) => key.name !== name);
      return undefined;
    }
    const wanted = body as { name: string; scopes: string[] };
    if (this.keys.some((key) => key.name === wanted.name))
      throw new MockProblem(409, 'name_taken', `a storefront key was named ${wanted.name} before`);
    this.keys = [
      ...this.keys,
      { name: wanted.name, scopes: wanted.scopes, created_at: minutesAgo(0), last_used_at: null },
    ];
    return { name: wanted.name, key: 'cd_sample0000000000000000000000000000000000000' };
  }

  #save(name: string, change: T.EndpointChange): T.Endpoint {
    if (!change.url.startsWith('https://'))
      throw new MockProblem(400, 'webhook_address_refused', 'url: the address must be https');
    const known = this.endpoints.find((one) => one.name === name);
    const row: T.Endpoint = {
      ...(known ?? { name, created_at: minutesAgo(0), last_ok_at: null, waiting: 0, failed: 0 }),
      url: change.url,
      events: change.events ?? [],
      state: change.active === false ? 'off' : 'on',
    };
    this.endpoints = [...this.endpoints.filter((one) => one.name !== name), row];
    return row;
  }

  #test(): { webhook_id: string } {
    const id = `msg_sample${this.#tests.length}`;
    this.#tests.unshift({
      id: 900 + this.#tests.length,
      webhook_id: id,
      event: 'webhook.test',
      at: minutesAgo(0),
      order: null,
      attempts: 1,
      status: 204,
      delivered_at: minutesAgo(0),
      state: 'delivered',
      next_at: null,
      error: null,
      task: null,
    });
    return { webhook_id: id };
  }

  #events(): T.OutgoingRow[] {
    const row = (
      id: number,
      event: string,
      minutes: number,
      state: string,
      rest: Partial<T.OutgoingRow> = {},
    ): T.OutgoingRow => ({
      id,
      webhook_id: `msg_${id}`,
      event,
      at: minutesAgo(minutes),
      order: event.startsWith('order') ? `DH1204${id}` : null,
      attempts: 1,
      status: 204,
      delivered_at: state === 'delivered' ? minutesAgo(minutes) : null,
      state,
      next_at: null,
      error: null,
      task: null,
      ...rest,
    });
    return [
      ...this.#tests,
      row(61, 'order.paid', 3, 'retrying', {
        attempts: 2,
        status: 502,
        next_at: minutesAgo(-27),
        error: { code: 'webhook_refused', class: 'transient', detail: 'web answered 502 Bad Gateway' },
        task: 9031,
      }),
      row(60, 'order.delivered', 6, 'delivered'),
      row(59, 'wallet.credited', 44, 'delivered', { attempts: 2 }),
      row(58, 'order.failed', 300, 'failed', {
        attempts: 10,
        status: null,
        error: {
          code: 'webhook_timeout',
          class: 'transient',
          detail: 'web did not answer within 15 seconds',
        },
        task: 8990,
      }),
      row(57, 'order.refunded', 4000, 'called_off', { attempts: 0, status: null }),
    ];
  }
}
