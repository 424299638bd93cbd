import { afterEach, describe, expect, it, vi } from 'vitest';

import { api, get, onLoginRequired } from '../src/lib/api/api';
import { httpTransport, parseEvent } from '../src/lib/api/http';
import { problemFrom } from '../src/lib/api/problem';
import { FakeTransport, Refusal } from './fake';

afterEach(() => vi.unstubAllGlobals());

describe('a request', () => {
  it('goes to the admin API with its body as JSON', async () => {
    const fake = new FakeTransport();
    await api.addNote('DH123456', 'gọi lại');
    expect(fake.asked).toEqual([
      { method: 'POST', path: '/admin/api/orders/DH123456/note', body: { text: 'gọi lại' } },
    ]);
  });

  it('escapes what it puts into a path', async () => {
    const fake = new FakeTransport();
    await api.cancelOrder('a/b?', 'thử');
    expect(fake.paths()).toEqual(['/admin/api/orders/a%2Fb%3F/cancel']);
  });

  it('rejects with the code of the problem', async () => {
    const fake = new FakeTransport();
    fake.answer = () => new Refusal(409, 'order_not_cancellable');
    await expect(api.cancelOrder('DH1', 'x')).rejects.toMatchObject({
      code: 'order_not_cancellable',
      status: 409,
    });
  });

  it('calls for a login on 401 and on nothing else', async () => {
    const fake = new FakeTransport();
    const asked = vi.fn();
    onLoginRequired(asked);
    fake.answer = () => new Refusal(403, 'bad_request');
    await expect(get('overview')).rejects.toBeDefined();
    expect(asked).not.toHaveBeenCalled();
    fake.answer = () => new Refusal(401, 'login_required');
    await expect(get('overview')).rejects.toBeDefined();
    expect(asked).toHaveBeenCalledOnce();
  });

  it('says unreachable when no answer comes', async () => {
    const fake = new FakeTransport();
    fake.answer = () => {
      throw new TypeError('Failed to fetch');
    };
    await expect(get('overview')).rejects.toMatchObject({ code: 'unreachable', status: 0 });
  });
});

describe('the HTTP transport', () => {
  it('sends JSON with the cookie and reads the text back', async () => {
    const fetched = vi.fn((_url: string, _init: RequestInit) =>
      Promise.resolve(
        new Response('{"ok":1}', { status: 200, headers: { 'content-type': 'application/json' } }),
      ),
    );
    vi.stubGlobal('fetch', fetched);
    const answer = await httpTransport().request('POST', '/admin/api/orders', { a: 1 });
    expect(answer).toEqual({ status: 200, contentType: 'application/json', body: '{"ok":1}' });
    const [url, init] = fetched.mock.calls[0] ?? [];
    expect(url).toBe('/admin/api/orders');
    expect(init).toMatchObject({ method: 'POST', credentials: 'same-origin', body: '{"a":1}' });
  });

  it('names JSON on every change, even one without a body', async () => {
    const fetched = vi.fn((_url: string, _init: RequestInit) => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', fetched);
    await httpTransport().request('DELETE', '/admin/api/bank-accounts/1');
    expect(fetched.mock.calls[0]?.[1].headers).toMatchObject({ 'content-type': 'application/json' });
  });

  it('sends no body with a question', async () => {
    const fetched = vi.fn((_url: string, _init: RequestInit) => Promise.resolve(new Response('{}')));
    vi.stubGlobal('fetch', fetched);
    await httpTransport().request('GET', '/health');
    expect(fetched.mock.calls[0]?.[1]).not.toHaveProperty('body');
  });

  it('reads events and ignores what is none', () => {
    expect(parseEvent('{"seq":4,"topics":["orders"],"progress":{}}')).toEqual({
      seq: 4,
      topics: ['orders'],
      progress: {},
    });
    expect(parseEvent('{"seq":5,"topics":[]}')).toEqual({ seq: 5, topics: [], progress: {} });
    expect(parseEvent('nonsense')).toBeUndefined();
    expect(parseEvent('{"seq":"4"}')).toBeUndefined();
  });
});

describe('a problem', () => {
  it('is read from its document', () => {
    expect(problemFrom(422, '{"code":"invalid_email","detail":"no @"}')).toMatchObject({
      code: 'invalid_email',
      detail: 'no @',
    });
  });

  it('is made up honestly from anything else', () => {
    expect(problemFrom(502, '<html>')).toMatchObject({ code: 'internal', status: 502 });
    expect(problemFrom(404, '')).toMatchObject({ code: 'not_found' });
    expect(problemFrom(401, 'no')).toMatchObject({ code: 'login_required' });
  });
});
