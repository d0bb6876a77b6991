// Latency as somebody sees it who only looks: nothing measured, then clients whose nearest data centre is not the fastest.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Browser, ROOT, World, axePath, open, readText, until } from './world.mjs';

let world;
let browser;
let germany;
before(async () => {
  world = await World.start({ isMeasured: true });
  browser = await Browser.start();
  const { countries } = await world.get('world?service=web');
  germany = /(\d+\.\d+)\.\d+\.\d+\//.exec(countries.find(({ country }) => country === 'DE').sample)[1];
});
after(async () => {
  await browser?.stop();
  await world?.stop();
});

const card = (page, name) => page.locator(`section.card[aria-label="${name}"]`);

test('as long as nothing is measured the page says how to change that', async () => {
  const page = await browser.page();
  await open(page, world, 'latency');
  const said = card(page, 'Nothing is measured yet');
  await said.getByText('api ranks by latency, and by distance until something is measured.').waitFor();
  for (const way of ['meridian agent', 'dist/rum/beacon.js', 'POST /api/v1/latency']) await said.getByText(way).first().waitFor();
  assert.equal(await page.locator('.ways').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what is measured shows: the matrix, how well each is known, and who goes elsewhere', async () => {
  const page = await browser.page();
  await open(page, world, 'latency');
  await card(page, 'Nothing is measured yet').waitFor();
  const client = `${germany}.7.0/24`;
  const round = [['fra', 330], ['ams', 340], ['iad', 90]].map(([region, ms]) => ({ client, region, ms, samples: 8 }));
  await world.say('latency', { source: 'beacon', measurements: [...round, ...round] });
  // The page looks again by itself.
  const row = page.locator('.ways tr[data-key="DE"]');
  await row.waitFor();
  await row.locator('td[data-region="iad"]').getByText('best').waitFor();
  assert.match(await row.locator('td[data-region="fra"]').textContent(), /^ ?3\d\d\d+\.\d$/);
  assert.match(await row.locator('td[data-region="sin"]').getAttribute('class'), /guess/);
  const { gains } = await world.get('latency');
  assert.deepEqual([gains[0].network, gains[0].best], [client, 'iad']);
  await card(page, 'Elsewhere: not to the nearest').locator(`tr[data-key="${client}"]`).getByText(/^iad|iad, /).waitFor();
  await card(page, 'How well each data centre is known').locator('tr[data-key="fra"]').getByText('beacons 1').waitFor();
  await card(page, 'How well each data centre is known').locator('tr[data-key="sin"]').getByText('never').waitFor();
  // By keyboard: one stop, then arrows; what a cell knows is told.
  await row.locator('td[data-region="fra"]').focus();
  const tip = page.locator('.tip');
  await tip.getByText(/^Germany to fra: 3\d\d ms, [\d.]+ ms expected by distance; 1 of 1 network measured/).waitFor();
  await page.keyboard.press('ArrowLeft');
  await tip.getByText(/^Germany to ams/).waitFor();
  assert.equal(await page.locator('.ways td[tabindex="0"]').count(), 1);
  // From there to the explanation.
  await page.getByRole('link', { name: client }).click();
  const now = page.locator('.answer[data-key="Now"]');
  await now.locator('h2').getByText('iad').first().waitFor();
  assert.match(await now.locator('tr[data-key="iad"]').textContent(), /\d+\.\d ± \d+\.\d ms16 round trips, the last .* ago, by beacon; 1\d\d\.\d ms by distance/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('it is asked again gently, and not at all when another page is open', async () => {
  const page = await browser.page();
  await page.clock.install();
  await open(page, world, 'latency');
  const asked = () => page.requested.filter((url) => url.endsWith('/latency')).length;
  await until(asked, 'it is asked');
  await page.locator('.ways').waitFor();
  const before = asked();
  await page.clock.runFor(9_000);
  assert.equal(asked(), before);
  await page.clock.runFor(2_000);
  await until(() => asked() === before + 1, 'it is asked again');
  await page.click('#pages a[href="#/server"]');
  await page.locator('main[data-page="server"]').waitFor();
  await page.clock.runFor(60_000);
  assert.equal(asked(), before + 1);
  await page.context().close();
});

for (const [theme, width] of [['light', 1440], ['dark', 1440], ['light', 360], ['dark', 360]]) {
  test(`axe finds nothing serious: ${theme}, ${width} pixels`, async () => {
    const page = await browser.page({ width, height: width < 600 ? 780 : 900, theme });
    await open(page, world, 'latency');
    await page.locator('.ways').waitFor();
    await page.evaluate(await readText(axePath));
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`), []);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(overflow <= 0, `${overflow} pixels wider than the screen`);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('pictures for the manual', { skip: !process.env.PICTURES && 'PICTURES=1 makes them' }, async () => {
  const places = (await world.get('world?service=web')).countries.filter(({ sample }) => /\d+\.\d+\.\d+\.\d+\//.test(sample ?? ''));
  const keys = ['ams', 'fra', 'iad', 'sin'];
  const push = (of) => world.say('latency', { source: 'agent', measurements: places.flatMap(({ country, sample }, index) => Array.from({ length: 1 + ((index * 5) % 7) }, (_, net) => keys.map((region, at) => (
    { client: `${/(\d+\.\d+)\./.exec(sample)[1]}.${net}.0/24`, region, ...of(country, index + net, at) }))).flat()) });
  // What is measured is near what distance lets expect, but for some.
  const expected = new Map();
  for (const { country, sample } of places) {
    const { steps } = await world.get(`explain?name=api.example.com&client=${/[\d.]+\//.exec(sample)[0].slice(0, -1)}`);
    expected.set(country, keys.map((key) => steps[0].regions.find(({ region }) => region === key).latency?.expected_ms ?? 100));
  }
  for (let turn = 0; turn < 2; turn += 1) {
    await push((country, index, at) => {
      const ways = expected.get(country);
      const isBroken = index % 11 === 1 && ways[at] === Math.min(...ways);
      return { ms: ways[at] * (0.9 + ((index * 37 + at * 11) % 40) / 100) + (isBroken ? 120 : 0), samples: 8 };
    });
  }
  await until(async () => (await world.get('latency')).elsewhere > 15, 'some are elsewhere');
  for (const [name, look] of [['dashboard-latency', { theme: 'light' }], ['latency-dark', { theme: 'dark' }], ['latency-narrow', { width: 360, height: 780 }]]) {
    const page = await browser.page({ width: 1280, height: 1240, ...look });
    await open(page, world, 'latency');
    await page.locator('.ways').waitFor();
    // One is for the manual, the others are to be looked at.
    const path = name.startsWith('dashboard') ? join(ROOT, `docs/img/${name}.png`) : join(tmpdir(), `${name}.png`);
    await page.screenshot({ path });
    execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', path]);
    await page.context().close();
  }
});
