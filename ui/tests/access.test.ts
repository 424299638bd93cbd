import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';

import { mockBackups, mockContents } from '../src/lib/api/mock/ops';
import { calm, close, open, SETTINGS } from './desk';
import { Refusal } from './fake';

afterEach(close);

const SOON = { timeout: 10_000 };
const LISTED = { allowed_hosts: [], client_ip_header: 'X-Real-IP', allowed_ips: ['203.0.113.0/24'] };

describe('who may call the shop', () => {
  it('is folded away until a notice leads there', async () => {
    await open('#/settings');
    const folded = await screen.findByTestId<HTMLDetailsElement>('access-advanced', {}, SOON);
    expect(folded.open).toBe(false);
    await close();
    document.body.innerHTML = '';
    await open('#/settings?section=access');
    expect((await screen.findByTestId<HTMLDetailsElement>('access-advanced', {}, SOON)).open).toBe(true);
  });

  it('saves its lists line by line and says what is wrong with an entry', async () => {
    const fake = await open('#/settings?section=access', {
      'PUT settings/access': (asked) =>
        JSON.stringify(asked.body).includes('https') ? new Refusal(400, 'host_invalid') : SETTINGS,
    });
    await screen.findByTestId('access-advanced', {}, SOON);
    const section = within(document.getElementById('section-access') as HTMLElement);
    const hosts = section.getByLabelText(/Tên miền được nhận thêm/);
    await fireEvent.change(hosts, { target: { value: 'https://shop.example.com' } });
    await calm();
    await fireEvent.click(section.getByRole('button', { name: 'Lưu' }));
    await calm();
    expect(section.getByRole('alert').textContent).toContain('Tên miền không hợp lệ');

    await fireEvent.change(hosts, { target: { value: ' shop.example.com:8443 \n\n' } });
    await fireEvent.change(section.getByLabelText(/Địa chỉ IP của SePay/), {
      target: { value: '203.0.113.0/24\n203.0.114.7' },
    });
    await fireEvent.input(section.getByLabelText(/Header chứa IP/), { target: { value: 'X-Real-IP' } });
    await calm();
    await fireEvent.click(section.getByRole('button', { name: 'Lưu' }));
    await calm();
    expect(fake.asked.filter((one) => one.method === 'PUT').at(-1)).toMatchObject({
      path: '/admin/api/settings/access',
      body: {
        allowed_hosts: ['shop.example.com:8443'],
        client_ip_header: 'X-Real-IP',
        allowed_ips: ['203.0.113.0/24', '203.0.114.7'],
      },
    });
    expect(section.queryByRole('alert')).toBeNull();
  });

  it('is open where something is listed', async () => {
    await open('#/settings', { settings: () => ({ ...SETTINGS, access: LISTED }) });
    expect((await screen.findByTestId<HTMLDetailsElement>('access-advanced', {}, SOON)).open).toBe(true);
  });
});

describe('a copy that waits', () => {
  const waiting = { backups: () => ({ ...mockBackups('full'), pending: mockContents() }) };

  it('is restored by a restart that the window offers', async () => {
    let restarts = 0;
    const restart = (): Promise<void> => {
      restarts += 1;
      return Promise.resolve();
    };
    await open('#/settings?section=backup', waiting, { restart });
    await fireEvent.click(await screen.findByTestId('backup-restart', {}, SOON));
    await calm();
    expect(restarts).toBe(1);
    expect(screen.queryByText(/chotdon-server/)).toBeNull();
  });

  it('asks for a restart of the service in a browser', async () => {
    await open('#/settings?section=backup', waiting);
    expect(await screen.findByText(/chotdon-server/, {}, SOON)).toBeTruthy();
    expect(screen.queryByTestId('backup-restart')).toBeNull();
  });
});

describe('keeping the machine awake', () => {
  it('is off at first, and a refusal is said', async () => {
    let on = false;
    const wishes: (boolean | undefined)[] = [];
    const keepAwake = (wanted?: boolean): Promise<{ on: boolean; refused: string | null }> => {
      wishes.push(wanted);
      on = wanted ?? on;
      return Promise.resolve({ on, refused: on ? 'no login manager' : null });
    };
    await open('#/settings', {}, { keepAwake });
    const box = await screen.findByTestId<HTMLInputElement>('keep-awake', {}, SOON);
    expect(box.checked).toBe(false);
    expect(screen.queryByTestId('awake-refused')).toBeNull();
    await fireEvent.click(box);
    await calm();
    expect(wishes).toEqual([undefined, true]);
    expect(box.checked).toBe(true);
    expect(screen.getByTestId('awake-refused').textContent).toContain('máy vẫn có thể ngủ');
  });

  it('is not offered in a browser', async () => {
    await open('#/settings');
    await screen.findByTestId('access-advanced', {}, SOON);
    expect(screen.queryByTestId('keep-awake')).toBeNull();
  });
});
