// Services: how each one stands, its regions, endpoints, checks with where their time went, and why answers were given.

import { h, render, s, table } from './dom.js';
import { store } from './store.js';
import { age, badge, bar, count, countdown, list, millis, number, percent, swatch, upBadge } from './words.js';

// Rows beyond these are found by typing a part of their names.
const ROWS_MAX = 200;

let parts = null;
let chosen = null;
let region = '';
let filter = '';

export function open(main, parameters, isOther) {
  chosen = parameters.get('service') ?? chosen;
  region = parameters.get('region') ?? '';
  if (isOther) {
    parts = { all: h('div', {}), one: h('div', {}) };
    const search = h('input', { type: 'search', placeholder: 'Service or name', 'aria-label': 'Show only services with', oninput: (event) => {
      filter = event.target.value.toLowerCase();
      update('data');
    } });
    main.append(h('h1', { class: 'unseen' }, 'Services'),
      h('section', { class: 'card' }, h('div', { class: 'head' }, h('h2', {}, 'Services'), search), parts.all), parts.one);
  }
  update('data');
}

export function close() {
  parts = null;
}

const STANDINGS = {
  eligible: ['ok', 'answered'], drained: ['drained', 'only drained regions'], 'some-up': ['degraded', 'below min_up everywhere'],
  'all-down': ['down', 'nothing up'], gone: ['disabled', 'no region'],
};

const PREFERS = { geo: 'the nearest', latency: 'the fastest to reach', load: 'the least loaded', 'response-time': 'the fastest to answer', equal: 'shared by weight' };

const standing = (service) => badge(...(STANDINGS[service.standing] ?? ['unknown', service.standing]));

/** A service whose regions are not all eligible, if there is one: that is what the reader came for. */
const worst = () => store.services.find((service) => service.standing !== 'eligible')
  ?? byImportance().find((service) => service.regions.some(([, why]) => why !== 'eligible')) ?? byImportance()[0];

/** The service of the map first. */
const byImportance = () => [...store.services].sort((a, b) => (b.key === store.service) - (a.key === store.service));

export function update(what) {
  if (!parts || what === 'event') return;
  showAll();
  const service = store.services.find((one) => one.key === chosen) ?? worst();
  render(parts.one, service ? detail(service) : []);
}

function showAll() {
  const fits = ({ key, names }) => [key, ...names].join(' ').toLowerCase().includes(filter);
  const current = chosen ?? worst()?.key;
  const found = store.services.filter(fits);
  const rows = found.slice(0, ROWS_MAX).map((service) => {
    const eligible = service.regions.filter(([, why]) => why === 'eligible').length;
    const isHere = service.key === current;
    return h('tr', { 'data-key': service.key, class: isHere && 'here' },
      h('th', { scope: 'row' }, h('a', { href: `#/services?service=${encodeURIComponent(service.key)}`, 'aria-current': isHere && 'true' }, service.key)),
      h('td', {}, standing(service)),
      h('td', { class: 'n' }, `${eligible} of ${service.regions.length}`),
      h('td', { class: 'n' }, `${service.endpoints.filter((endpoint) => endpoint.up).length} of ${service.endpoints.length}`),
      h('td', {}, service.policy ?? '–'), h('td', { class: 'n' }, number(rate(service.key))),
      h('td', { class: 'names' }, namesOf(service, 2)));
  });
  const columns = [['Service'], ['Standing'], ['Eligible regions', 'n'], ['Endpoints up', 'n'], ['Policy'], ['Answers/s', 'n'], ['Names']];
  render(parts.all, h('div', { class: 'tall', 'data-label': 'Services' }, table('Services', columns, rows, { none: 'no service fits' })), tooMany(found.length, 'type a part of its name to find another'));
}

const tooMany = (all, hint) => all > ROWS_MAX && h('p', { class: 'foot' }, `${count(ROWS_MAX, 'row')} of ${all}: ${hint}.`);

const namesOf = ({ names, name_count: all }, most) => list([...names.slice(0, most).map((name) => name.replace(/\.$/, '')), ...(all > most ? [`${all - Math.min(most, names.length)} more`] : [])], most + 1);

