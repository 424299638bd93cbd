// Takes a picture of every page in every dress and asks axe about each: `npm run shots -- [--only NAME] [--out DIR]`.
// Fails on serious axe findings, on page errors, on columns without room at any width of the window, and on anything
// the Content-Security-Policy blocked.
import { mkdir, mkdtemp, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { chromium } from 'playwright-core';
import { build } from 'vite';

import { serve } from './serve.mjs';

const { values: args } = parseArgs({
  options: {
    only: { type: 'string' },
    out: { type: 'string' },
    quick: { type: 'boolean', default: false },
  },
});

const code = (n) => `DH${120000 + n}`;
/** Each scene: a route, the data it needs, and what to do before the picture. */
const SCENES = [
  { name: 'overview', route: '/overview', data: ['full', 'empty', 'broken'] },
  { name: 'overview-order', route: `/overview/${code(461)}`, data: ['full'] },
  { name: 'orders', route: '/orders', data: ['full', 'empty', 'broken'] },
  { name: 'orders-pending', route: `/orders/${code(458)}`, data: ['full'] },
  { name: 'orders-failed', route: `/orders/${code(457)}`, data: ['full'] },
  { name: 'orders-completed', route: `/orders/${code(460)}`, data: ['full'] },
  { name: 'queue', route: '/queue', data: ['full', 'empty', 'broken'] },
  { name: 'queue-task', route: '/queue/8970', data: ['full'] },
  { name: 'queue-running', route: '/queue/9007', data: ['full'] },
  { name: 'courses', route: '/courses', data: ['full', 'empty', 'broken'] },
  { name: 'courses-one', route: '/courses/rust-co-ban', data: ['full', 'broken'] },
  {
    name: 'courses-announce',
    route: '/courses/rust-co-ban',
    data: ['full'],
    act: (page) => page.getByTestId('course-announce').click(),
  },
  { name: 'courses-drive', route: '/courses/thiet-ke-giao-dien', data: ['full'] },
  {
    name: 'courses-edit',
    route: '/courses/thiet-ke-giao-dien',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('course-edit').click();
      await page.getByTestId('source-test').click();
    },
  },
  { name: 'courses-place', route: '/courses/excel-truc-tuyen', data: ['full'] },
  {
    name: 'courses-place-edit',
    route: '/courses/excel-truc-tuyen',
    data: ['full'],
    act: (page) => page.getByTestId('course-edit').click(),
  },
  { name: 'courses-new', route: '/courses/%3Anew', data: ['full'] },
  { name: 'courses-bundles', route: '/courses?state=bundles', data: ['full', 'empty'] },
  {
    name: 'courses-bundle',
    route: '/courses?state=bundles',
    data: ['full'],
    act: (page) => page.getByTestId('bundle-add').click(),
  },
  {
    name: 'order-address',
    route: `/orders/${code(460)}`,
    data: ['full'],
    act: (page) => page.getByTestId('order-address').click(),
  },
  { name: 'health', route: '/health', data: ['full', 'empty', 'broken'] },
  {
    name: 'diagnostics',
    route: '/health',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('diagnostics').click();
      await page.locator('dialog summary').first().click();
    },
  },
  { name: 'logs', route: '/logs', data: ['full', 'empty'] },
  { name: 'logs-events', route: '/logs?tab=events', data: ['full'] },
  { name: 'settings-channels', route: '/settings?section=channels', data: ['full', 'empty'] },
  { name: 'settings-backup', route: '/settings?section=backup', data: ['full', 'empty', 'broken'] },
  {
    name: 'restore',
    route: '/settings?section=backup',
    data: ['full'],
    act: (page) => page.getByTestId('backup-restore').first().click(),
  },
  { name: 'settings-delivery', route: '/settings?section=delivery', data: ['full', 'empty', 'broken'] },
  { name: 'storefront', route: '/settings?section=storefront', data: ['full', 'empty', 'broken'] },
  {
    name: 'storefront-key',
    route: '/settings?section=storefront',
    data: ['full'],
    act: (page) => page.getByTestId('key-new').click(),
  },
  {
    name: 'storefront-made',
    route: '/settings?section=storefront',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('key-new').click();
      await page.getByTestId('key-name').fill('web-moi');
      await page.getByTestId('key-make').click();
      await page.getByTestId('shown-once').waitFor();
    },
  },
  {
    name: 'storefront-revoke',
    route: '/settings?section=storefront',
    data: ['full'],
    act: (page) => page.getByTestId('website-key-web').getByRole('button').click(),
  },
  {
    name: 'storefront-endpoint',
    route: '/settings?section=storefront',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('endpoint-new').click();
      await page.getByTestId('events-some').check();
    },
  },
  {
    name: 'storefront-events',
    route: '/settings?section=storefront',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('test-web').click();
      await page.getByTestId('events-web').click();
      await page.getByTestId('event-row-61').waitFor();
      await page.getByTestId('endpoint-web').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'storefront-address',
    route: '/settings?section=storefront',
    data: ['full', 'empty'],
    act: (page) => page.getByTestId('address-curl').scrollIntoViewIfNeeded(),
  },
  { name: 'mails', route: '/settings/mail-templates', data: ['full', 'broken'] },
  {
    name: 'mails-edit',
    route: '/settings/mail-templates?mail=delivered&lang=vi',
    data: ['full', 'broken'],
    act: (page) => page.getByTestId('mail-subject').waitFor(),
  },
  {
    name: 'mails-mistake',
    route: '/settings/mail-templates?mail=delivered&lang=vi',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('mail-tab-text').click();
      await page
        .getByTestId('mail-text')
        .fill('Chào {{ customer_name }},\n\nĐơn {{ ma_don }} đã sẵn sàng.\n');
      await page.getByTestId('mail-mistakes').waitFor();
    },
  },
  {
    name: 'mails-shared',
    route: '/settings/mail-templates?mail=_frame&lang=vi',
    data: ['full'],
    act: (page) => page.getByTestId('mail-html').waitFor(),
  },
  {
    name: 'mails-leave',
    route: '/settings/mail-templates?mail=delivered&lang=vi',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('mail-subject').fill('Mới');
      await page.getByTestId('nav-orders').click();
      await page.getByTestId('leave-stay').waitFor();
    },
  },
  {
    name: 'mails-test',
    route: '/settings/mail-templates?mail=delivered&lang=vi',
    data: ['full'],
    act: (page) => page.getByTestId('mail-test').click(),
  },
  {
    name: 'settings-connection',
    route: '/settings?section=connection',
    data: ['full', 'empty', 'broken'],
  },
  { name: 'failures', route: '/failures', data: ['full', 'empty', 'broken'] },
  { name: 'failures-retrying', route: '/failures?tab=retrying', data: ['full', 'empty'] },
  { name: 'failures-mended', route: '/failures?tab=mended', data: ['full'] },
  {
    name: 'failures-open',
    route: '/failures?group=deliver_order%3Amail%3Amail_auth',
    data: ['full'],
  },
  {
    name: 'retry-preview',
    route: '/failures',
    data: ['full'],
    act: (page) => page.getByTestId('retry-all').click(),
  },
  { name: 'unmatched', route: '/unmatched', data: ['full', 'empty'] },
  { name: 'unmatched-near', route: '/unmatched/39', data: ['full'] },
  { name: 'unmatched-name', route: '/unmatched/38', data: ['full'] },
  { name: 'unmatched-none', route: '/unmatched/35', data: ['full'] },
  {
    name: 'unmatched-matched',
    route: '/unmatched/39',
    data: ['full'],
    act: (page) => page.getByTestId('take-1').click(),
  },
  {
    name: 'unmatched-credit',
    route: '/unmatched/38',
    data: ['full'],
    act: (page) => page.getByTestId('mode-credit').click(),
  },
  {
    name: 'unmatched-create',
    route: '/unmatched/38',
    data: ['full'],
    act: (page) => page.getByTestId('mode-create_order').click(),
  },
  {
    name: 'unmatched-aside',
    route: '/unmatched/38',
    data: ['full'],
    act: (page) => page.getByTestId('mode-set_aside').click(),
  },
  {
    name: 'unmatched-many',
    route: '/unmatched',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('mark-39').check();
      await page.getByTestId('mark-38').check();
    },
  },
  { name: 'unmatched-all', route: '/unmatched?state=all', data: ['full'] },
  {
    name: 'order-surplus',
    route: `/orders/${code(461)}`,
    data: ['full'],
    act: (page) => page.getByTestId('money-surplus').click(),
  },
  {
    name: 'order-refund',
    route: `/orders/${code(460)}`,
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('money-refund').click();
      await page.getByTestId('refund-part').check();
      await page.getByTestId('refund-amount').fill('100k');
    },
  },
  {
    name: 'order-mark',
    route: `/orders/${code(458)}`,
    data: ['full'],
    act: (page) => page.getByTestId('money-mark_paid').click(),
  },
  { name: 'wallet', route: '/wallet', data: ['full', 'empty', 'broken'] },
  { name: 'wallet-balances', route: '/wallet?tab=balances', data: ['full'] },
  { name: 'wallet-ledger', route: '/wallet?tab=ledger', data: ['full', 'empty', 'broken'] },
  { name: 'wallet-account', route: '/wallet?tab=ledger&account=wallet%3A0', data: ['full'] },
  {
    name: 'wallet-reverse',
    route: '/wallet?tab=ledger',
    data: ['full'],
    act: (page) => page.getByTestId('reverse-411').click(),
  },
  { name: 'webhooks', route: '/webhooks', data: ['full', 'empty', 'broken'] },
  { name: 'webhooks-one', route: '/webhooks/92739', data: ['full'] },
  {
    name: 'webhooks-request',
    route: '/webhooks/92739',
    data: ['full'],
    act: (page) => page.getByTestId('tab-request').click(),
  },
  { name: 'customers', route: '/customers', data: ['full', 'empty'] },
  { name: 'customers-one', route: '/customers/0', data: ['full'] },
  {
    name: 'customers-adjust',
    route: '/customers/0',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('adjust').click();
      await page.getByTestId('adjust-minus').click();
      await page.getByTestId('adjust-amount').fill('1,2tr');
    },
  },
  { name: 'mailbox', route: '/mailbox', data: ['full', 'empty'] },
  { name: 'settings', route: '/settings', data: ['full', 'empty', 'broken'] },
  { name: 'settings-limits', route: '/settings?section=limits', data: ['full'] },
  { name: 'settings-access', route: '/settings?section=access', data: ['full'] },
  { name: 'settings-mail', route: '/settings?section=mail', data: ['broken'] },
  {
    name: 'create',
    route: '/orders',
    data: ['full', 'empty'],
    act: (page) => page.getByTestId('create-order').click(),
  },
  {
    name: 'created',
    route: '/orders',
    data: ['full'],
    act: async (page) => {
      await page.getByTestId('create-order').click();
      await page.getByTestId('course-rust-co-ban').check();
      await page.getByTestId('order-email').fill('thang@example.com');
      await page.getByTestId('order-name').fill('Nguyễn Đức Thắng Ẩn Ễnh Ỗ Ữ');
      await page.getByTestId('order-submit').click();
      await page.getByTestId('pay-qr').waitFor();
    },
  },
  {
    name: 'palette',
    route: '/overview',
    data: ['full'],
    act: async (page) => {
      await page.keyboard.press('Control+k');
      await page.getByTestId('palette-input').fill('DH12046');
      await page.waitForTimeout(400);
    },
  },
  {
    name: 'notices',
    route: '/overview',
    data: ['full', 'empty'],
    act: (page) => page.getByTestId('notice-bell').click(),
  },
  { name: 'login', route: '/', data: ['locked'] },
];
const SIZES = [
  { width: 1280, height: 800 },
  { width: 960, height: 640 },
  // 1280 × 800 at 200 % zoom.
  { width: 640, height: 400 },
];
/** From the widest picture to the narrowest. */
const WIDTHS = Array.from({ length: 9 }, (_, at) => 1280 - 80 * at);

