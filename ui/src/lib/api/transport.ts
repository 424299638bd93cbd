/**
 * The one seam between the UI and the core: a request with a JSON answer, and the stream of events.
 *
 * `http.ts`, `tauri.ts` and the mock implement it; `api.ts` is its only caller.
 */
import type { Event } from './types';

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

/** What came back; `body` is the text as received. */
export type Answer = { status: number; contentType: string; body: string };

/** What the owner wants of the machine, and why the system does not do it. */
export type Awake = { on: boolean; refused: string | null };

/** State of the event stream. */
export type Link = 'connecting' | 'open' | 'lost';

export interface Transport {
  readonly name: 'http' | 'tauri' | 'mock';
  /** Sends one request. Throws only when no answer came at all. */
  request(method: Method, path: string, body?: unknown): Promise<Answer>;
  /** Delivers events until the returned function is called. */
  events(onEvent: (event: Event) => void, onLink: (link: Link) => void): () => void;
  /** Opens a web address outside the app. Rejects when that is not allowed. */
  openExternal(url: string): Promise<void>;
  /** Whether the app starts when the owner logs in; `on` changes it first. Only where there is such a thing. */
  startAtLogin?(on?: boolean): Promise<boolean>;
  /** Whether the machine is kept awake while the shop is open; `on` changes it first. Only in the desktop window. */
  keepAwake?(on?: boolean): Promise<Awake>;
  /** Closes the shop in good order and starts the app anew. Only in the desktop window. */
  restart?(): Promise<void>;
  /** Calls back with UI routes that the outside (tray, notification) asks for. */
  onNavigate(go: (route: string) => void): void;
}
