// @vitest-environment node
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'vite';

const FIRST_JS_GZIP = 180 * 1024;
/** All pages of later together; each is fetched by itself. */
const LATER_JS_GZIP = 110 * 1024;
/** Pages that are fetched when they are first opened. */
const LATER = /^assets\/(Audit|Courses|Health|Logs|Mailbox|MailTemplates|Settings|Unlock|later)-/;

/** Where the app begins: the entry, the app itself, and its transports. */
const FIRST = /^assets\/(index|App|http|tauri)-/;

let dir: string;
let files: Map<string, string>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'chotdon-ui-build-'));
  await build({ mode: 'production', logLevel: 'silent', build: { outDir: dir } });
  files = new Map(
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(html|js|css)$/.test(name))
      .map((name) => [name, readFileSync(join(dir, name), 'utf8')]),
  );
}, 120_000);

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the production build', () => {
  it('holds no sample data', () => {
    for (const [name, text] of files) expect(text.includes('Ễnh Ỗ Ữ'), name).toBe(false);
  });

  it('has no inline script, which the policy would block', () => {
    const html = files.get('index.html') ?? '';
    expect(html).toContain('<script type="module"');
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    for (const [name, text] of files) expect(/\beval\(|new Function\(/.test(text), name).toBe(false);
  });

  it('fetches nothing from other machines', () => {
    for (const [name, text] of files) {
      if (name.endsWith('.css')) expect(text, name).not.toMatch(/url\(["']?https?:/);
      if (name.endsWith('.html')) expect(text, name).not.toMatch(/(?:src|href)=["']https?:/);
    }
  });

  it('stays within the budget of first JavaScript', () => {
    const js = [...files].filter(([name]) => name.endsWith('.js'));
    const weight = (some: typeof js): number =>
      some.reduce((sum, [, text]) => sum + gzipSync(text).length, 0);
    // What is there before any page is opened: the entry, the app, the way to the core, and what these import.
    const met = new Set<string>();
    const follow = (name: string): void => {
      if (met.has(name)) return;
      met.add(name);
      for (const [, next] of (files.get(name) ?? '').matchAll(/(?:from|import)"\.\/([\w.-]+\.js)"/g))
        follow(`assets/${next}`);
    };
    for (const [name] of js) if (FIRST.test(name)) follow(name);
    const first = js.filter(([name]) => met.has(name));
    const later = js.filter(([name]) => LATER.test(name) && !met.has(name));
    expect(first.length).toBeGreaterThan(5);
    expect(later.length).toBe(9);
    expect(weight(first)).toBeLessThan(FIRST_JS_GZIP);
    expect(weight(later)).toBeLessThan(LATER_JS_GZIP);
  });
});