const require = createRequire(import.meta.url);
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');
const out = args.out ?? (await mkdtemp(join(tmpdir(), 'chotdon-shots-')));
await mkdir(out, { recursive: true });
const site = await mkdtemp(join(tmpdir(), 'chotdon-ui-mock-'));
await build({ mode: 'mock', logLevel: 'warn', build: { outDir: site } });

const { server, url } = await serve(site);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
const findings = [];
let taken = 0;

for (const locale of args.quick ? ['vi'] : ['vi', 'en']) {
  for (const theme of args.quick ? ['light'] : ['light', 'dark']) {
    for (const size of SIZES) {
      const context = await browser.newContext({ viewport: size, reducedMotion: 'reduce' });
      // As the desktop window does.
      await context.addInitScript(() => Object.freeze(Object.prototype));
      await context.addInitScript(
        ([chosenLocale, chosenTheme]) => {
          // A sandboxed frame has no storage.
          if (window !== window.top) return;
          localStorage.setItem('chotdon.locale', chosenLocale);
          localStorage.setItem('chotdon.theme', chosenTheme);
        },
        [locale, theme],
      );
      for (const scene of SCENES) {
        if (args.only && !scene.name.startsWith(args.only)) continue;
        for (const data of scene.data) await shoot(context, { scene, data, locale, theme, size });
      }
      await context.close();
    }
  }
}

