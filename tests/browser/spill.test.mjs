// Capacity as somebody sees it who only looks: data centres that tell their load as it follows from where clients go, one
// that loses half of what it can carry, feeds that fall silent, and no room left anywhere.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Browser, PATIENCE_MS, ROOT, TOKEN, World, axePath, headline, open, readText, until } from './world.mjs';

// More than clients can need, and what makes a data centre spill: parts of what it carries with all of its own clients.
const ROOM = { target: 4_000, max: 5_000 };
const HALF = { target: 0.6, max: 0.8 };
const NEXT = { target: 1.4, max: 1.7 };

let world;
let browser;
let own;
before(async () => {
  world = await World.start({ isFed: true });
  browser = await Browser.start();
  await world.ask(400);
  world.feed({ fra: ROOM, ams: ROOM, iad: ROOM, sin: ROOM });
  await until(async () => (await world.get('regions')).every(({ load }) => load.state === 'fresh'), 'all feeds are fresh');
  await until(async () => (await world.get('plan')).demand > 100, 'demand is known', 2 * PATIENCE_MS);
});
after(async () => {
  await browser?.stop();
  await world?.stop();
});

const plan = () => world.get('plan');
/** A country whose clients are shared between Frankfurt and somebody else, because Frankfurt is full. */
async function spilledCountry() {
  const { countries } = await world.get('world?service=web');
  for (const { country, sample, regions } of countries) {
    if (!sample || regions.length < 2 || !regions.some(([key]) => key === 'fra')) continue;
    const { steps } = await world.get(`explain?name=www.example.com&client=${sample.split('/')[0]}`);
    if (steps[0]?.spill?.startsWith('fra is at')) return country;
  }
  return null;
}

const times = ({ target, max }, load) => ({ target: Math.round(target * load), max: Math.round(max * load) });
const card = (page, name) => page.getByRole('region', { name }).or(page.locator(`section.card:has(> h2:text-is("${name}"))`)).first();

