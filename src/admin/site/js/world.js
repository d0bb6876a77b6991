// World: the map, its twin as tables, what is about to change and what has changed.

import { capacityPanel, loadCell, loadOf, spillCell, spillsOf } from './capacity.js';
import { h, render, select, table } from './dom.js';
import { line, merged } from './events.js';
import { loadMap, legend, makeMap, regionWords } from './map.js';
import { choose, store } from './store.js';
import { upcomingList } from './upcoming.js';
import { badge, bar, country, isUsual, number, percent, swatch } from './words.js';

const CHANGES_SHOWN = 7;
const CHANGES_READ = 60;

let parts = null;
let map = null;
let filter = '';

export function open(main, _parameters, isOther) {
  if (!isOther) return;
  parts = {
    bar: h('div', { class: 'mapbar' }),
    figure: h('div', { class: 'figure' }),
    tip: h('p', { class: 'tip', 'aria-hidden': 'true' }),
    next: h('div', {}), changed: h('div', {}), regions: h('div', {}), capacity: h('div', {}), countries: h('div', {}),
  };
  const search = h('input', { type: 'search', placeholder: 'Country or region', 'aria-label': 'Show only countries or regions with', oninput: (event) => {
    filter = event.target.value.toLowerCase();
    showCountries();
  } });
  main.append(
    h('h1', { class: 'unseen' }, 'World'),
    h('div', { class: 'world' },
      h('div', { class: 'side' },
        h('section', { class: 'card mapcard', 'aria-label': 'Map' }, parts.bar, parts.figure, parts.tip),
        h('section', { class: 'card' }, h('h2', {}, 'Data centres'), parts.regions)),
      h('div', { class: 'side' },
        h('section', { class: 'card' }, h('h2', {}, 'About to change'), parts.next),
        h('section', { class: 'card' }, h('h2', {}, 'What changed'), parts.changed))),
    h('section', { class: 'card capacity', 'aria-label': 'Capacity' }, h('h2', {}, 'Capacity'), parts.capacity),
    h('section', { class: 'card' }, h('div', { class: 'head' }, h('h2', {}, 'Countries'), search), parts.countries));
  map = null;
  const mine = parts;
  loadMap().then((data) => {
    // Another page may be open when the map has come.
    if (parts !== mine) return;
    map = makeMap(data, { go: explainCountry, point: (text) => { parts.tip.textContent = text; } });
    parts.figure.append(map.element);
    watch.observe(parts.figure);
    update('data');
  });
  update('data');
}

export function close() {
  watch.disconnect();
  parts = null;
  map = null;
}

const watch = new ResizeObserver(() => showMap());

function explainCountry(code) {
  location.hash = `#/explain?${new URLSearchParams({ country: code, service: store.world?.service ?? '' })}`;
}

export function update(what) {
  if (!parts) return;
  if (what !== 'event') {
    showRegions();
    render(parts.capacity, capacityPanel(store, rates()));
  }
  if (what === 'traffic') return;
  render(parts.next, upcomingList(store));
  const latest = merged(store.events.slice(0, CHANGES_READ)).slice(0, CHANGES_SHOWN);
  render(parts.changed, latest.length > 0 ? h('ul', { class: 'events' }, latest.map((event) => line(event, true))) : h('p', { class: 'none' }, 'Nothing yet.'),
    h('p', { class: 'foot' }, h('a', { href: '#/timeline' }, 'All events')));
  if (what === 'event') return;
  showBar();
  showMap();
  showCountries();
}

/** Answers by region, a second. */
export function rates() {
  const found = new Map();
  for (const { region, per_second } of store.traffic?.answers ?? []) {
    if (region) found.set(region, (found.get(region) ?? 0) + per_second);
  }
  return found;
}

function shares() {
  const by = rates();
  const all = [...by.values()].reduce((sum, rate) => sum + rate, 0);
  return all > 0 ? new Map(store.regions.map(({ key }) => [key, (by.get(key) ?? 0) / all])) : new Map();
}