const answersOf = (service) => (store.traffic?.answers ?? []).filter((row) => row.service === service);
const rate = (service) => answersOf(service).reduce((sum, row) => sum + row.per_second, 0);

function detail(service) {
  const { min, max } = service.ttl ?? {};
  const facts = [
    ['Policy', [service.policy, service.mode, service.prefer && (PREFERS[service.prefer] ?? service.prefer)].filter(Boolean).join(', ') || '–'],
    ['TTL', min === undefined ? '–' : min === max ? `${min} s` : `${min} to ${max} s, shorter when a change is near`],
    ['Names', namesOf(service, 6)],
    service.active && ['Active', [service.active.region, service.active.switched && ' (switched by an operator)', service.active.failback && [`, goes back to ${service.active.failback[0]} `, service.active.failback[1] ? countdown(service.active.failback[1]) : 'when an operator says so']]],
    service.change_s !== null && ['Next change by the clock', countdown(store.status.at + service.change_s * 1_000)],
  ].filter(Boolean);
  return h('section', { class: 'card', 'data-key': service.key, 'aria-label': `Service ${service.key}` },
    h('div', { class: 'head' }, h('h2', {}, service.key, ' ', standing(service)), h('a', { href: `#/explain?service=${encodeURIComponent(service.key)}` }, 'Explain an answer')),
    h('dl', { class: 'facts' }, facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
    regionTable(service), endpointTable(service), reasonTable(service));
}

const WHY = { eligible: 'ok', drained: 'drained', down: 'down', 'forced-down': 'forced-down', disabled: 'disabled' };

function regionTable(service) {
  const all = rate(service.key);
  const rows = service.regions.map(([key, why]) => {
    const ramp = service.ramps.find((one) => one.region === key);
    const mine = answersOf(service.key).filter((row) => row.region === key).reduce((sum, row) => sum + row.per_second, 0);
    const ttl = service.ttl?.now?.[key];
    return h('tr', { 'data-key': key },
      h('th', { scope: 'row' }, swatch(store.regions.findIndex((one) => one.key === key)), ' ', key),
      h('td', {}, badge(WHY[why] ?? 'degraded', why)),
      h('td', { class: 'n' }, ttl === undefined ? '–' : `${ttl} s`),
      h('td', { class: 'bars' }, bar(all > 0 ? mine / all : 0), percent(all > 0 ? mine / all : null)),
      h('td', {}, ramp ? [`${ramp.percent} %, all of it `, countdown(ramp.until)] : '–'));
  });
  return [h('h3', {}, 'Data centres'), table(`Data centres of ${service.key}`, [['Data centre'], ['Standing'], ['TTL now', 'n'], ['Share of answers', 'bars'], ['Ramp']], rows)];
}

const regionOf = (endpoint) => endpoint.region ?? endpoint.key.split('/')[1];

function endpointTable(service) {
  const fits = service.endpoints.filter((endpoint) => !region || regionOf(endpoint) === region);
  const rows = fits.slice(0, ROWS_MAX).map((endpoint) => {
    const checks = endpoint.targets.map((key) => store.targets.get(key)).filter(Boolean);
    const flip = endpoint.next_flip_s ?? endpoint.steady_s;
    return h('tr', { 'data-key': endpoint.key },
      h('th', { scope: 'row' }, h('code', {}, endpoint.address ?? endpoint.key.split('/').slice(2).join('/')), endpoint.weight !== undefined && endpoint.weight !== 1 && h('span', { class: 'dim' }, ` weight ${endpoint.weight}`)),
      h('td', {}, regionOf(endpoint)),
      h('td', {}, upBadge(endpoint.up), endpoint.guarded && h('span', { class: 'severity' }, 'held by the guard'), endpoint.forced && h('span', { class: 'severity' }, `operator: ${endpoint.forced}`)),
      h('td', {}, checks.length > 0 ? checks.map(outcome) : h('span', { class: 'dim' }, endpoint.targets.length > 0 ? 'not probed yet' : 'not checked')),
      h('td', {}, checks.map((target) => target.last && phases(target.last.phases))),
      h('td', { class: 'n' }, flip === null || flip === undefined ? 'never' : `${flip} s`),
      h('td', { class: 'why' }, endpoint.why));
  });
  const only = region && h('p', { class: 'foot' }, `Only those in ${region}. `, h('a', { href: `#/services?service=${encodeURIComponent(service.key)}` }, 'Show all'));
  return [h('h3', {}, 'Endpoints'), only,
    h('div', { class: 'tall', 'data-label': `Endpoints of ${service.key}` }, table(`Endpoints of ${service.key}`, [['Endpoint'], ['Data centre'], ['State'], ['Last outcome'], ['Time of the probe'], ['May flip after', 'n'], ['Why']], rows, { none: 'none here' })),
    tooMany(fits.length, 'choose a data centre on the page World to see its endpoints'),
    h('p', { class: 'foot dim' }, h('span', { class: 'key' }, s('svg', { width: 10, height: 10, 'aria-hidden': 'true' }, s('rect', { class: 'phase0', width: 10, height: 10 })), 'connect'), h('span', { class: 'key' }, s('svg', { width: 10, height: 10, 'aria-hidden': 'true' }, s('rect', { class: 'phase1', width: 10, height: 10 })), 'TLS'), h('span', { class: 'key' }, s('svg', { width: 10, height: 10, 'aria-hidden': 'true' }, s('rect', { class: 'phase2', width: 10, height: 10 })), 'first byte'), h('span', { class: 'key' }, s('svg', { width: 10, height: 10, 'aria-hidden': 'true' }, s('rect', { class: 'phase3', width: 10, height: 10 })), 'rest'))];
}

const VERDICTS = { pass: 'ok', fail: 'down', inconclusive: 'unknown' };

function outcome(target) {
  const { last } = target;
  const turning = target.state === 'up' ? target.failures > 0 && count(target.failures, 'failure') : target.passes > 0 && count(target.passes, 'pass', 'passes');
  return h('div', { class: 'outcome', 'data-key': target.key },
    last ? badge(VERDICTS[last.verdict] ?? 'unknown', last.reason) : badge('unknown', 'not probed yet'),
    h('span', { class: 'dim' }, ` ${target.check}`, last && [' ', age(last.at)]), turning && h('span', { class: 'severity' }, turning),
    last?.warning && h('span', { class: 'severity' }, last.warning));
}

function phases({ connect_us: connect, tls_us: tls, first_byte_us: first, total_us: all }) {
  const known = [connect, tls, first].map((us) => us ?? 0);
  const rest = Math.max(0, all - known.reduce((sum, us) => sum + us, 0));
  let x = 0;
  const bars = [...known, rest].map((us, index) => {
    const width = all > 0 ? (us / all) * 80 : 0;
    const one = s('rect', { class: `phase${index}`, x: x.toFixed(1), width: width.toFixed(1), height: 8 });
    x += width;
    return one;
  });
  const words = [connect != null && `connect ${millis(connect)}`, tls != null && `TLS ${millis(tls)}`, first != null && `first byte ${millis(first)}`].filter(Boolean).join(', ');
  return h('div', { class: 'phases', title: words }, s('svg', { class: 'phasebar', viewBox: '0 0 80 8', width: 80, height: 8, 'aria-hidden': 'true' }, bars), ' ', millis(all), h('span', { class: 'unseen' }, words && ` (${words})`));
}

function reasonTable(service) {
  const rows = answersOf(service.key).filter((row) => row.per_second > 0).sort((a, b) => b.per_second - a.per_second);
  const all = rate(service.key);
  const made = rows.map((row) => h('tr', { 'data-key': `${row.region} ${row.reason}` },
    h('th', { scope: 'row' }, row.region || 'no region'), h('td', {}, row.reason), h('td', { class: 'n' }, number(row.per_second)), h('td', { class: 'bars' }, bar(row.per_second / all), percent(row.per_second / all))));
  return [h('h3', {}, 'Answers by reason'), table(`Answers of ${service.key} by reason`, [['Data centre'], ['Reason'], ['Answers/s', 'n'], ['Share', 'bars']], made, { none: 'no queries in the last seconds' })];
}
