/** What the owner does for a website of their own: its keys, and where it is told. */
import { del, post, put } from './api';
import type * as T from './types';

const enc = encodeURIComponent;

export const storefront = {
  createKey: (name: string, scopes: string[]) =>
    post<T.StorefrontKeyShown>('storefront/keys', { name, scopes }),
  revokeKey: (name: string) => del<unknown>(`storefront/keys/${enc(name)}`),

  saveEndpoint: (name: string, change: T.EndpointChange) =>
    put<T.Endpoint>(`storefront/webhooks/${enc(name)}`, change),
  removeEndpoint: (name: string) => del<unknown>(`storefront/webhooks/${enc(name)}`),
  testEndpoint: (name: string) => post<{ webhook_id: string }>(`storefront/webhooks/${enc(name)}/test`),
};