function showBar() {
  const keys = store.services.map((service) => service.key);
  const chosen = store.world?.service ?? keys[0] ?? '';
  render(parts.bar,
    h('label', { class: 'inline' }, 'Clients of ', select('service', keys.map((key) => [key, key]), chosen, (event) => choose(event.target.value))),
    legend(store.regions, store.world?.countries ?? [], spillsOf(store).length));
}

function showMap() {
  const loads = new Map(store.regions.map((region) => [region.key, loadOf(store, region)]));
  map?.update({ regions: store.regions, countries: store.world?.countries ?? [], shares: shares(), loads, spills: spillsOf(store) });
}

function showRegions() {
  const [by, share] = [rates(), shares()];
  const got = new Map();
  for (const { regions } of store.world?.countries ?? []) for (const [key] of regions) got.set(key, (got.get(key) ?? 0) + 1);
  const rows = store.regions.map((region, index) => h('tr', { 'data-key': region.key },
    h('th', { scope: 'row' }, swatch(index), ' ', h('a', { href: `#/services?region=${encodeURIComponent(region.key)}` }, region.key), region.label && region.label !== region.key && h('span', { class: 'dim' }, ` ${region.label}`)),
    h('td', {}, badge(region.state)),
    h('td', { class: 'bars' }, bar(share.get(region.key)), percent(share.get(region.key))),
    h('td', { class: 'n' }, number(by.get(region.key) ?? 0)),
    h('td', {}, loadCell(store, region)),
    h('td', {}, spillCell(store, region.key)),
    h('td', { class: 'n' }, `${region.up} of ${region.endpoints}`),
    h('td', { class: 'n' }, `${region.eligible} of ${region.services}`),
    h('td', { class: 'n' }, String(got.get(region.key) ?? 0))));
  render(parts.regions, table('Data centres', [
    ['Data centre'], ['State'], ['Share of answers', 'bars'], ['Answers/s', 'n'], ['Load'], ['Clients sent on'], ['Endpoints up', 'n'], ['Eligible', 'n'], ['Countries', 'n'],
  ], rows, { none: 'none is configured' }),
    store.regions.some((region) => region.load.max !== null) && h('p', { class: 'foot' }, 'The marks on a bar of load are target and max; a broken one is what the plan fills it to where nobody else has room.'));
}

function showCountries() {
  const order = new Map(store.regions.map((region, index) => [region.key, index]));
  const all = store.world?.countries ?? [];
  const fits = (entry) => [country(entry.country), entry.country, regionWords(entry.regions), entry.reason].join(' ').toLowerCase().includes(filter);
  const sorted = all.filter(fits).sort((a, b) => isUsual(a.reason) - isUsual(b.reason) || country(a.country).localeCompare(country(b.country)));
  const rows = sorted.map((entry) => h('tr', { 'data-key': entry.country },
    h('th', { scope: 'row' }, country(entry.country), h('span', { class: 'dim' }, ` ${entry.country}`)),
    h('td', {}, entry.regions.length > 0 && swatch(order.get(entry.regions[0][0]) ?? 0, !isUsual(entry.reason)), ' ', regionWords(entry.regions)),
    h('td', {}, isUsual(entry.reason) ? entry.reason : h('b', {}, entry.reason)),
    h('td', {}, entry.sample ? h('a', { href: `#/explain?${new URLSearchParams({ country: entry.country, service: store.world.service })}` }, 'Explain', h('span', { class: 'unseen' }, ` ${country(entry.country)}`)) : h('span', { class: 'dim' }, 'no network known'))));
  const unknown = store.world?.unknown;
  if (unknown && filter === '') {
    rows.unshift(h('tr', { 'data-key': 'unknown' }, h('th', { scope: 'row' }, 'Clients nobody can locate'), h('td', {}, regionWords(unknown.regions)), h('td', {}, unknown.reason), h('td', {})));
  }
  render(parts.countries, h('div', { class: 'tall', 'data-label': 'Countries' }, table('Who answers each country', [['Country'], ['Answered by'], ['Reason'], ['Why']], rows, { none: 'no country fits' })));
}