await browser.close();
server.close();
console.log(`${taken} pictures in ${out}`);
for (const finding of findings) console.error(finding);
process.exit(findings.length > 0 ? 1 : 0);

async function shoot(context, { scene, data, locale, theme, size }) {
  const name = `${scene.name}-${data}-${locale}-${theme}-${size.width}`;
  const page = await context.newPage();
  page.on('pageerror', (error) => findings.push(`${name}: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') findings.push(`${name}: ${message.text()}`);
  });
  await page.goto(`${url}?data=${data}&still#${scene.route}`);
  await page.locator('#boot').waitFor({ state: 'detached' });
  await page.evaluate(() => document.fonts.ready);
  await page.waitForTimeout(120);
  if (scene.act) await scene.act(page);
  await page.waitForTimeout(80);
  await page.screenshot({ path: join(out, `${name}.png`) });
  taken += 1;
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) findings.push(`${name}: the page is ${wide} px too wide`);
  if (size.width === SIZES[0].width) {
    await page.evaluate(axe);
    const serious = await page.evaluate(async () => {
      const result = await window.axe.run(document, {
        runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'],
      });
      return result.violations
        .filter((violation) => ['serious', 'critical'].includes(violation.impact))
        .map(
          (violation) =>
            `${violation.id}: ${violation.nodes.map((node) => `${node.target} ${node.any[0]?.message ?? ''}`).join(' | ')}`,
        );
    });
    for (const violation of serious) findings.push(`${name}: axe ${violation}`);
  }
  // Columns come and go with the width, so that between the sizes none may have lost its room either.
  const sweep = size === SIZES[0] && data === 'full' && (await page.locator('th').count()) > 0;
  for (const width of sweep ? WIDTHS : [size.width]) {
    if (width !== size.width) await page.setViewportSize({ width, height: size.height });
    for (const column of await settled(page)) findings.push(`${name} at ${width}: ${column}`);
  }
  await page.close();
}

/** What is cramped for good: a panel that becomes an overlay does so a moment after the width has changed. */
async function settled(page) {
  let columns = await page.evaluate(cramped);
  for (let tries = 0; columns.length > 0 && tries < 20; tries += 1) {
    await page.waitForTimeout(100);
    columns = await page.evaluate(cramped);
  }
  return columns;
}

/** Columns of tables that are too narrow to read and do not even show their head. Runs in the page. */
function cramped() {
  return [...document.querySelectorAll('th')]
    .filter((th) => th.getClientRects().length > 0 && th.querySelector('.visually-hidden') === null)
    .filter((th) => th.clientWidth < 85 && th.scrollWidth > th.clientWidth + 1)
    .map((th) => `the column "${th.textContent.trim()}" has ${th.clientWidth} px`);
}
