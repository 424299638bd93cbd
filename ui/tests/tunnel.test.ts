import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { mockTunnel } from '../src/lib/api/mock/tunnel';
import { stretch } from '../src/lib/i18n/format';
import { calm, close, open, SETTINGS } from './desk';
import { overview } from './samples';

afterEach(close);

const found = (id: string): Promise<HTMLElement> => screen.findByTestId(id, undefined, { timeout: 10_000 });

describe('the connection', () => {
  it('turns green by itself when a webhook made the whole round', async () => {
    let tunnel = { ...mockTunnel('full'), round_trip_at: null as string | null };
    const fake = await open('#/settings', { tunnel: () => tunnel });
    const trip = await found('round-trip');
    expect(trip.dataset['state']).toBe('wait');
    tunnel = { ...tunnel, round_trip_at: '2026-11-22T00:34:12Z' };
    fake.send({ seq: 1, topics: ['tunnel'], progress: {} });
    await vi.waitFor(() => expect(trip.dataset['state']).toBe('pass'), 5_000);
  });

  it('shows a new key once and sends the very same', async () => {
    const fake = await open('#/settings', { 'PUT secrets/sepay.api_key': () => SETTINGS });
    await found('round-trip');
    await fireEvent.click(screen.getByTestId('make-key'));
    await calm();
    const sent = fake.asked.find((one) => one.method === 'PUT')?.body as { value: string };
    expect(sent.value).toMatch(/^[0-9a-f]{48}$/);
    expect(screen.getByTestId('fresh-key').textContent).toBe(sent.value);
    await close();
    await open('#/overview');
    expect(document.body.innerHTML).not.toContain(sent.value);
  });

  it('asks for what the chosen kind needs, and saves its arguments line by line', async () => {
    const fake = await open('#/settings', { 'PUT settings/tunnel': () => SETTINGS });
    await found('tunnel');
    await fireEvent.click(screen.getByRole('radio', { name: /Chương trình khác/ }));
    await calm();
    const section = document.getElementById('section-connection') as HTMLElement;
    await fireEvent.input(within(section).getByLabelText('Chương trình'), { target: { value: '/bin/frpc' } });
    await fireEvent.change(within(section).getByLabelText(/Tham số/), { target: { value: '--a\n\n{port}' } });
    // The key's own button says the same.
    const save = within(section).getAllByRole('button', { name: 'Lưu' }).at(-1) as HTMLElement;
    await fireEvent.click(save);
    await calm();
    const put = fake.asked.find((one) => one.method === 'PUT');
    expect(put?.path).toBe('/admin/api/settings/tunnel');
    expect(put?.body).toMatchObject({ kind: 'command', program: '/bin/frpc', args: ['--a', '{port}'] });
  });

  it('is named in a banner while SePay cannot reach the shop, and after a sleep', async () => {
    const receiving = overview().receiving;
    const down = {
      ...receiving,
      state: 'unreachable',
      tunnel: { ...receiving.tunnel, state: 'down', reason: 'tunnel_wrong_token' },
    };
    const fake = await open('#/overview', { overview: () => overview({ receiving: down }) });
    expect(screen.getByTestId('banner-unreachable').textContent).toContain('Khóa tunnel không đúng');
    await fireEvent.click(screen.getByRole('button', { name: 'Kết nối lại' }));
    expect(fake.paths()).toContain('/admin/api/tunnel/restart');
    await close();
    const woke = { at: new Date().toISOString(), slept_s: 11_520, added: 4 };
    await open('#/overview', { overview: () => overview({ receiving: { ...receiving, woke } }) });
    expect(screen.getByTestId('banner-woke').textContent).toContain(
      'Máy đã ngủ 3 giờ 12 phút · bù 4 giao dịch',
    );
  });
});

describe('a stretch of time', () => {
  it('has hours and minutes', () => {
    for (const [seconds, vietnamese, english] of [
      [11_520, '3 giờ 12 phút', '3 hours 12 minutes'],
      [3_600, '1 giờ', '1 hour'],
      [61, '1 phút', '1 minute'],
      [12, '12 giây', '12 seconds'],
    ] as const) {
      expect(stretch('vi', seconds)).toBe(vietnamese);
      expect(stretch('en', seconds)).toBe(english);
    }
  });
});
