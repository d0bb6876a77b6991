// An operator's words: refused without the token, shown before they are said, taken back with one click.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Browser, TOKEN, World, headline, open, until } from './world.mjs';

let world;
let browser;
before(async () => {
  world = await World.start();
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await world?.stop();
});

const overrides = () => world.get('overrides');

async function withToken(page, token = TOKEN) {
  await page.fill('input[name="token"]', token);
  await page.getByRole('button', { name: 'Use it' }).click();
}

test('without the right token nothing is done', async () => {
  const page = await browser.page({ isCut: true });
  await open(page, world, 'operate?region=fra');
  await page.getByText('Needs the token.').waitFor();
  assert.equal(await page.locator('.act').count(), 0);
  await withToken(page, 'this-is-not-the-token-of-the-server');
  await page.getByRole('alert').getByText('The server does not know this token.').waitFor();
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  assert.deepEqual(await overrides(), []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a drain is shown before, done, and undone', async () => {
  const page = await browser.page();
  await open(page, world, 'operate');
  await withToken(page);
  await page.selectOption('select[name="region"]', 'fra');
  // What it will do: nothing is done yet.
  const web = page.locator('.effect[data-key="web"]');
  await web.getByText(/countries move|country moves/).waitFor();
  assert.match(await web.locator('tr[data-key="fra"]').textContent(), /fra\d+ %0 %▼ less/);
  assert.match(await web.locator('tr[data-key="ams"]').textContent(), /▲ more/);
  await web.getByText(/Germany|and \d+ more/).waitFor();
  assert.deepEqual(await overrides(), []);

  await page.fill('input[name="reason"]', '<img src=x onerror="document.title=1"> new switches');
  await page.fill('input[name="owner"]', 'kim');
  await page.selectOption('select[name="lasting"]', '900');
  await page.getByRole('button', { name: 'Drain fra for 15 min' }).click();
  await page.getByText('Done: Drain fra for 15 min.').waitFor();
  const [word] = await overrides();
  assert.deepEqual([word.target, word.owner], ['fra', 'kim']);
  assert.ok(Math.abs(word.expires - word.since - 900_000) < 1_000);
  await headline(page).getByText(/^fra is drained/).waitFor();
  // What somebody wrote is text and stays text.
  await page.locator('tr[data-key="drain fra"]').getByText('<img src=x').waitFor();
  assert.notEqual(await page.title(), '1');

  await page.getByRole('button', { name: 'Undo' }).click();
  await page.getByText(/^Done: Undo: Drain fra/).waitFor();
  assert.deepEqual(await overrides(), []);
  await headline(page).getByText('All 4 data centres are well').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('undo brings back what was said before', async () => {
  const page = await browser.page();
  await world.say('overrides', { target: 'web/sin', action: 'drain', for_s: 600, owner: 'kim', reason: 'cables' });
  await open(page, world, 'operate');
  await withToken(page);
  await page.locator('tr[data-key="drain web/sin"]').getByRole('button', { name: /Take back/ }).click();
  await page.getByText('Done: Enable web/sin.').waitFor();
  assert.deepEqual(await overrides(), []);
  await page.getByRole('button', { name: 'Undo' }).click();
  const [word] = await until(async () => (await overrides()).length > 0 && overrides(), 'the word is back');
  assert.deepEqual([word.target, word.action, word.owner, word.reason], ['web/sin', 'drain', 'kim', 'cables']);
  await world.say('enable', { target: 'web/sin' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an active region is switched and switched back', async () => {
  const page = await browser.page();
  await open(page, world, 'operate?action=switch&service=shop');
  await withToken(page);
  await page.getByRole('button', { name: 'Switch shop to fra' }).click();
  await page.getByText('Done: Switch shop to fra.').waitFor();
  const active = async () => (await world.get('services')).find(({ key }) => key === 'shop').active.region;
  assert.equal(await active(), 'fra');
  await page.getByRole('button', { name: 'Undo' }).click();
  await until(async () => (await active()) === 'iad', 'iad is active again');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an evacuation is shown step by step, begun, and cancelled', async () => {
  const page = await browser.page();
  await open(page, world, 'operate?action=evacuate&region=fra');
  await withToken(page);
  const steps = page.getByRole('table', { name: 'Steps of the evacuation' });
  await steps.waitFor();
  assert.equal(await steps.locator('tbody tr').count(), 4);
  const evacuations = async () => (await world.get('status')).evacuations;
  assert.deepEqual(await evacuations(), []);
  if (process.env.PICTURES) {
    const path = '../../docs/img/dashboard-evacuate.png';
    await page.screenshot({ path, fullPage: true });
    execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', path]);
  }
  await page.getByRole('button', { name: /^Evacuate fra/ }).click();
  await page.getByText(/^Done: Evacuate fra/).waitFor();
  assert.equal((await evacuations())[0].region, 'fra');
  await page.locator('[data-key="evacuation fra"]').getByRole('button', { name: 'Cancel' }).click();
  await until(async () => (await evacuations()).length === 0, 'the evacuation is cancelled');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('who is too late is told so', async () => {
  const page = await browser.page({ isCut: true });
  await open(page, world, 'operate?region=ams');
  await withToken(page);
  const button = page.getByRole('button', { name: 'Drain ams for 1 h' });
  await button.waitFor();
  // Somebody else speaks, and this page does not hear of it in time.
  await page.route('**/api/v1/overrides', (route) => (route.request().method() === 'GET' ? route.abort() : route.continue()));
  await page.route('**/api/v1/status', (route) => route.abort());
  await world.say('overrides', { target: 'sin', action: 'drain', for_s: 600 });
  await button.click();
  await page.getByRole('alert').getByText(/^Not done: Drain ams.*Somebody else was faster/).waitFor();
  assert.deepEqual((await overrides()).map(({ target }) => target), ['sin']);
  await world.say('enable', { target: 'sin' });
  await page.context().close();
});

test('what takes the last data centre away asks once more', async () => {
  await world.say('overrides', { target: 'iad', action: 'drain', for_s: 600 });
  const page = await browser.page();
  await open(page, world, 'operate?region=fra&action=down');
  await withToken(page);
  const act = page.locator('.act');
  await page.getByText(/last eligible region of `shop`/).waitFor();
  await page.getByLabel('I have read it: do it all the same').waitFor();
  assert.ok(await act.isDisabled());
  await page.getByLabel('I have read it: do it all the same').check();
  assert.ok(await act.isEnabled());
  assert.equal((await overrides()).length, 1);
  // The second word was about all of fra, and does not hold for another wish.
  await page.selectOption('select[name="service"]', 'shop');
  await page.getByRole('button', { name: /^Force down shop\/fra/ }).waitFor();
  assert.ok(await act.isDisabled());
  await page.getByLabel('I have read it: do it all the same').check();
  await act.click();
  await page.getByText(/^Done: Force down shop\/fra/).waitFor();
  assert.deepEqual((await overrides()).map(({ target }) => target).sort(), ['iad', 'shop/fra']);
  await world.say('enable', { target: 'shop/fra' });
  await world.say('enable', { target: 'iad' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
