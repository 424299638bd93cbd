import { fireEvent, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { MailTemplate } from '../src/lib/api/types';
import { REST_MS } from '../src/lib/mails/draft.svelte';
import { router } from '../src/lib/route.svelte';
import { calm, close, open, type Routes } from './desk';
import { Refusal, type FakeTransport } from './fake';

const EDITOR = '#/settings/mail-templates?mail=delivered&lang=vi';
const ONE = 'mail-templates/delivered/vi';

function template(texts: Partial<Record<'subject' | 'text' | 'html', string>> = {}): MailTemplate {
  const ours = { subject: 'Gốc {{ order_code }}\n', text: 'Chào\n', html: '<p>Chào</p>\n' };
  return {
    name: 'delivered',
    lang: 'vi',
    version: JSON.stringify(texts),
    mistakes: [],
    variables: [{ name: 'customer_name', example: 'Trần Thị Lan', insert: '{{ customer_name }}' }],
    parts: (['subject', 'text', 'html'] as const).map((part) => ({
      part,
      text: texts[part] ?? ours[part],
      own: texts[part] !== undefined,
      built_in: ours[part],
    })),
  };
}

const seen = { subject: 'Xong', text: 'Chào', html: '<p>Chào</p><script>x</script>', mistakes: [] };
const mistake = {
  file: 'delivered.vi.text',
  part: 'text',
  line: 2,
  code: 'unknown_name',
  name: 'ten_khach',
  what: 'undefined value: ten_khach',
};
const routes = (more: Routes = {}): Routes => ({
  [ONE]: () => template(),
  [`POST ${ONE}/preview`]: () => seen,
  ...more,
});
const sent = (fake: FakeTransport, method: string, path: string) =>
  fake.asked.filter((one) => one.method === method && one.path.endsWith(path));

async function rest(): Promise<void> {
  await vi.advanceTimersByTimeAsync(REST_MS + 1);
  await calm();
}

async function edit(hash = EDITOR, more: Routes = {}): Promise<FakeTransport> {
  const fake = await open(hash, routes(more));
  // The page is fetched when it is first opened.
  await screen.findByTestId('mail-subject', undefined, { timeout: 10_000 });
  await rest();
  return fake;
}

async function type(testid: string, value: string): Promise<void> {
  await fireEvent.input(screen.getByTestId(testid), { target: { value } });
  await rest();
}

beforeEach(() => {
  vi.useFakeTimers({ shouldAdvanceTime: true });
});
afterEach(() => {
  close();
  vi.useRealTimers();
});

describe('the list of mail templates', () => {
  const row = { ...template(), parts: ['subject', 'text', 'html'], own: [], shared: false, in_use: true };

  it('says whose words each has, and names file and line of what is broken', async () => {
    await open('#/settings/mail-templates', {
      'mail-templates': () => ({
        rows: [
          { ...row, own: ['subject'] },
          { ...row, name: 'topup', mistakes: [mistake] },
          { ...row, name: '_frame', shared: true },
        ],
      }),
      failures: () => ({
        groups: [{ group: 'g', count: 3, error: { code: 'mail_template', detail: '' } }],
        failed: 3,
        retrying: 0,
      }),
    });
    await screen.findByTestId('mail-delivered', undefined, { timeout: 10_000 });
    expect(screen.getByTestId('mail-delivered').textContent).toContain('Của shop: Tiêu đề');
    expect(screen.getByTestId('mail-_frame').textContent).toContain('Mẫu gốc');
    const broken = screen.getByTestId('mail-topup').textContent ?? '';
    expect(broken).toContain('delivered.vi.text, dòng 2');
    expect(broken).toContain('ten_khach');
    expect(screen.getByTestId('mails-waiting').textContent).toContain('3 tác vụ thất bại');
  });
});

describe('the editor of a mail template', () => {
  it('shows what a buyer would read in a frame where nothing runs', async () => {
    const fake = await edit();
    const frame = document.querySelector('iframe');
    expect(frame?.getAttribute('sandbox')).toBe('');
    expect(frame?.getAttribute('srcdoc')).toBe(seen.html);
    expect(screen.getByTestId('mail-seen-subject').textContent).toBe('Xong');
    expect(sent(fake, 'PUT', ONE)).toEqual([]);
  });

  it('follows typing with a preview, and sends only what changed when it saves', async () => {
    const fake = await edit(EDITOR, { [`PUT ${ONE}`]: () => template({ subject: 'Mới' }) });
    const before = sent(fake, 'POST', '/preview').length;
    await type('mail-subject', 'Mới');
    const previews = sent(fake, 'POST', '/preview');
    expect(previews.length).toBe(before + 1);
    expect(previews.at(-1)?.body).toEqual({ texts: { subject: 'Mới' }, order: '' });
    expect(screen.getByTestId('mail-unsaved')).toBeTruthy();
    await fireEvent.click(screen.getByTestId('mail-save'));
    await calm();
    expect(sent(fake, 'PUT', ONE)[0]?.body).toEqual({ texts: { subject: 'Mới' }, version: '{}' });
    expect(screen.queryByTestId('mail-unsaved')).toBeNull();
    expect(screen.getByTestId('mail-reset')).toBeTruthy();
  });

  it('marks the line of a mistake and keeps the preview from before it', async () => {
    let wrong = false;
    await edit(EDITOR, {
      [`POST ${ONE}/preview`]: () => (wrong ? { ...seen, text: null, mistakes: [mistake] } : seen),
    });
    await fireEvent.click(screen.getByTestId('mail-tab-text'));
    wrong = true;
    await type('mail-text', 'Chào\n{{ ten_khach }}\n');
    expect(document.querySelector('[data-line="2"]')?.classList.contains('wrong')).toBe(true);
    const list = within(screen.getByTestId('mail-mistakes'));
    expect(list.getByText(/ten_khach/)).toBeTruthy();
    expect(screen.getByTestId('mail-seen-text').textContent).toBe('Chào');
    await fireEvent.click(list.getByRole('button'));
    await calm();
    const field = screen.getByTestId<HTMLTextAreaElement>('mail-text');
    expect(field.value.slice(field.selectionStart, field.selectionEnd)).toBe('{{ ten_khach }}');
  });

  it('writes a name where the caret is', async () => {
    await edit();
    const field = screen.getByTestId<HTMLInputElement>('mail-subject');
    await fireEvent.input(field, { target: { value: 'Chào , xong' } });
    await fireEvent.focus(field);
    field.setSelectionRange(5, 5);
    await fireEvent.click(screen.getByTestId('mail-name-customer_name'));
    expect(field.value).toBe('Chào {{ customer_name }}, xong');
  });

  it('keeps the page while something is unsaved, until the owner says what becomes of it', async () => {
    const fake = await edit(EDITOR, { [`PUT ${ONE}`]: () => template({ subject: 'Mới' }) });
    await type('mail-subject', 'Mới');
    router.go('orders');
    await calm();
    expect(router.route.page).toBe('settings');
    await fireEvent.click(screen.getByTestId('leave-stay'));
    expect(screen.getByTestId<HTMLInputElement>('mail-subject').value).toBe('Mới');
    router.go('orders');
    await calm();
    await fireEvent.click(screen.getByTestId('leave-save'));
    await calm();
    expect(sent(fake, 'PUT', ONE).length).toBe(1);
    expect(location.hash).toBe('#/orders');
  });

  it('does not hold who has changed nothing', async () => {
    await edit();
    router.go('orders');
    await calm();
    expect(router.route.page).toBe('orders');
  });

  it('says so when the template was changed elsewhere, and opens it again', async () => {
    await edit(EDITOR, { [`PUT ${ONE}`]: () => new Refusal(409, 'mail_template_changed') });
    await type('mail-subject', 'Mới');
    await fireEvent.click(screen.getByTestId('mail-save'));
    await calm();
    expect(screen.getByRole('alert').textContent).toContain('Mẫu thư đã thay đổi');
    expect(screen.getByTestId<HTMLInputElement>('mail-subject').value).toBe('Mới');
    await fireEvent.click(screen.getByText('Mở lại'));
    await calm();
    expect(screen.getByTestId<HTMLInputElement>('mail-subject').value).toContain('Gốc');
  });

  it('sends a test of what is being edited to the owner', async () => {
    const fake = await edit(EDITOR, { [`POST ${ONE}/test`]: () => ({}) });
    await type('mail-subject', 'Mới');
    await fireEvent.click(screen.getByTestId('mail-test'));
    await fireEvent.input(screen.getByTestId('mail-test-to'), { target: { value: 'an@example.com' } });
    await fireEvent.submit(document.querySelector('dialog form') as HTMLFormElement);
    await calm();
    expect(sent(fake, 'POST', '/test')[0]?.body).toEqual({
      to: 'an@example.com',
      texts: { subject: 'Mới' },
      order: '',
    });
  });
});
