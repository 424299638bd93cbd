import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, describe, expect, it } from 'vitest';

import CourseForm from '../src/lib/courses/CourseForm.svelte';
import { calm, close, open } from './desk';

afterEach(close);

describe('a course without files', () => {
  it('asks for a platform and for nothing to fetch, and gives both back with the files', async () => {
    await open('#/overview', { recipes: () => [] });
    render(CourseForm, { saved: () => undefined, close: () => undefined });
    await calm();
    expect(screen.getByTestId('target-kind')).toBeTruthy();
    await fireEvent.change(screen.getByTestId('source-kind'), { target: { value: 'none' } });
    await calm();
    expect(screen.getByTestId('no-files')).toBeTruthy();
    expect(screen.queryByTestId('target-kind')).toBeNull();
    expect(screen.queryByTestId('source-test')).toBeNull();
    const kind = screen.getByTestId<HTMLSelectElement>('enrol-kind');
    expect(kind.value).toBe('recipe');
    expect([...kind.options].map((one) => one.value)).toEqual(['recipe', 'custom']);

    await fireEvent.change(screen.getByTestId('source-kind'), { target: { value: 'folder' } });
    await calm();
    expect(screen.getByTestId('target-kind')).toBeTruthy();
    expect(screen.getByTestId('source-test')).toBeTruthy();
  });
});