test('with room everywhere nobody spills, and loads are told', async () => {
  const page = await browser.page();
  await open(page, world);
  await headline(page).getByText('All 4 data centres are well').waitFor();
  const row = card(page, 'Data centres').locator('tr[data-key="fra"]');
  await row.getByText(/^\d+ of 5,000, target 4,000$/).waitFor();
  await row.getByText('nobody').waitFor();
  assert.equal(await page.locator('.spill').count(), 0);
  const panel = card(page, 'Capacity');
  await panel.getByText('nobody has to be sent elsewhere').waitFor();
  await panel.getByText('Nobody is sent elsewhere.').waitFor();
  assert.equal(await panel.getByRole('table').nth(1).locator('tbody tr').count(), 4);
  await page.locator('.marker[aria-label*="Frankfurt: well"][aria-label*="of 5,000, target 4,000"]').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a data centre that loses half its room spills, and the page says where, how much and why', async () => {
  own = { ...world.loads };
  const page = await browser.page();
  await open(page, world);
  const limits = times(HALF, own.fra);
  world.limits = { ...world.limits, fra: limits, ams: times(NEXT, own.ams) };
  await headline(page).getByText(/^fra is full: \d+ % of its clients go to \w+/).waitFor();
  const arc = page.locator('.spill[data-from="fra"][data-to="ams"]');
  await arc.getByText(/^\d+ %$/).waitFor();
  // The twin of the map.
  const row = card(page, 'Data centres').locator('tr[data-key="fra"]');
  await row.getByText(/^\d+ % go to ams$/).waitFor();
  await card(page, 'Data centres').locator('tr[data-key="ams"]').getByText(/^takes [\d.]+\/s of fra$/).waitFor();
  await row.getByText(new RegExp(`^\\d+ of ${limits.max}, target ${limits.target}$`)).waitFor();
  const code = await until(spilledCountry, 'a country is shared');
  const spilled = page.locator(`tr[data-key="${code}"]`);
  await until(async () => /fra (<1|\d+) %/.test(await spilled.textContent()) && /, \w+ (<1|\d+) %/.test(await spilled.textContent()), `${code} is shared on the page`);
  // Why.
  const panel = card(page, 'Capacity');
  await panel.getByText('optimal: all data centres solved together').waitFor();
  const why = panel.getByRole('table').first().locator('tr[data-key="fra"] .why');
  await why.getByText(new RegExp(`fra carries \\d+ of ${limits.max}, target ${limits.target}.*all its own clients would be about \\d+`)).waitFor();
  // What happened, in words.
  await page.locator('.event').filter({ hasText: 'fra spills: part of its clients go to others' }).filter({ hasText: /% to/ }).first().waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the spill brings the load to the target, and what is measured is what was planned', async () => {
  const { target } = world.limits.fra;
  await until(() => world.loads.fra <= target * 1.1 && world.loads.fra >= target * 0.6, 'fra carries its target', 2 * PATIENCE_MS);
  const page = await browser.page();
  await open(page, world);
  const rows = card(page, 'Capacity').getByRole('table').nth(1).locator('tbody tr');
  await until(async () => (await rows.allTextContents()).every((text) => /alike$/.test(text)), 'shares are as planned', 2 * PATIENCE_MS);
  // The numbers of the page are those of the interface.
  const { spills, regions } = await plan();
  assert.ok(spills.some(({ from, to, part }) => from === 'fra' && to === 'ams' && part > 0.01), JSON.stringify(spills));
  const { home, shed } = regions.find(({ region }) => region === 'fra');
  const away = spills.filter(({ from }) => from === 'fra').reduce((sum, { demand }) => sum + demand, 0);
  assert.ok(Math.abs(away - home * shed) < 0.1, `${away} of ${home} × ${shed}`);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a client of the full data centre is explained, with the loads', async () => {
  const page = await browser.page();
  await open(page, world, `explain?country=${await until(spilledCountry, 'a country is shared')}`);
  const now = page.locator('.answer[data-key="Now"]');
  await now.getByText(/fra is at \d+ % of max: \d+ % of clients like this one go to \w+/).waitFor();
  assert.match(await now.locator('tr[data-key="fra"]').textContent(), new RegExp(`\\d+ of ${world.limits.fra.max}, target ${world.limits.fra.target}$`));
  // With a tenth of the load everybody could stay, and nothing has come of asking.
  const load = page.locator('input[data-region="fra"][name="load"]');
  await load.fill(String(Math.round(world.limits.fra.target / 10)));
  await load.press('Tab');
  const otherwise = page.locator('.answer[data-key^="If fra had a load of "]');
  await otherwise.getByText('The decision').waitFor();
  assert.equal(await otherwise.locator('.spilled').count(), 0);
  await now.locator('.spilled').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the timeline tells of spills', async () => {
  const page = await browser.page();
  await open(page, world, 'timeline');
  await page.locator('select[name="group"]').selectOption('spills');
  const happened = page.locator('section').filter({ has: page.getByRole('heading', { name: 'What happened' }) });
  const event = happened.locator('.event').filter({ hasText: 'fra spills: part of its clients go to others' }).first();
  await event.waitFor();
  assert.match(await event.textContent(), /warning\d+ % of max; of its own clients go \d+ % to \w+/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the timeline draws loads against target and max, and the table says them', async () => {
  const { fra } = world.limits;
  const history = () => world.get('history');
  // A load that crosses its target is kept at once, without waiting for the minute.
  const kept = await until(async () => (await history()).samples.find(({ regions }) => regions.find(({ key, load }) => key === 'fra' && load?.max === fra.max)), 'a sample with the load', 3 * PATIENCE_MS);
  const { load } = kept.regions.find(({ key }) => key === 'fra');
  assert.ok(load.current > 0 && load.target === fra.target, JSON.stringify(load));
  const page = await browser.page();
  await open(page, world, 'timeline');
  await page.getByRole('button', { name: '15 min' }).click();
  const card = page.locator('section.card').filter({ has: page.getByRole('heading', { name: 'Load against target and max' }) });
  for (const key of ['fra', 'ams', 'iad', 'sin']) await card.locator(`figure[data-key="${key}"] canvas`).waitFor();
  await card.locator('figure[data-key="fra"] figcaption').getByText(new RegExp(`of ${fra.max}, target ${fra.target} · at most \\d+ % of max at `)).waitFor();
  // What the charts show is drawn: the canvas is not empty.
  const inked = await card.locator('figure[data-key="fra"] canvas').evaluate((canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((octet) => octet > 0));
  assert.ok(inked);
  const then = page.locator('section.card').filter({ has: page.getByRole('heading', { name: /^As it stood/ }) });
  await then.locator('tr[data-key="fra"]').getByText(new RegExp(`^[\\d.]+ of ${fra.max}, target ${fra.target}$`)).waitFor();
  // The slider moves the mark and the table, here to the first sample, which is of before the spill.
  await page.locator('input.slider').press('Home');
  await then.getByText(/sample of/).waitFor();
  await then.locator('tr[data-key="fra"]').getByText(/not known|5,000, target 4,000/).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

for (const [theme, width] of [['light', 1440], ['dark', 1440], ['light', 360], ['dark', 360]]) {
  test(`axe finds nothing serious while there are spills: ${theme}, ${width} pixels`, async () => {
    const page = await browser.page({ width, height: width < 600 ? 780 : 900, theme });
    await open(page, world);
    const axe = await readText(axePath);
    for (const [path, last] of [['world', '.spill'], [`explain?country=${await until(spilledCountry, 'a country is shared')}`, '.spilled'], ['timeline', '.loads canvas']]) {
      await open(page, world, path);
      await page.locator(last).first().waitFor();
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
      assert.deepEqual(serious.map(({ id, nodes }) => `${path}: ${id}: ${nodes.map(({ html, failureSummary }) => `${html.slice(0, 160)} ${failureSummary}`).join(' | ')}`), []);
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${path} is ${overflow} pixels wider than the screen`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
  });
}

test('pictures for the manual', { skip: !process.env.PICTURES && 'PICTURES=1 makes them' }, async () => {
  const take = async (name, look, element) => {
    const page = await browser.page(look);
    await open(page, world);
    await page.locator('.spill').first().waitFor();
    const path = join(ROOT, `docs/img/${name}.png`);
    await (element ? page.locator(element) : page).screenshot({ path });
    execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', path]);
    await page.context().close();
  };
  const tall = { width: 1280, height: 860 };
  await take('dashboard-spill', tall);
  await take('dashboard-capacity', { ...tall, theme: 'dark' }, 'section.capacity');
  // Some minutes of history, in which Frankfurt lost half its room and Amsterdam has less for a while.
  const minutes = (count) => until(async () => {
    const { samples } = await world.get('history');
    return samples.at(-1).at - samples[0].at > count * 60_000;
  }, `${count} minutes of history`, count * 3 * PATIENCE_MS);
  await minutes(3);
  const { ams } = world.limits;
  world.limits = { ...world.limits, ams: times({ target: 0.7, max: 0.9 }, world.loads.ams) };
  await minutes(5);
  world.limits = { ...world.limits, ams };
  await minutes(8);
  const page = await browser.page(tall);
  await open(page, world, 'timeline');
  await page.getByRole('button', { name: '15 min' }).click();
  const loads = page.locator('section.card').filter({ has: page.locator('.loads') });
  await loads.locator('canvas').nth(3).waitFor();
  const path = join(ROOT, 'docs/img/dashboard-loads.png');
  await loads.screenshot({ path });
  execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', path]);
  await page.context().close();
});

test('a drain is previewed with the loads that it brings, and they come', async () => {
  const page = await browser.page();
  await open(page, world);
  await page.evaluate((token) => sessionStorage.setItem('meridian-token', token), TOKEN);
  await open(page, world, 'operate?region=fra');
  const shown = page.locator('.effect[data-key="loads"]');
  await shown.locator('tr[data-key="fra"]').getByText(/^0(\.\d)? of \d+, target \d+$/).waitFor();
  await shown.locator('tr[data-key="sin"]').getByText(/^\d+ of 5,000, target 4,000$/).waitFor();
  const { loads } = await world.say('preview', { action: 'drain', target: 'fra' });
  const by = Object.fromEntries(loads.map((one) => [one.region, one]));
  // Nobody is lost on the way, and Amsterdam is not filled above its target while others have room.
  const sum = (all, which) => all.reduce((total, one) => total + one[which], 0);
  const carried = sum((await plan()).regions, 'load');
  assert.ok(Math.abs(sum(loads, 'then') - carried) < carried * 0.2, `${JSON.stringify(loads)}, ${carried}`);
  assert.ok(by.fra.then < 1 && by.ams.then <= by.ams.target * 1.01 && by.ams.level === by.ams.target, JSON.stringify(loads));
  await page.getByRole('button', { name: /^Drain fra/ }).click();
  await page.getByText(/^Done: Drain fra/).waitFor();
  // As parts of all: a busy machine asks less.
  const near = ({ region, then }) => Math.abs(world.loads[region] / Object.values(world.loads).reduce((all, load) => all + load) - then / sum(loads, 'then')) < 0.06;
  await until(() => loads.every(near), 'loads are as foreseen', 2 * PATIENCE_MS).catch((problem) => assert.fail(`${problem.message}: ${JSON.stringify([loads, world.loads])}`));
  await world.say('enable', { target: 'fra' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('with no room anywhere it says that everything is filled above its target', async () => {
  const page = await browser.page();
  await open(page, world);
  // Everybody carries more than the target, and less than the max.
  world.limits = Object.fromEntries(Object.entries(own).map(([key, load]) => [key, times({ target: 0.5, max: 2 }, load)]));
  await page.locator('#headline').getByText(/^(\w+(, | and )?)+ (is|are) filled above target: nobody else has room$/).waitFor({ timeout: 2 * PATIENCE_MS });
  await card(page, 'Capacity').getByText(/filled above target: nobody their clients may go to has room/).waitFor();
  await page.locator('.event').filter({ hasText: 'is filled above its target: nobody else has room' }).first().waitFor();
  const notes = card(page, 'Data centres').locator('.notes').filter({ hasText: 'above its target' });
  await notes.first().waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a feed that falls silent is held, then lost, and both are said', async () => {
  const page = await browser.page();
  await open(page, world);
  const { fra: _silent, ...others } = world.limits;
  world.limits = others;
  const row = card(page, 'Data centres').locator('tr[data-key="fra"]');
  await row.getByText(/held: the last reading is \d+ s old/).waitFor();
  await page.locator('.event').filter({ hasText: 'fra has a load feed that is overdue' }).first().waitFor();
  await row.getByText(/feed lost/).waitFor();
  await page.locator('.event').filter({ hasText: 'fra has a load feed that is lost' }).first().waitFor();
  world.limits = { ...others, fra: ROOM };
  await row.getByText(/^\d+ of 5,000, target 4,000$/).waitFor();
  await row.getByText(/feed lost|held/).waitFor({ state: 'detached' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
