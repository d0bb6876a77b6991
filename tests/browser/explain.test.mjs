// Explain and services: what a client gets, what it would get, and what is behind it.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Browser, World, open } from './world.mjs';

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

test('a country on the map is a client, and its decision is told step by step', async () => {
  const page = await browser.page();
  await open(page, world);
  await page.locator('.land[data-code="AU"]').click();
  await page.locator('main[data-page="explain"]').waitFor();
  const now = page.locator('.answer[data-key="Now"]');
  await now.getByText(/sin · preferred/).waitFor();
  for (const step of ['The question', 'The service', 'Where the client is', 'Regions, as this client prefers them', 'The decision', 'The endpoint', 'The answer']) {
    await now.getByRole('heading', { name: step }).waitFor();
  }
  assert.match(await now.textContent(), /AU/);
  assert.match(await now.locator('pre').textContent(), /127\.0\.3\.1[01]/);

  // And if that data centre were down?
  await page.getByLabel('sin', { exact: true }).check();
  const then = page.locator('.answer[data-key="If sin were down"]');
  await then.waitFor();
  assert.match(await then.locator('h2').textContent(), /(iad|fra|ams) · failover/);
  assert.doesNotMatch(await then.locator('pre').textContent(), /127\.0\.3\./);
  // It was only a question.
  assert.equal((await world.get('regions')).find(({ key }) => key === 'sin').state, 'ok');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a name and an address are explained, and mistakes are answered in words', async () => {
  const page = await browser.page({ isCut: true });
  await open(page, world, 'explain');
  await page.fill('input[name="name"]', 'shop.example.com');
  await page.fill('input[name="client"]', '203.0.113.7');
  await page.getByRole('button', { name: 'Explain' }).click();
  const now = page.locator('.answer[data-key="Now"]');
  await now.waitFor();
  assert.match(await now.locator('h2').textContent(), /iad · preferred/);
  await page.fill('input[name="client"]', 'nonsense');
  await page.getByRole('button', { name: 'Explain' }).click();
  await page.getByRole('alert').getByText(/neither an address nor a network/).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a service shows its endpoints, what their checks found, and when they may flip', async () => {
  const page = await browser.page();
  await open(page, world, 'services?service=web');
  const row = page.locator('tr[data-key="web/fra/127.0.1.10"]');
  await row.locator('.badge.ok').first().waitFor();
  await row.locator('.outcome .badge.ok').waitFor();
  assert.match(await row.textContent(), /ms/);
  assert.match(await row.textContent(), /\d+ s/);
  await world.centers.fra.die();
  await row.locator('.badge.down').first().waitFor();
  assert.match(await row.textContent(), /refused/);
  await page.locator('section[aria-label="Service web"] tr[data-key="fra"] .badge.down').waitFor();
  await world.centers.fra.live();
  await page.locator('section[aria-label="Service web"] tr[data-key="fra"] .badge.ok').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
