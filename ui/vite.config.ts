import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** `--mode mock` builds the UI over the sample data of `lib/api/mock`, for screenshots. */
export default defineConfig(({ mode, command }) => ({
  // Whether the sample data is part of the bundle; a constant, so that production leaves it out.
  define: { __SAMPLE_DATA__: JSON.stringify(mode === 'mock' || command === 'serve') },
  plugins: [svelte()],
  base: './',
  build: {
    target: 'safari16',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 400,
    modulePreload: { polyfill: false },
  },
  server: { port: 5173, strictPort: true },
  // Components under test run as in a browser.
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  test: {
    environment: 'happy-dom',
    include: ['tests/**/*.test.ts'],
    setupFiles: ['tests/setup.ts'],
    restoreMocks: true,
  },
}));
