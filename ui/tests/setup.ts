import '../src/lib/i18n/later';
import { cleanup } from '@testing-library/svelte';
import { afterEach, beforeEach } from 'vitest';

import { language } from '../src/lib/i18n/index.svelte';

beforeEach(() => {
  // Tests of the build run in Node alone.
  if (typeof document === 'undefined') return;
  localStorage.clear();
  location.hash = '';
  language.set('vi');
});
afterEach(() => cleanup());
