import { beforeEach, describe, expect, it } from 'vitest';

import { guardBoot } from '../src/boot';

beforeEach(() => {
  document.body.innerHTML = '<div id="app"></div><div id="boot"><p>…</p></div>';
});

describe('the start', () => {
  it('shows why it failed instead of a white page', () => {
    guardBoot();
    window.dispatchEvent(new ErrorEvent('error', { message: 'invalid language tag: C' }));
    const screen = document.getElementById('boot');
    expect(screen?.getAttribute('role')).toBe('alert');
    expect(screen?.textContent).toContain('invalid language tag: C');
    expect(screen?.querySelector('button')).not.toBeNull();
  });

  it('puts the screen away once the app stands', () => {
    const started = guardBoot();
    started();
    expect(document.getElementById('boot')).toBeNull();
    window.dispatchEvent(new ErrorEvent('error', { message: 'later' }));
    expect(document.body.textContent).not.toContain('later');
  });
});
