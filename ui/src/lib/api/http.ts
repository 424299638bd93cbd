/** Transport over the private listener: fetch for requests, EventSource for events. */
import type { Answer, Link, Method, Transport } from './transport';
import type { Event } from './types';

/** After this many ms without a connection the stream is opened again by hand; EventSource gives up on 4xx. */
const REOPEN_MS = 5000;

export function httpTransport(base = ''): Transport {
  return {
    name: 'http',
    async request(method: Method, path: string, body?: unknown): Promise<Answer> {
      const init: RequestInit = {
        method,
        credentials: 'same-origin',
        headers: { accept: 'application/json' },
      };
      if (method !== 'GET') {
        // Changes are taken only as JSON: a form of another site cannot send that.
        init.headers = { accept: 'application/json', 'content-type': 'application/json' };
        if (body !== undefined) init.body = JSON.stringify(body);
      }
      const response = await fetch(base + path, init);
      return {
        status: response.status,
        contentType: response.headers.get('content-type') ?? '',
        body: await response.text(),
      };
    },
    events(onEvent, onLink) {
      return openStream(`${base}/admin/api/events`, onEvent, onLink);
    },
    openExternal(url) {
      window.open(url, '_blank', 'noopener,noreferrer');
      return Promise.resolve();
    },
    onNavigate() {
      // A browser tab is steered by its own address bar.
    },
  };
}

function openStream(url: string, onEvent: (event: Event) => void, onLink: (link: Link) => void): () => void {
  let closed = false;
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function receive(message: MessageEvent<string>): void {
    const event = parseEvent(message.data);
    if (event) onEvent(event);
  }

  function open(): void {
    if (closed) return;
    onLink('connecting');
    source = new EventSource(url);
    source.onopen = () => onLink('open');
    source.onmessage = receive;
    source.onerror = () => {
      onLink('lost');
      if (source?.readyState === EventSource.CLOSED) {
        timer = setTimeout(open, REOPEN_MS);
      }
    };
  }

  open();
  return () => {
    closed = true;
    clearTimeout(timer);
    source?.close();
  };
}

/** Reads one event; `undefined` for anything that is not one. */
export function parseEvent(text: string): Event | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return undefined;
    const { seq, topics, progress } = value as Partial<Event>;
    if (typeof seq !== 'number' || !Array.isArray(topics)) return undefined;
    return { seq, topics, progress: progress ?? {} };
  } catch {
    return undefined;
  }
}
