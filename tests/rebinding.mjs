// Opens pages in Chromium, some under a name that is pointed at this machine, and says what they could read.
// Standard input: {resolve, login: {url, token}, pages: [url]}; standard output: for each page a line, what it got.
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const require = createRequire(new URL('../ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const { resolve, login, pages } = JSON.parse(await text(process.stdin));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--disable-component-update',
    `--host-resolver-rules=${resolve}`,
  ],
});
const context = await browser.newContext();
if (login) {
  // The owner is logged in, in this very browser.
  const page = await context.newPage();
  await page.goto(login.url);
  const status = await page.evaluate(async (token) => {
    const body = JSON.stringify({ token });
    const answer = await fetch('/login', { method: 'POST', body, headers: { 'content-type': 'application/json' } });
    return answer.status;
  }, login.token);
  const inside = await page.evaluate(async () => (await fetch('/admin/api/overview')).status);
  if (status !== 204 || inside !== 200) throw new Error(`the owner is not logged in: ${status}, ${inside}`);
}
for (const url of pages) {
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => window.done, null, { timeout: 120_000 });
  console.log(JSON.stringify(await page.evaluate(() => window.done)));
  await page.close();
}
await browser.close();
