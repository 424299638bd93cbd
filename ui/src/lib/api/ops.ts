/** What the owner does about the shop itself: channels, copies, help. */
import { api, del, post, request } from './api';
import type * as T from './types';

const enc = encodeURIComponent;

export const ops = {
  testChannel: (channel: string) => post<T.CheckRow>(`channels/${enc(channel)}/test`),
  backUp: () => post<T.Backups>('backups'),
  checkBackup: (name: string) => post<T.BackupContents>(`backups/${enc(name)}/check`),
  restore: (name: string) => post<T.Backups>(`backups/${enc(name)}/restore`),
  withdrawRestore: () => del<T.Backups>('backups/pending'),
  reconcile: () => post<unknown>('reconcile'),
  resumeAll: () => post<unknown>('queue/resume'),
  /** Saves the bundle: a browser keeps it among its downloads, the desktop in the shop's folder; answers where. */
  async saveBundle(): Promise<string> {
    if (api.transportName() !== 'http') {
      const saved = await request<{ path: string }>('POST', '/admin/api/diagnostics', { save: true });
      return saved.path;
    }
    const answer = await fetch('/admin/api/diagnostics', {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    if (!answer.ok) await post<unknown>('diagnostics');
    const name = /filename="([^"]+)"/.exec(answer.headers.get('content-disposition') ?? '')?.[1];
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await answer.blob());
    link.download = name ?? 'chotdon-diagnostics.zip';
    link.click();
    URL.revokeObjectURL(link.href);
    return link.download;
  },
};
