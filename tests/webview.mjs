// The owner's browser for a while: logs in, sets a secret, opens the pages that know of keys, and goes. What stays on the
// disk is the profile directory, which the test searches. Standard input: {url, token, profile, secret}.
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const require = createRequire(new URL('../ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const { url, token, profile, secret } = JSON.parse(await text(process.stdin));

const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  viewport: { width: 1280, height: 800 },
  locale: 'vi',
});
const page = await context.newPage();
await page.goto(url, { waitUntil: 'load' });
await page.getByTestId('login-token').fill(token);
await page.getByTestId('login-submit').click();
await page.goto(`${url}/#/settings?section=security`);
const field = page.getByTestId('secret-sepay.api_token');
await field.locator('input').waitFor();
const replace = field.getByRole('button').first();
if (await field.locator('input[readonly]').count()) await replace.click();
await field.locator('input').fill(secret);
await field.getByRole('button').first().click();
await page.getByTestId('key-sepay.api_token').waitFor();
const shown = await page.getByTestId('key-sepay.api_token').innerText();
await page.goto(`${url}/#/audit`);
await page.locator('[data-testid^="audit-row-"]').first().waitFor();
const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
console.log(JSON.stringify({ shown, kept, body: await page.locator('body').innerText() }));
await context.close();
