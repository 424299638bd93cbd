import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { CODES, errorWords } from '../src/lib/errors/words.svelte';
import { language, t } from '../src/lib/i18n/index.svelte';
import { fill, isKey, messages } from '../src/lib/i18n/messages';

const gaps = (text: string): string[] => [...text.matchAll(/\{(\w+)/g)].map((gap) => gap[1] ?? '').sort();

function sources(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return entry.name === 'mock' ? [] : sources(path);
    return /\.(svelte|ts)$/.test(entry.name) ? [readFileSync(path, 'utf8')] : [];
  });
}

describe('the two languages', () => {
  it('have the same keys, none empty', () => {
    expect(Object.keys(messages.en).sort()).toEqual(Object.keys(messages.vi).sort());
    for (const words of Object.values(messages)) {
      for (const [key, text] of Object.entries(words)) expect(text.trim(), key).not.toBe('');
    }
  });

  it('say each thing in one place', () => {
    for (const locale of ['vi', 'en']) {
      const files = readdirSync('src/lib/i18n').filter((file) =>
        new RegExp(`^${locale}\\..*json$`).test(file),
      );
      expect(files.length).toBeGreaterThan(5);
      const keys = files.flatMap((file) => {
        const text = readFileSync(join('src/lib/i18n', file), 'utf8');
        return [...text.matchAll(/^ {2}"([^"]+)":/gm)].map((found) => found[1]);
      });
      expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
    }
  });

  it('have the same gaps in each message', () => {
    for (const [key, text] of Object.entries(messages.vi)) {
      const english = messages.en[key as keyof typeof messages.en];
      expect([...new Set(gaps(english))], key).toEqual([...new Set(gaps(text))]);
    }
  });

  it('say every word that the app uses, and no others', () => {
    const all = sources('src').join('\n');
    const built = new Set(
      [...all.matchAll(/(?:t|tMaybe)\(\s*['`]([a-z_]+)(?:\.\$|')/g)].map((found) => `${found[1]}.`),
    );
    for (const prefix of [
      'timeline.',
      'notice.',
      'check.',
      'check_code.',
      'health_code.',
      'error.',
      'evidence.',
      'mail_mistake.',
      'audit_value.',
      'key.',
    ])
      built.add(prefix);
    const unused = Object.keys(messages.vi).filter(
      (key) =>
        !all.includes(`'${key}'`) &&
        !all.includes(`"${key}"`) &&
        ![...built].some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  it('write the course and the key in their own spelling', () => {
    for (const [key, text] of Object.entries(messages.vi)) {
      expect(text.normalize('NFC'), key).toBe(text);
      expect(text, key).not.toMatch(/khóa học/i);
      expect(text, key).not.toMatch(/khoá xác thực/i);
    }
  });

  it('close dialogs with Đóng, never with Hủy', () => {
    expect(t('common.close')).toBe('Đóng');
    const cancels = Object.entries(messages.vi).filter(([, text]) => text === 'Hủy');
    expect(cancels).toEqual([]);
  });

  it('switch without a reload', () => {
    expect(t('nav.orders')).toBe('Đơn hàng');
    language.set('en');
    expect(t('nav.orders')).toBe('Orders');
    expect(document.documentElement.lang).toBe('en');
  });
});

describe('a message', () => {
  it('fills its gaps and counts in English', () => {
    expect(fill('{n} new {n|order|orders}', { n: 1 })).toBe('1 new order');
    expect(fill('{n} new {n|order|orders}', { n: 3 })).toBe('3 new orders');
  });

  it('keeps a gap that nothing fills, so that the mistake shows', () => {
    expect(fill('a {b}')).toBe('a {b}');
  });
});

describe('the error catalogue', () => {
  it('has a title, a cause and a fix for every code, in both languages', () => {
    for (const code of CODES) {
      for (const part of ['title', 'cause', 'fix']) expect(isKey(`error.${code}.${part}`), code).toBe(true);
    }
  });

  it('knows no code beyond the list', () => {
    const known = new Set<string>([...CODES, 'unknown']);
    for (const key of Object.keys(messages.vi)) {
      const code = /^error\.(\w+)\.title$/.exec(key)?.[1];
      if (code) expect(known.has(code), code).toBe(true);
    }
  });

  it('still says something honest about a code it does not know', () => {
    expect(errorWords('brand_new').title).toContain('brand_new');
  });
});
