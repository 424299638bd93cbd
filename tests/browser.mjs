// Opens pages in Chromium as a buyer on a phone or a desk would, and says what is wrong with them: what axe finds, what is
// wider than the screen, what cannot be reached by keyboard or has no name, what the page's own policy blocked.
// Standard input: [{name, url, width, dark, language, scripts}]; standard output: the findings, one JSON string a line.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { text } from 'node:stream/consumers';

const require = createRequire(new URL('../ui/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const axe = await readFile(require.resolve('axe-core/axe.min.js'), 'utf8');

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
for (const look of JSON.parse(await text(process.stdin))) {
  const context = await browser.newContext({
    viewport: { width: look.width, height: 800 },
    colorScheme: look.dark ? 'dark' : 'light',
    locale: look.language,
    javaScriptEnabled: look.scripts,
  });
  const page = await context.newPage();
  const tell = (what) => console.log(JSON.stringify(`${look.name}: ${what}`));
  page.on('pageerror', (error) => tell(error.message));
  page.on('console', (message) => message.type() === 'error' && tell(message.text()));
  await page.goto(look.url, { waitUntil: 'load' });
  if (look.scripts) await judge(page, tell);
  else await withoutScripts(page, tell);
  await context.close();
}
await browser.close();

async function judge(page, tell) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) tell(`the page is ${wide} px too wide`);
  await page.evaluate(axe);
  const violations = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa'] });
    return violations.map((one) => `axe ${one.id} (${one.impact}): ${one.nodes.map((node) => node.target).join(' | ')}`);
  });
  violations.forEach(tell);
  // Every control gets the focus by Tab alone, is seen to have it, and has a name for a screen reader.
  const wanted = await page.evaluate(
    () => [...document.querySelectorAll('a[href], button, input, select, summary')].filter((one) => one.checkVisibility()).length,
  );
  const met = new Set();
  for (let press = 0; press < wanted + 2; press += 1) {
    await page.keyboard.press('Tab');
    const at = await page.evaluate(() => {
      const one = document.activeElement;
      if (!one || one === document.body) return null;
      const controls = [...document.querySelectorAll('a[href], button, input, select, summary')];
      const style = getComputedStyle(one);
      const name = one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent ?? '';
      const shown = style.outlineStyle !== 'none' || style.boxShadow !== 'none';
      return { index: controls.indexOf(one), name: name.trim(), shown, tag: one.tagName };
    });
    if (!at) continue;
    met.add(at.index);
    if (!at.name) tell(`a ${at.tag} without a name`);
    if (!at.shown) tell(`the focus on ${at.tag} "${at.name}" cannot be seen`);
  }
  if (met.size < wanted) tell(`${wanted - met.size} of ${wanted} controls cannot be reached by keyboard`);
}

async function withoutScripts(page, tell) {
  const words = await page.locator('main').innerText();
  if (words.trim().length < 40) tell('says nothing without scripts');
}
