// What every page must be: quick, small, its own, readable for everybody, on a telephone and on a wall.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Browser, PATIENCE_MS, ROOT, TOKEN, World, axePath, headline, open, readText, until } from './world.mjs';

const PAGES = ['world', 'timeline', 'services', 'latency', 'explain', 'operate', 'server'];
const WEIGHT_MAX = 500_000;
const FIRST_RENDER_MS = 1_000;
const PICTURE_MAX = 200_000;

let world;
let browser;
before(async () => {
  world = await World.start();
  browser = await Browser.start();
  await world.ask();
});
after(async () => {
  await browser?.stop();
  await world?.stop();
});

test('it loads quickly, weighs little, and asks nobody else', async (t) => {
  // The best of three: what else the machine does at the time is not the page's.
  const firsts = [];
  for (let turn = 0; turn < 3; turn += 1) {
    const fresh = await browser.page();
    await open(fresh, world);
    firsts.push(await fresh.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await fresh.context().close();
  }
  const first = Math.min(...firsts);
  const page = await browser.page();
  const weights = new Map();
  page.on('response', async (response) => {
    const path = new URL(response.url()).pathname;
    if (!path.startsWith('/api/')) weights.set(path, (await response.body()).length);
  });
  await open(page, world);
  await page.locator('.map .marker').first().waitFor();
  assert.match(await headline(page).textContent(), /^All 4 data centres are well$/);
  for (const name of PAGES) await page.click(`#pages a[href="#/${name}"]`);
  await page.click('#pages a[href="#/timeline"]');
  await page.locator('.lanes .lane').first().waitFor();
  const weight = [...weights.values()].reduce((sum, one) => sum + one, 0);
  t.diagnostic(`first render after ${Math.round(first)} ms, ${weight} octets in ${weights.size} files`);
  assert.ok(first < FIRST_RENDER_MS, `first render after ${first} ms`);
  assert.ok(weights.size > 10 && weight <= WEIGHT_MAX, `${weight} octets`);
  assert.deepEqual(page.requested.filter((url) => !url.startsWith(world.base)), []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the browser is told to run nothing but what the server sends', async () => {
  const answer = await fetch(world.base);
  assert.match(answer.headers.get('content-security-policy'), /default-src 'self'/);
  assert.doesNotMatch(answer.headers.get('content-security-policy'), /unsafe/);
  assert.doesNotMatch(await answer.text(), /<script>|<style>| style="| on\w+="/);
});

for (const [theme, width] of [['light', 1440], ['dark', 1440], ['light', 360], ['dark', 360]]) {
  test(`axe finds nothing serious: ${theme}, ${width} pixels`, async () => {
    const page = await browser.page({ width, height: width < 600 ? 780 : 900, theme });
    await open(page, world);
    await page.evaluate((token) => sessionStorage.setItem('meridian-token', token), TOKEN);
    const axe = await readText(axePath);
    for (const path of ['world', 'timeline', 'services', 'explain?country=DE', 'operate?region=fra', 'server']) {
      await open(page, world, path);
      await shown(page, path);
      // axe as text, not as an element: the page's own policy forbids scripts in it.
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      const found = serious.map(({ id, nodes }) => `${path}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`);
      assert.deepEqual(found, []);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${path} is ${overflow} pixels wider than the screen`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

/** Waits for what a page shows last. */
async function shown(page, path) {
  const last = {
    world: '.map .marker', timeline: '.lanes .lane', services: '.phases', 'explain?country=DE': '.answer pre', 'operate?region=fra': '.act', server: '.spark',
  };
  await page.locator(last[path]).first().waitFor();
}

test('it can be used without a mouse', async () => {
  const page = await browser.page();
  await open(page, world);
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the page');
  await page.keyboard.press('Enter');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
  await page.focus('#pages a[href="#/operate"]');
  await page.keyboard.press('Enter');
  await page.locator('main[data-page="operate"]').waitFor();
  assert.equal(await page.locator('#pages a[aria-current="page"]').textContent(), 'Operate');
  await page.focus('input[name="token"]');
  await page.keyboard.type(TOKEN);
  await page.keyboard.press('Enter');
  await page.getByText('A token is kept in this tab.').waitFor();
  // Live changes come without taking away what has the focus.
  await open(page, world, 'world');
  const marker = page.locator('.marker').first();
  await marker.focus();
  const before = (await world.get('status')).generation;
  await world.say('overrides', { target: 'sin', action: 'drain', for_s: 60 });
  await page.locator('.marker.drained').waitFor();
  assert.ok((await world.get('status')).generation > before);
  assert.ok(await page.evaluate(() => document.activeElement.classList.contains('marker')));
  await world.say('enable', { target: 'sin' });
  await page.context().close();
});

test('light and dark follow the system until somebody chooses', async () => {
  const page = await browser.page({ theme: 'dark' });
  await open(page, world);
  const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const dark = await ground();
  await page.click('#theme');
  assert.equal(await page.locator('#theme').textContent(), 'Theme: light');
  assert.notEqual(await ground(), dark);
  await page.reload();
  await page.locator('#live[data-live="live"]').waitFor();
  assert.notEqual(await ground(), dark);
  await page.context().close();
});

test('nothing moves for people who do not want it', async () => {
  const page = await browser.page({ motion: 'reduce' });
  await open(page, world);
  await page.locator('.land').first().waitFor();
  const durations = await page.evaluate(() => [...document.querySelectorAll('*')].map((element) => getComputedStyle(element)).filter((style) => style.animationName !== 'none' || Number.parseFloat(style.transitionDuration) > 0).length);
  assert.equal(durations, 0);
  await page.context().close();
});

test('pictures for the manual', { skip: !process.env.PICTURES && 'PICTURES=1 makes them' }, async () => {
  await mkdir(join(ROOT, 'docs/img'), { recursive: true });
  const take = async (path, name, look) => {
    const page = await browser.page(look);
    await open(page, world);
    await page.evaluate((token) => sessionStorage.setItem('meridian-token', token), TOKEN);
    await open(page, world, path);
    await shown(page, path);
    if (path === 'timeline') {
      await page.getByRole('button', { name: '15 min' }).click();
      await page.locator('.chart canvas').waitFor();
    }
    const file = join(ROOT, `docs/img/${name}.png`);
    await page.screenshot({ path: file, fullPage: look?.full ?? false });
    execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', file]);
    assert.ok((await stat(file)).size < PICTURE_MAX, `${name} is too large`);
    await page.context().close();
  };
  const see = async (look) => {
    const page = await browser.page();
    await open(page, world);
    await look(page);
    await page.context().close();
  };
  const tall = { width: 1280, height: 860 };
  // What tests before this one did is over.
  await until(async () => (await world.get('services')).every((service) => service.ramps.length === 0), 'no ramp', 6 * PATIENCE_MS);
  await take('world', 'dashboard-world', tall);
  await take('operate?region=fra', 'dashboard-operate', tall);
  // Some minutes of history, with a failover in it.
  const history = async (count) => (await world.get('history')).samples.filter((sample) => sample.regions[0].share !== null).length >= count;
  await until(() => history(2), 'two samples', 4 * PATIENCE_MS);
  await world.centers.fra.die();
  await see((page) => page.getByText(/fra is down: its clients go to ams/).waitFor());
  await until(async () => !(await world.get('traffic')).answers.some(({ region, per_second: rate }) => region === 'fra' && rate > 0), 'all have left fra');
  await take('world', 'dashboard-failover', { ...tall, theme: 'dark' });
  await take('services', 'dashboard-services', tall);
  await take('explain?country=DE', 'dashboard-explain', { ...tall, height: 1300 });
  await take('server', 'dashboard-server', { ...tall, theme: 'dark' });
  await take('world', 'dashboard-narrow', { width: 360, height: 780 });
  await world.centers.fra.live();
  await see((page) => headline(page).getByText('All 4 data centres are well').waitFor());
  await until(() => history(7), 'seven samples', 6 * PATIENCE_MS);
  await take('timeline', 'dashboard-timeline', tall);
});
