/**
 * Where the owner is: `#/page/detail?filters`. Works the same in the desktop window and over HTTP.
 */
import { api } from './api/api';
import { shellUi } from './shell/ui.svelte';

export const PAGES = [
  'overview',
  'orders',
  'queue',
  'failures',
  'unmatched',
  'wallet',
  'webhooks',
  'courses',
  'customers',
  'audit',
  'mailbox',
  'health',
  'logs',
  'settings',
] as const;
export type PageName = (typeof PAGES)[number];

export type Route = { page: PageName; detail: string | null; filters: Record<string, string> };

/** Reads `#/orders/DH1?stage=paid`, with or without the `#`. Unknown pages lead to the Overview. */
export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#/, '').replace(/^\//, '');
  const [path = '', search = ''] = text.split('?', 2);
  const [first = '', second = ''] = path.split('/');
  const page = (PAGES as readonly string[]).includes(first) ? (first as PageName) : 'overview';
  return {
    page,
    detail: second === '' ? null : safeDecode(second),
    filters: Object.fromEntries(new URLSearchParams(search)),
  };
}

export function hashOf(route: Partial<Route> & { page: PageName }): string {
  const detail = route.detail ? `/${encodeURIComponent(route.detail)}` : '';
  const filled = Object.entries(route.filters ?? {}).filter(([, value]) => value !== '');
  const search = new URLSearchParams(filled).toString();
  return `#/${route.page}${detail}${search === '' ? '' : `?${search}`}`;
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

class Router {
  route = $state.raw<Route>(parseRoute(location.hash));
  #lets: ((wanted: Route) => boolean) | null = null;

  start(): void {
    window.addEventListener('hashchange', () => {
      const wanted = parseRoute(location.hash);
      if (this.#held(wanted)) history.replaceState(null, '', hashOf(this.route));
      else this.route = wanted;
    });
    api.onNavigate((route) => this.open(route));
  }

  /** Asks `lets` before what is shown is left; answers how to stop that. Used while something is unsaved. */
  hold(lets: (wanted: Route) => boolean): () => void {
    this.#lets = lets;
    return () => {
      if (this.#lets === lets) this.#lets = null;
    };
  }

  #held(wanted: Route): boolean {
    return this.#lets !== null && hashOf(wanted) !== hashOf(this.route) && !this.#lets(wanted);
  }

  /** Follows a route from outside, e.g. `/orders/DH123456`; whatever lies over the page is closed. */
  open(route: string): void {
    shellUi.closeAll();
    const wanted = parseRoute(route);
    this.go(wanted.page, wanted.detail, wanted.filters);
  }

  go(page: PageName, detail: string | null = null, filters: Record<string, string> = {}): void {
    if (this.#held({ page, detail, filters })) return;
    location.hash = hashOf({ page, detail, filters });
    this.route = parseRoute(location.hash);
  }

  /** Opens or closes the detail panel, keeping page and filters. */
  detail(detail: string | null): void {
    this.go(this.route.page, detail, this.route.filters);
  }

  /** Changes filters, closing the panel. An empty value removes one. */
  filter(change: Record<string, string>): void {
    this.go(this.route.page, null, { ...this.route.filters, ...change });
  }
}

export const router = new Router();
