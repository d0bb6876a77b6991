// Latency: how long the ways from each country to each data centre take, how well that is known, and who gains by it.

import { get } from './api.js';
import { h, render, table } from './dom.js';
import { store } from './store.js';
import { age, badge, count, country, number, now, percent, span, swatch } from './words.js';

// The server goes through all networks for each look: not more often than this, and never while nobody sees it.
const LOOK_MS = 10_000;
// Steps of the heat of a cell, milliseconds.
const HEATS = [10, 25, 50, 100, 150, 250];
// What was measured before so long fades, and more so after this.
const [AGED_S, OLD_S] = [900, 6 * 3_600];
const COUNTRIES_SHOWN = 20;
const ARROWS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

let parts = null;
let view = null;
let problem = null;
let timer = null;
let showsAll = false;
// The cell that the keyboard is at: country and data centre.
let at = null;
// What is told of the cell that the pointer or the keyboard was at last.
let tip = '';

export function open(main, _parameters, isOther) {
  if (!isOther) return;
  parts = { body: h('div', { class: 'side' }) };
  main.append(h('h1', { class: 'unseen' }, 'Latency'), parts.body);
  document.addEventListener('visibilitychange', look);
  look();
  update('data');
}

export function close() {
  document.removeEventListener('visibilitychange', look);
  clearTimeout(timer);
  parts = null;
}

export function update(what) {
  if (parts && what === 'data') show();
}

async function look() {
  clearTimeout(timer);
  if (!parts || document.hidden) return;
  const mine = parts;
  try {
    [view, problem] = [await get('latency'), null];
  } catch (refusal) {
    problem = refusal;
  }
  if (parts !== mine) return;
  clearTimeout(timer);
  timer = setTimeout(look, LOOK_MS);
  show();
}

const ranking = () => store.services.filter((service) => service.prefer === 'latency').map(({ key }) => key);

function show() {
  const failed = problem && h('p', { class: 'problem', role: 'alert' }, `Latency could not be read: ${problem.message}.`);
  if (!view) {
    render(parts.body, failed ? card('Latency', failed) : h('p', { class: 'none' }, 'Asking the server…'));
    return;
  }
  render(parts.body, failed, ...(view.networks === 0 ? [empty()] : [summary(), matrixCard(), coverage(), elsewhere()]));
}

const card = (title, ...children) => h('section', { class: 'card', 'data-key': title, 'aria-label': title }, h('h2', {}, title), children);

function empty() {
  const services = ranking();
  const role = services.length > 0 ? `${services.join(', ')} ${services.length === 1 ? 'ranks' : 'rank'} by latency, and by distance until something is measured.` : 'No service ranks by latency yet: policy = "latency" in a region file makes one.';
  return card('Nothing is measured yet', h('p', {}, role), h('p', {}, 'Whoever measures tells this server:'),
    h('ul', { class: 'feeds' },
      h('li', {}, h('b', {}, 'Agent'), ': on the hosts that serve clients, ', h('code', {}, 'meridian agent --region fra --to URL --token-file FILE'), ' reads round trips from the kernel.'),
      h('li', {}, h('b', {}, 'Beacon'), ': ', h('code', {}, 'dist/rum/beacon.js'), ' in your pages measures the ways to all data centres.'),
      h('li', {}, h('b', {}, 'API'), ': ', h('code', {}, 'POST /api/v1/latency'), ' takes what your own programs measure; ', h('code', {}, 'meridian latency import FILE'), ' takes a file.')));
}

