import { fireEvent, screen, waitFor } from '@testing-library/svelte';
import { afterEach, describe, expect, it, vi } from 'vitest';

import { mockBackups, mockContents, mockHealth, mockLogs } from '../src/lib/api/mock/ops';
import { calm, close, open } from './desk';
import { Refusal, type Asked } from './fake';

/** Pages that are fetched when they are first opened, on a busy machine. */
const SOON = { timeout: 20_000 };
vi.setConfig({ testTimeout: 30_000 });
afterEach(close);

const asked = (one: Asked): URLSearchParams => new URL(one.path, 'http://x').searchParams;

describe('the health page', () => {
  it('says what is wrong and mends it with one button', async () => {
    const fake = await open('#/health', {
      health: () => mockHealth('broken'),
      backups: () => mockBackups('full'),
    });
    const card = await screen.findByTestId('health-backup', {}, SOON);
    expect(card.dataset['state']).toBe('fail');
    expect(card.textContent).toContain('Không sao lưu được');
    await fireEvent.click(card.querySelector('button') as HTMLElement);
    await calm();
    expect(fake.asked.some((one) => one.method === 'POST' && one.path.endsWith('/backups'))).toBe(true);
    expect(screen.getByTestId('health-database').querySelector('button')).toBeNull();
  });
});

describe('the log', () => {
  it('asks by level and words, and leads from a line to its order', async () => {
    const fake = await open('#/logs?level=warn&q=don', { logs: (one) => mockLogs('full', asked(one)) });
    await screen.findAllByTestId('log-line', {}, SOON);
    const question = asked(fake.asked.find((one) => one.path.includes('/logs')) as Asked);
    expect([question.get('level'), question.get('text')]).toEqual(['warn', 'don']);
    close();
    await open('#/logs', { logs: (one) => mockLogs('full', asked(one)) });
    await screen.findAllByTestId('log-line', {}, SOON);
    expect(document.querySelector('a[href="#/orders/DH120461"]')).not.toBeNull();
  });

  it('follows while it is told to, from the last line on', async () => {
    const fake = await open('#/logs', { logs: (one) => mockLogs('full', asked(one)) });
    await screen.findAllByTestId('log-line', {}, SOON);
    fake.send({ seq: 1, topics: ['logs'], progress: {} });
    await waitFor(() => expect(fake.paths().some((path) => path.includes('after=120'))).toBe(true));
    await fireEvent.keyDown(window, { key: 'f' });
    const before = fake.paths().length;
    fake.send({ seq: 2, topics: ['logs'], progress: {} });
    await new Promise((done) => setTimeout(done, 400));
    expect(
      fake
        .paths()
        .slice(before)
        .filter((path) => path.includes('/logs')),
    ).toEqual([]);
  });
});

describe('backups', () => {
  it('are restored only after they were checked and the owner has read what that means', async () => {
    const fake = await open('#/settings?section=backup', {
      backups: () => mockBackups('full'),
      'POST backups/2026-11-22-030000.chotdon-backup.db/check': () => mockContents(),
    });
    const button = (await screen.findAllByTestId('backup-restore', {}, SOON))[0] as HTMLElement;
    await fireEvent.click(button);
    await calm();
    const dialog = document.querySelector('dialog') as HTMLElement;
    expect(dialog.textContent).toContain('1.204');
    expect(fake.paths().some((path) => path.endsWith('/restore'))).toBe(false);
    await fireEvent.submit(dialog.querySelector('form') as HTMLFormElement);
    await calm();
    expect(fake.paths().some((path) => path.endsWith('/restore'))).toBe(true);
  });

  it('that are damaged are not restored', async () => {
    const fake = await open('#/settings?section=backup', {
      backups: () => mockBackups('full'),
      'POST backups/2026-11-22-030000.chotdon-backup.db/check': () => new Refusal(422, 'backup_damaged'),
    });
    await fireEvent.click((await screen.findAllByTestId('backup-restore', {}, SOON))[0] as HTMLElement);
    await calm();
    expect(document.querySelector('dialog')).toBeNull();
    expect(document.body.textContent).toContain('Bản sao lưu không dùng được');
    expect(fake.paths().some((path) => path.endsWith('/restore'))).toBe(false);
  });
});

describe('a channel', () => {
  it('is tried by its button, and says how to mend it', async () => {
    await open('#/settings?section=channels', {
      backups: () => mockBackups('full'),
      'POST channels/desktop/test': () => ({ id: 'desktop', state: 'fail', code: 'telegram_chat_wrong' }),
    });
    expect((await screen.findByTestId<HTMLButtonElement>('test-telegram', {}, SOON)).disabled).toBe(true);
    await fireEvent.click(screen.getByTestId('test-desktop'));
    await calm();
    expect(document.body.textContent).toContain('Bot không nhắn được vào cuộc trò chuyện');
  });
});
