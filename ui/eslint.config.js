import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

const noTauri = {
  'no-restricted-imports': [
    'error',
    {
      patterns: [{ group: ['@tauri-apps/*'], message: 'Only lib/api/tauri.ts talks to the desktop shell.' }],
    },
  ],
};

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/lib/api/generated.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: {
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig },
    },
  },
  {
    rules: {
      ...noTauri,
      'max-lines': ['error', 500],
      'no-console': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // A bare Intl or toLocaleString follows the machine, and WebKit throws on LANG=C.
      'no-restricted-syntax': [
        'error',
        {
          selector: "MemberExpression[object.name='navigator'][property.name=/^languages?$/]",
          message: 'Locale comes from lib/i18n, never from the machine.',
        },
        {
          selector: 'CallExpression[callee.property.name=/^toLocale(String|DateString|TimeString)$/]',
          message: 'Format through lib/i18n/format.',
        },
        {
          selector: "NewExpression[callee.object.name='Intl'][arguments.length=0]",
          message: 'Pass the locale explicitly.',
        },
      ],
      'svelte/no-at-html-tags': 'error',
      // Plain sets and maps are replaced whole ($state.raw) or never shown.
      'svelte/prefer-svelte-reactivity': 'off',
    },
  },
  { files: ['src/lib/api/tauri.ts'], rules: { 'no-restricted-imports': 'off' } },
  { files: ['shots/**', '*.config.*'], rules: { 'no-console': 'off' } },
);
