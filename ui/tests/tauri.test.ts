import { beforeEach, describe, expect, it, vi } from 'vitest';

const shell = vi.hoisted(() => ({
  invoke: vi.fn(),
  listen: vi.fn(() => Promise.resolve(() => undefined)),
  channels: [] as { onmessage: (event: unknown) => void }[],
}));
vi.mock('@tauri-apps/api/core', () => ({
  invoke: shell.invoke,
  Channel: class {
    onmessage: (event: unknown) => void = () => undefined;
    constructor() {
      shell.channels.push(this);
    }
  },
}));
vi.mock('@tauri-apps/api/event', () => ({ listen: shell.listen }));

import { tauriTransport } from '../src/lib/api/tauri';

beforeEach(() => {
  shell.invoke.mockReset();
  shell.channels.length = 0;
});

describe('the desktop transport', () => {
  it('passes a request through the one command', async () => {
    shell.invoke.mockResolvedValue({ status: 201, content_type: 'application/json', body: '{}' });
    const answer = await tauriTransport().request('POST', '/admin/api/orders', { items: [] });
    expect(shell.invoke).toHaveBeenCalledWith('api', {
      method: 'POST',
      path: '/admin/api/orders',
      body: '{"items":[]}',
    });
    expect(answer).toEqual({ status: 201, contentType: 'application/json', body: '{}' });
  });

  it('sends null for a question without a body', async () => {
    shell.invoke.mockResolvedValue({ status: 200, content_type: '', body: '' });
    await tauriTransport().request('GET', '/health');
    expect(shell.invoke).toHaveBeenCalledWith('api', { method: 'GET', path: '/health', body: null });
  });

  it('hears events on a channel until it is closed', async () => {
    shell.invoke.mockResolvedValue(undefined);
    const heard: unknown[] = [];
    const links: string[] = [];
    const close = tauriTransport().events(
      (event) => heard.push(event),
      (link) => links.push(link),
    );
    await Promise.resolve();
    await Promise.resolve();
    expect(links).toEqual(['connecting', 'open']);
    shell.channels[0]?.onmessage({ seq: 1, topics: [], progress: {} });
    close();
    shell.channels[0]?.onmessage({ seq: 2, topics: [], progress: {} });
    expect(heard).toEqual([{ seq: 1, topics: [], progress: {} }]);
  });

  it('hands web addresses and routes over', () => {
    shell.invoke.mockResolvedValue(undefined);
    void tauriTransport().openExternal('https://example.com');
    expect(shell.invoke).toHaveBeenCalledWith('open_external', { url: 'https://example.com' });
    void tauriTransport().startAtLogin?.();
    expect(shell.invoke).toHaveBeenCalledWith('start_at_login', { on: null });
    void tauriTransport().startAtLogin?.(true);
    expect(shell.invoke).toHaveBeenCalledWith('start_at_login', { on: true });
    void tauriTransport().keepAwake?.();
    expect(shell.invoke).toHaveBeenCalledWith('keep_awake', { on: null });
    void tauriTransport().restart?.();
    expect(shell.invoke).toHaveBeenCalledWith('restart');
    tauriTransport().onNavigate(() => undefined);
    expect(shell.listen).toHaveBeenCalledWith('navigate', expect.any(Function));
  });
});