function summary() {
  const { networks, networks_max: most, ways, elsewhere: away, waiting, moved, evicted } = view;
  const facts = [
    ['Networks measured', `${number(networks)} of at most ${number(most)}`],
    ['Ways', `${number(ways)}, of ${number(networks * view.regions.length)} there are`],
    ['Not to the nearest', `${number(away)} (${percent(away / networks)})`],
    ['Changes since the start', number(moved)],
    ...(evicted > 0 ? [['Gave way to others', count(evicted, 'network')]] : []),
  ];
  return card('What is known',
    ranking().length === 0 && h('p', { class: 'caution', 'data-key': 'idle' }, 'No service ranks by latency: what is measured steers nobody. policy = "latency" in a region file makes it steer.'),
    waiting > 0 && h('p', { class: 'caution', 'data-key': 'waiting' }, badge('degraded', ''), ' ', h('b', {}, `${count(waiting, 'change')} of the best data centre ${waiting === 1 ? 'waits' : 'wait'}.`),
      ' Within ten minutes no more than latency.max_move of all that is measured may change its data centre, so that nobody who measures wrongly moves everybody. After a cable has failed this is as it should be; if it stays, look below who gains, and who measured it.'),
    h('dl', { class: 'facts' }, facts.map(([term, what]) => h('div', {}, h('dt', {}, term), h('dd', {}, what)))));
}

const heatOf = (ms) => HEATS.filter((step) => ms >= step).length;
const fadeOf = (age_s) => (age_s === null || age_s > OLD_S ? 'old' : age_s > AGED_S ? 'aged' : '');
const ms = (value) => (value === null ? '–' : value >= 100 ? String(Math.round(value)) : value.toFixed(1));
const nameOf = (code) => (code === '' ? 'Unknown' : country(code));
const indexOf = (key) => store.regions.findIndex((region) => region.key === key);

/** What is known of a way, in a sentence. */
function told(row, way, region) {
  const measured = way.networks === 0 ? 'nobody has measured it: other networks and distance stand for it' : `${way.networks} of ${count(row.networks, 'network')} measured, the last ${span(way.age_s * 1_000)} ago`;
  return `${nameOf(row.country)} to ${region}: ${way.ms === null ? 'nothing is estimated yet' : `${ms(way.ms)} ms, ${ms(way.expected_ms)} ms expected by distance`}; ${measured}; best for ${way.best_of}.`;
}

function matrixCard() {
  const rows = showsAll ? view.matrix : view.matrix.slice(0, COUNTRIES_SHOWN);
  const keys = view.regions.map(({ region }) => region);
  if (!at || !rows.some((row) => row.country === at[0]) || !keys.includes(at[1])) at = [rows[0]?.country, keys[0]];
  const body = rows.map((row) => {
    const most = Math.max(...row.ways.map((way) => way.best_of));
    return h('tr', { 'data-key': row.country || 'unknown' }, h('th', { scope: 'row' }, nameOf(row.country)), h('td', { class: 'n' }, number(row.networks)),
      row.ways.map((way, index) => cell(row, way, keys[index], most)));
  });
  const more = view.matrix.length - COUNTRIES_SHOWN;
  return h('section', { class: 'card', 'data-key': 'matrix', 'aria-label': 'Latency by country' },
    h('div', { class: 'head' }, h('h2', {}, 'From each country to each data centre'),
      more > 0 && h('button', { type: 'button', 'aria-pressed': String(showsAll), onclick: () => { showsAll = !showsAll; show(); } }, showsAll ? `The first ${COUNTRIES_SHOWN}` : `All ${view.matrix.length} countries`)),
    h('div', { class: 'ways tall', onkeydown: move, 'data-label': 'Countries' },
      table('Milliseconds there and back, the median of what is estimated for the networks of a country; below it what distance lets expect', [['Country'], ['Networks', 'n'], ...view.regions.map(({ region }) => [region, 'n'])], body)),
    h('p', { class: 'tip', 'aria-live': 'polite' }, tip),
    h('p', { class: 'foot dim' }, 'Milliseconds there and back; below, what distance lets expect. The stronger the color the slower; paler was measured longer ago, ', h('i', {}, 'italic'), ' was measured by nobody there. Arrow keys go from cell to cell.'));
}

