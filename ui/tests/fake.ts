/** A transport whose answers each test writes down, and whose events it sends by hand. */
import { useTransport } from '../src/lib/api/api';
import type { Answer, Link, Method, Transport } from '../src/lib/api/transport';
import type { Event } from '../src/lib/api/types';

export type Asked = { method: Method; path: string; body: unknown };

export class FakeTransport implements Transport {
  readonly name = 'mock';
  readonly asked: Asked[] = [];
  opened: string[] = [];
  /** What only the desktop window can do. */
  declare keepAwake?: Transport['keepAwake'];
  declare restart?: Transport['restart'];
  send: (event: Event) => void = () => undefined;
  link: (link: Link) => void = () => undefined;
  /** Answers one request, at once or by a promise; throws for a broken line. */
  answer: (asked: Asked) => unknown = () => ({ rows: [], next: null });

  constructor() {
    useTransport(this);
  }

  request(method: Method, path: string, body?: unknown): Promise<Answer> {
    const asked = { method, path, body };
    this.asked.push(asked);
    return Promise.resolve().then(async () => {
      const value = await this.answer(asked);
      if (value instanceof Refusal) {
        return { status: value.status, contentType: 'application/problem+json', body: JSON.stringify(value) };
      }
      return { status: 200, contentType: 'application/json', body: JSON.stringify(value) };
    });
  }

  events(onEvent: (event: Event) => void, onLink: (link: Link) => void): () => void {
    this.send = onEvent;
    this.link = onLink;
    return () => undefined;
  }

  openExternal(url: string): Promise<void> {
    this.opened.push(url);
    return Promise.resolve();
  }

  onNavigate(): void {
    // Nothing outside steers a test.
  }

  paths(): string[] {
    return this.asked.map((one) => one.path);
  }
}

export class Refusal {
  type = 'about:blank';
  title = 'refused';
  detail = 'a detail';

  constructor(
    readonly status: number,
    readonly code: string,
  ) {}
}

/** Lets every promise that is ready run. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}
