// Explain: what a client gets, step by step, and what it would get if a region were down, or carried more or less.

import { get } from './api.js';
import { loadWords } from './capacity.js';
import { field, h, render, select, table } from './dom.js';
import { loadMap, makeMap } from './map.js';
import { choose, store } from './store.js';
import { REASONS, badge, count, country, list, percent, span, swatch, upBadge } from './words.js';

const TYPES = ['A', 'AAAA', 'HTTPS', 'MX', 'TXT', 'SRV', 'CNAME'];

let parts = null;
let map = null;
let asked = 0;
let wish = null;

export function open(main, parameters, isOther) {
  wish = { country: parameters.get('country'), service: parameters.get('service') || null, name: parameters.get('name'), client: parameters.get('client'), down: parameters.getAll('down') };
  if (isOther) build(main);
  grant();
}

function build(main) {
  const input = (name, placeholder, more = {}) => h('input', { name, placeholder, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false', ...more });
  parts = {
    name: input('name', 'www.example.com', { required: true, list: 'names' }), names: h('datalist', { id: 'names' }),
    type: select('type', TYPES.map((type) => [type, type]), 'A'),
    client: input('client', '203.0.113.7 or 203.0.113.0/24', { required: true }),
    resolver: input('resolver', 'the client itself'),
    country: h('select', { name: 'country', onchange: (event) => pickCountry(event.target.value) }),
    down: h('div', { class: 'checks' }), loads: h('div', { class: 'checks' }), figure: h('div', { class: 'figure' }), tip: h('p', { class: 'tip', 'aria-hidden': 'true' }, 'Click a country to take a client there.'),
    result: h('div', { class: 'result', 'aria-live': 'polite' }),
  };
  const form = h('form', { class: 'form', onsubmit: (event) => { event.preventDefault(); ask(); } },
    field('Name', parts.name), parts.names, field('Type', parts.type), field('Client', parts.client, 'an address or a network'),
    field('or a country', parts.country), field('Resolver', parts.resolver, 'empty: the client asks itself'),
    h('fieldset', {}, h('legend', {}, 'What if these were down'), parts.down),
    h('fieldset', {}, h('legend', {}, 'What if they had this load, of the clients they have'), parts.loads),
    h('button', { type: 'submit', class: 'main' }, 'Explain'));
  main.append(h('h1', { class: 'unseen' }, 'Explain'),
    h('div', { class: 'explain' }, h('section', { class: 'card' }, h('h2', {}, 'Who asks what'), form),
      h('section', { class: 'card mapcard', 'aria-label': 'Pick a country' }, parts.figure, parts.tip)),
    parts.result);
  const mine = parts;
  loadMap().then((data) => {
    if (parts !== mine) return;
    map = makeMap(data, { go: pickCountry, point: (text) => { parts.tip.textContent = text || 'Click a country to take a client there.'; } });
    parts.figure.append(map.element);
    update('data');
  });
  update('data');
}

export function close() {
  [parts, map] = [null, null];
}

export function update(what) {
  if (!parts || what !== 'data') return;
  const names = store.services.flatMap((service) => service.names.map((name) => askable(name)));
  render(parts.names, names.map((value) => h('option', { value })));
  const known = (store.world?.countries ?? []).filter((entry) => entry.sample).map((entry) => entry.country);
  const options = known.map((code) => [code, country(code)]).sort((a, b) => a[1].localeCompare(b[1]));
  if (parts.country.childElementCount !== options.length + 1) {
    parts.country.replaceChildren(...[['', 'choose…'], ...options].map(([value, text]) => h('option', { value }, text)));
  }
  render(parts.down, store.regions.map(({ key }) => h('label', { 'data-key': key }, h('input', { type: 'checkbox', name: 'down', value: key, onchange: () => parts.client.value && ask() }), ' ', key)));
  const limited = store.regions.filter(({ load }) => load.max !== null);
  render(parts.loads, limited.length === 0 ? h('span', { class: 'dim' }, 'no data centre has a capacity') : limited.map(({ key, load }) => h('label', { 'data-key': key }, key, ' ',
    h('input', { type: 'number', name: 'load', 'data-region': key, min: 0, step: 'any', placeholder: load.current === null ? 'load' : String(Math.round(load.current)), onchange: () => parts.client.value && ask() }))));
  map?.update({ regions: store.regions, countries: store.world?.countries ?? [], shares: new Map() });
  grant();
}

/** A name that somebody could ask for: not the pattern itself. */
const askable = (name) => name.replace(/\.$/, '').replace(/^\*/, 'anything');

/** Fills the form as the address of the page says, once what is needed is known. */
function grant() {
  if (!wish || !parts || store.services.length === 0) return;
  const service = store.services.find((one) => one.key === (wish.service ?? store.service)) ?? store.services[0];
  if (wish.service && wish.service !== store.world?.service) {
    if (store.service !== wish.service) choose(wish.service);
  }
  if (wish.name || parts.name.value === '' || wish.service) parts.name.value = wish.name ?? askable(service.names[0] ?? '');
  const { country: code, client, down } = wish;
  if (code && !store.world) return;
  wish = null;
  for (const box of parts.down.querySelectorAll('input')) box.checked = down.includes(box.value) || box.checked;
  if (client) parts.client.value = client;
  if (code) pickCountry(code);
  else if (client) ask();
}

/** Takes a network that the databases have in this country. */
function pickCountry(code) {
  const entry = store.world?.countries.find((one) => one.country === code);
  const [, address, bits] = /([0-9a-f.:]+)\/(\d+)/i.exec(entry?.sample ?? '') ?? [];
  if (!address) {
    render(parts.result, h('section', { class: 'card' }, h('p', { class: 'problem', role: 'alert' }, `${country(code)}: no network of it is known; type an address.`)));
    return;
  }
  parts.country.value = code;
  const told = address.includes(':') ? 56 : 24;
  parts.client.value = Number(bits) > told ? `${address}/${bits}` : address;
  ask();
}

async function ask() {
  const number = (asked += 1);
  const mine = parts;
  const down = [...parts.down.querySelectorAll('input:checked')].map((box) => box.value);
  const loads = [...parts.loads.querySelectorAll('input')].filter(({ value }) => value !== '').map(({ dataset, value }) => [dataset.region, value]);
  const load = loads.map(([key, value]) => `${key}=${value}`);
  const supposed = [down.length > 0 && `${down.join(' and ')} were down`, ...loads.map(([key, value]) => `${key} had a load of ${value}`)].filter(Boolean);
  const question = { name: parts.name.value.trim(), type: parts.type.value, client: parts.client.value.trim(), resolver: parts.resolver.value.trim() };
  try {
    const [real, assumed] = await Promise.all([get('explain', question), supposed.length > 0 ? get('explain', { ...question, down, load }) : null]);
    if (parts !== mine || number !== asked) return;
    render(parts.result, assumed && answer(assumed, `If ${supposed.join(' and ')}`), answer(real, 'Now'));
  } catch (problem) {
    if (parts === mine && number === asked) render(parts.result, h('section', { class: 'card' }, h('p', { class: 'problem', role: 'alert' }, problem.message)));
  }
}

function answer(explanation, title) {
  const { steps, answers, rcode } = explanation;
  const last = steps.at(-1);
  const chosen = last ? [swatchOf(last.chosen), ' ', h('strong', {}, last.chosen), ` · ${last.reason} · TTL ${last.ttl} s`] : h('strong', {}, rcode === 'NOERROR' ? 'not steered' : rcode);
  return h('section', { class: 'card answer', 'data-key': title },
    h('h2', {}, title, ': ', chosen),
    h('ol', { class: 'steps' },
      h('li', {}, h('h3', {}, 'The question'), h('p', {}, h('code', {}, explanation.question), ' from ', h('code', {}, explanation.client), explanation.resolver !== explanation.client.split('/')[0] && [' through ', h('code', {}, explanation.resolver)])),
      steps.map(step),
      h('li', {}, h('h3', {}, 'The answer'), h('p', {}, `${rcode}, scope ${explanation.scope}, generation ${explanation.generation}`),
        answers.length > 0 ? h('pre', { 'data-label': 'Records' }, answers.join('\n')) : h('p', { class: 'dim' }, 'no records'))));
}

const swatchOf = (key) => {
  const index = store.regions.findIndex((region) => region.key === key);
  return index < 0 ? null : swatch(index);
};

const PICKS = { fixed: 'always the same', turn: 'each in turn', hash: 'by the client’s hash', draw: 'drawn by weight' };
const LINKS = { 'client-subnet': 'by the client’s network that the resolver tells', resolver: 'by the address of the resolver', nobody: 'nobody knows where it is' };
const STATES = { eligible: 'ok', down: 'down', drained: 'drained', 'forced-down': 'forced-down', disabled: 'disabled' };

/** What is known of a way: the estimate, and what it rests on. */
function way({ ms, error_ms: error, expected_ms: expected, evidence }) {
  if (error === 0) return [`${ms.toFixed(1)} ms`, h('small', { class: 'notes dim' }, 'by distance: nothing is measured')];
  const rests = evidence ? `${count(Math.round(evidence.samples), 'round trip')}, the last ${span(evidence.age_s * 1_000)} ago${evidence.sources.length > 0 ? `, by ${list(evidence.sources)}` : ''}` : 'measured of others like it';
  return [`${ms.toFixed(1)} ± ${error.toFixed(1)} ms`, h('small', { class: 'notes dim' }, `${rests}; ${expected.toFixed(1)} ms by distance`)];
}

function step(view) {
  const { place, regions } = view;
  const isMeasured = regions.some((one) => one.latency);
  const located = place && h('li', {}, h('h3', {}, 'Where the client is'),
    h('p', {}, h('b', {}, place.place), `: ${LINKS[place.link] ?? place.link}; regions rank by ${place.ranked_by}${place.is_fenced ? '; it never leaves these regions' : ''}`),
    place.sources.length > 0 && h('p', { class: 'dim' }, place.sources.join(' · ')));
  const rows = regions.map((one) => h('tr', { 'data-key': one.region, class: one.region === view.chosen && 'here' },
    h('td', { class: 'n' }, one.tier === 0 ? 'fenced off' : String(one.tier)),
    h('th', { scope: 'row' }, swatchOf(one.region), ' ', one.region, one.region === view.chosen && h('span', { class: 'severity good' }, 'chosen')),
    h('td', {}, badge(STATES[one.state] ?? 'degraded', one.state)),
    h('td', { class: 'n' }, one.distance_km === null ? '–' : `${Math.round(one.distance_km).toLocaleString('en-US')} km`),
    isMeasured && h('td', {}, h('span', { class: 'load' }, one.latency ? way(one.latency) : h('span', { class: 'dim' }, 'nobody knows'))),
    h('td', { class: 'n' }, percent(one.share), one.weighed && h('span', { class: 'dim' }, ` ${one.weighed}`)),
    h('td', {}, one.load ? loadWords({ ...one.load, unit: '' }) : h('span', { class: 'dim' }, 'nobody says'))));
  return [
    h('li', {}, h('h3', {}, 'The service'), h('p', {}, h('b', {}, view.service), view.follows && ` follows ${view.follows}`, `: policy ${view.policy}, ${view.mode}, for ${view.rtype}`)),
    located,
    h('li', {}, h('h3', {}, 'Regions, as this client prefers them'), table(`Regions for this client (${view.service})`, [['Tier', 'n'], ['Region'], ['State'], ['Distance', 'n'], ...(isMeasured ? [['Latency']] : []), ['Share', 'n'], ['Load']], rows)),
    h('li', {}, h('h3', {}, 'The decision'), h('p', {}, h('b', {}, view.chosen), ', ', h('b', {}, view.reason), `: ${REASONS[view.reason] ?? 'a newer server may know more'}`),
      view.spill && h('p', { class: 'spilled' }, badge('degraded', ''), view.spill)),
    h('li', {}, h('h3', {}, 'The endpoint'), h('p', {}, `${PICKS[view.pick] ?? view.pick}; may be kept for ${view.ttl} s`),
      h('ul', { class: 'plain' }, view.endpoints.map((endpoint) => h('li', {}, h('code', {}, endpoint.endpoint), ' ', upBadge(endpoint.up), endpoint.share != null && ` ${percent(endpoint.share)}`, endpoint.load && h('span', { class: 'dim' }, ` ${endpoint.load}`), !endpoint.answerable && h('span', { class: 'severity' }, 'not answered'))))),
  ];
}