function cell(row, way, region, most) {
  const text = told(row, way, region);
  const isAt = at[0] === row.country && at[1] === region;
  const point = () => {
    tip = text;
    parts.body.querySelector('.tip').textContent = text;
  };
  const isBest = way.best_of > 0 && way.best_of === most;
  const kinds = ['n', 'way', way.ms === null ? '' : `heat${heatOf(way.ms)}`, fadeOf(way.age_s), way.networks === 0 && 'guess'].filter(Boolean);
  return h('td', { class: kinds.join(' '), title: text, tabindex: isAt ? 0 : -1, 'data-country': row.country, 'data-region': region, onfocus: () => { at = [row.country, region]; point(); }, onpointerenter: point },
    h('span', { class: 'ms' }, isBest && h('span', { class: 'severity good' }, 'best'), ' ', ms(way.ms)), h('small', {}, ms(way.expected_ms)));
}

/** Arrow keys go from cell to cell; the tab key stops at one of them only. */
function move(event) {
  const step = ARROWS[event.key];
  const here = event.target.closest?.('td.way');
  if (!step || !here) return;
  const cells = [...here.parentElement.querySelectorAll('td.way')];
  const rows = [...here.closest('tbody').rows];
  const next = rows[rows.indexOf(here.parentElement) + step[0]]?.querySelectorAll('td.way')[cells.indexOf(here) + step[1]];
  if (!next) return;
  event.preventDefault();
  here.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

const SOURCES = { probe: 'health checks', vantage: 'nodes', push: 'pushed', agent: 'agents', beacon: 'beacons', import: 'a file' };

function coverage() {
  const rows = view.regions.map((one) => h('tr', { 'data-key': one.region },
    h('th', { scope: 'row' }, swatch(indexOf(one.region)), ' ', one.region),
    h('td', { class: 'n' }, number(one.networks), h('span', { class: 'dim' }, ` · ${percent(one.networks / view.networks)}`)),
    h('td', { class: 'n' }, number(Math.round(one.samples))), h('td', { class: 'n' }, number(one.best_of)),
    h('td', {}, one.age_s === null ? badge('degraded', 'never') : fadeOf(one.age_s) ? badge('degraded', `${span(one.age_s * 1_000)} ago`) : age(now() - one.age_s * 1_000)),
    h('td', {}, Object.entries(one.sources).map(([source, networks]) => `${SOURCES[source] ?? source} ${number(networks)}`).join(', ') || h('span', { class: 'dim' }, 'nobody'))));
  return card('How well each data centre is known', table('Networks measured, round trips that count, networks it is best for, the last measurement, and networks by who measured', [['Data centre'], ['Networks', 'n'], ['Round trips', 'n'], ['Best for', 'n'], ['Measured last'], ['Networks by source']], rows));
}

function elsewhere() {
  const rows = view.gains.map((gain) => h('tr', { 'data-key': gain.network },
    h('th', { scope: 'row' }, h('a', { href: `#/explain?${new URLSearchParams({ client: gain.network, service: ranking()[0] ?? '' })}` }, gain.network), gain.country && h('span', { class: 'dim' }, ` ${nameOf(gain.country)}`)),
    h('td', {}, swatch(indexOf(gain.nearest)), ` ${gain.nearest}, ${ms(gain.nearest_ms)} ms`),
    h('td', {}, swatch(indexOf(gain.best)), ` ${gain.best}, ${ms(gain.best_ms)} ms`),
    h('td', { class: 'n' }, h('b', {}, `${ms(gain.nearest_ms - gain.best_ms)} ms`)), h('td', { class: 'n' }, number(Math.round(gain.samples)))));
  const more = view.elsewhere - view.gains.length;
  return card('Elsewhere: not to the nearest', table('Networks that gain most by not going where distance alone would send them', [['Network'], ['By distance'], ['Best'], ['Gain', 'n'], ['Round trips', 'n']], rows, { none: 'Everybody’s best data centre is the nearest one.' }),
    more > 0 && h('p', { class: 'foot dim' }, `and ${count(more, 'network')} that gain less`));
}
