// A failover as somebody sees it who only looks; the history of it; a connection that is lost.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, World, headline, open, shadeOf } from './world.mjs';

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

test('a failover shows by itself, and so does the way back', async () => {
  const page = await browser.page();
  await open(page, world);
  const germany = (shade) => page.locator(`.land${shade}[data-code="DE"]`);
  const [fra, ams] = [await shadeOf(world, 'fra'), await shadeOf(world, 'ams')];
  await germany(fra).waitFor();
  assert.match(await headline(page).textContent(), /All 4 data centres are well/);
  let loads = 0;
  page.on('load', () => { loads += 1; });

  await world.centers.fra.die();
  await headline(page).getByText(/^fra is down: its clients go to ams.* since \d\d:\d\d$/).waitFor();
  // Shape, word and shade; the map, its twin, and what happened.
  await page.locator('.marker.down[aria-label^="Frankfurt: down"]').waitFor();
  await germany(ams).waitFor();
  await page.locator('.moved path[data-code="DE"]').waitFor();
  await page.locator('tr[data-key="fra"] .badge.down').waitFor();
  const row = page.locator('tr[data-key="DE"]');
  assert.match(await row.textContent(), /Germany.*ams.*failover/);
  await page.getByText(/fra for .*web.* no longer eligible/).first().waitFor();
  await page.getByText(/web@127\.0\.1\.\d+.* fails?/).first().waitFor();

  await world.centers.fra.live();
  await headline(page).getByText('All 4 data centres are well').waitFor();
  // Its clients come back little by little, and the page says until when.
  await page.getByText(/fra has its whole share of web again/).waitFor();
  await germany(fra).waitFor();
  assert.equal(loads, 0, 'the page was loaded again');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the past can be looked at', async () => {
  const page = await browser.page();
  await open(page, world, 'timeline');
  await page.locator('.lane.down').first().waitFor({ state: 'attached' });
  const slider = page.locator('.slider');
  await slider.focus();
  await page.keyboard.press('Home');
  const moments = new Set();
  let sawDown = false;
  // From the first sample to the last: at one of them fra was down, and the table says so.
  for (;;) {
    const words = await slider.getAttribute('aria-valuetext');
    if (moments.has(words)) break;
    moments.add(words);
    sawDown ||= /fra down/.test(words) && /down/.test(await page.locator('tr[data-key="fra"]').textContent());
    await page.keyboard.press('ArrowRight');
  }
  assert.ok(sawDown, [...moments].join('\n'));
  await page.getByRole('heading', { name: /As it stood/ }).waitFor();
  await page.getByText('What led to it').waitFor();

  await page.locator('select[name="group"]').selectOption('failover');
  const happened = page.locator('section').filter({ has: page.getByRole('heading', { name: 'What happened' }) });
  await happened.getByText(/fra for \w+ is no longer eligible/).first().waitFor();
  await happened.getByText(/web@127\.0\.1\.\d+ fails/).first().waitFor({ state: 'detached' });
  await page.locator('select[name="region"]').selectOption('sin');
  await happened.getByText(/^0 events/).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a lost connection is said plainly, with the age of what is shown', async () => {
  const page = await browser.page({ isCut: true });
  await open(page, world);
  await world.kill();
  await page.getByRole('alert').getByText(/^Connection lost/).waitFor();
  await page.locator('#lost').getByText(/What you see is \d+ s old/).waitFor();
  assert.equal(await page.locator('#live').textContent(), 'Not live');
  // The last that is known stays.
  assert.match(await headline(page).textContent(), /All 4 data centres/);
  assert.ok(await page.locator('.marker').count() === 4);

  // Trying while nobody is there changes nothing.
  await page.locator('#lost').getByRole('button', { name: 'Try now' }).click();
  await page.locator('#lost').waitFor();
  await world.serve();
  await page.locator('#live[data-live="live"]').waitFor();
  await page.locator('#lost').waitFor({ state: 'hidden' });
  // And it is live: what happens next shows.
  await world.say('overrides', { target: 'sin', action: 'drain', for_s: 60, owner: 'test' });
  await page.getByText(/^sin is drained/).waitFor();
  await world.say('enable', { target: 'sin' });
  await headline(page).getByText('All 4 data centres are well').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
