import { cleanup } from '@testing-library/svelte';
import { afterEach, beforeEach } from 'vitest';

import { language } from '../src/lib/i18n/index.svelte';

beforeEach(() => {
  localStorage.clear();
  location.hash = '';
  language.set('vi');
});
afterEach(() => cleanup());
