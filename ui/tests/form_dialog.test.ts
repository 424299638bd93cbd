import { fireEvent, render, screen } from '@testing-library/svelte';
import { createRawSnippet } from 'svelte';
import { describe, expect, it, vi } from 'vitest';

import { ApiProblem } from '../src/lib/api/problem';
import FormDialog from '../src/lib/ui/FormDialog.svelte';
import { calm } from './desk';

const field = createRawSnippet(() => ({ render: () => '<input aria-label="name" />' }));
const typed = (): HTMLInputElement => screen.getByLabelText<HTMLInputElement>('name');
const button = (): HTMLButtonElement => screen.getByTestId<HTMLButtonElement>('name-save');

function show(save: () => Promise<unknown>, disabled = false): ReturnType<typeof vi.fn> {
  const onclose = vi.fn();
  render(FormDialog, {
    title: 'A name',
    action: 'Save',
    testid: 'name-save',
    disabled,
    save,
    onclose,
    children: field,
  });
  return onclose;
}

async function submit(): Promise<void> {
  await fireEvent.submit(document.querySelector('dialog form') as HTMLFormElement);
  await calm();
}

describe('a dialog with one form', () => {
  it('saves once, however often it is asked to while it saves', async () => {
    let ended: () => void = () => undefined;
    const save = vi.fn(() => new Promise<void>((resolve) => (ended = resolve)));
    show(save);
    await submit();
    expect(button().disabled).toBe(true);
    await submit();
    expect(save).toHaveBeenCalledTimes(1);
    ended();
    await calm();
    expect(button().disabled).toBe(false);
    await submit();
    expect(save).toHaveBeenCalledTimes(2);
  });

  it('saves nothing that is not ready', async () => {
    const save = vi.fn(() => Promise.resolve());
    show(save, true);
    await submit();
    expect(button().disabled).toBe(true);
    expect(save).not.toHaveBeenCalled();
  });

  it('shows the problem and keeps what was typed, and forgets the problem with the next try', async () => {
    const save = vi.fn(() => Promise.resolve());
    save.mockRejectedValueOnce(new ApiProblem('name_taken', 409, 'web'));
    const onclose = show(save);
    await fireEvent.input(typed(), { target: { value: 'web' } });
    await submit();
    expect(screen.getByRole('alert').textContent).toContain('Tên này đã dùng rồi');
    expect(typed().value).toBe('web');
    expect(button().disabled).toBe(false);
    expect(onclose).not.toHaveBeenCalled();
    await submit();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('closes only when told', async () => {
    const onclose = show(() => Promise.resolve());
    await submit();
    expect(onclose).not.toHaveBeenCalled();
    await fireEvent.click(screen.getByText('Đóng'));
    expect(onclose).toHaveBeenCalledTimes(1);
    await fireEvent(
      document.querySelector('dialog') as HTMLElement,
      new Event('cancel', { cancelable: true }),
    );
    expect(onclose).toHaveBeenCalledTimes(2);
  });
});
