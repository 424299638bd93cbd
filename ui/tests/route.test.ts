import { describe, expect, it } from 'vitest';

import { hashOf, parseRoute } from '../src/lib/route.svelte';

describe('a route', () => {
  it('is read with detail and filters', () => {
    expect(parseRoute('#/orders/DH123456?stage=paid&q=%C4%91%E1%BB%A9c')).toEqual({
      page: 'orders',
      detail: 'DH123456',
      filters: { stage: 'paid', q: 'đức' },
    });
  });

  it('comes without the hash from the tray and from notifications', () => {
    expect(parseRoute('/failures')).toEqual({ page: 'failures', detail: null, filters: {} });
  });

  it('leads to the Overview when the page is unknown', () => {
    expect(parseRoute('#/nowhere/1').page).toBe('overview');
    expect(parseRoute('').page).toBe('overview');
  });

  it('survives there and back', () => {
    const route = { page: 'mailbox' as const, detail: 'a b/ü.eml', filters: { q: 'x & y' } };
    expect(parseRoute(hashOf(route))).toEqual(route);
  });

  it('leaves empty filters out', () => {
    expect(hashOf({ page: 'orders', filters: { q: '', stage: 'paid' } })).toBe('#/orders?stage=paid');
  });
});
