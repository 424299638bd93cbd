/**
 * Transport of the desktop window: one command carries every admin request, one channel carries events.
 *
 * The only file that imports `@tauri-apps/*`; loaded on demand inside the desktop window.
 */
import { Channel, invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';

import type { Answer, Awake, Transport } from './transport';
import type { Event } from './types';

type ApiAnswer = { status: number; content_type: string; body: string };

export function tauriTransport(): Transport {
  return {
    name: 'tauri',
    async request(method, path, body): Promise<Answer> {
      const answer = await invoke<ApiAnswer>('api', {
        method,
        path,
        body: body === undefined ? null : JSON.stringify(body),
      });
      return { status: answer.status, contentType: answer.content_type, body: answer.body };
    },
    events(onEvent, onLink) {
      const channel = new Channel<Event>();
      let closed = false;
      channel.onmessage = (event) => {
        if (!closed) onEvent(event);
      };
      onLink('connecting');
      // The command's one argument; the shell names it `channel`.
      invoke('subscribe', { channel }).then(
        () => onLink('open'),
        () => onLink('lost'),
      );
      return () => {
        closed = true;
      };
    },
    openExternal(url) {
      return invoke<undefined>('open_external', { url });
    },
    startAtLogin(on) {
      return invoke<boolean>('start_at_login', { on: on ?? null });
    },
    keepAwake(on) {
      return invoke<Awake>('keep_awake', { on: on ?? null });
    },
    restart() {
      return invoke<undefined>('restart');
    },
    onNavigate(go) {
      void listen<string>('navigate', (event) => go(event.payload));
    },
  };
}

/** What the window before the shop shows; the shell's `unlock.rs` says what each field means. */
export type UnlockQuestion = {
  mode: 'choose' | 'open';
  language: 'vi' | 'en';
  refused: UnlockRefused | null;
  shortest: number;
};
export type UnlockRefused = { code: string; detail: string };
export type UnlockWish = 'shown' | 'again' | 'file' | 'passphrase' | 'leave';

export const unlockQuestion = (): Promise<UnlockQuestion | null> => invoke('unlock_question');

/** Why the answer did not help; nothing when it did, and the window goes. */
export const unlockAnswer = (
  wish: UnlockWish,
  passphrase: string | null = null,
  keep = false,
): Promise<UnlockRefused | null> => invoke('unlock_answer', { wish, passphrase, keep });
