// Server: how the name server itself does.

import { h, render, s, table } from './dom.js';
import { store } from './store.js';
import { badge, bar, count, number, percent, span } from './words.js';

let parts = null;

export function open(main, _parameters, isOther) {
  if (!isOther) return;
  parts = { facts: h('div', {}), transports: h('div', {}), rcodes: h('div', {}), reasons: h('div', {}) };
  main.append(h('h1', { class: 'unseen' }, 'Server'),
    h('section', { class: 'card' }, h('h2', {}, 'This server'), parts.facts),
    h('div', { class: 'halves' },
      h('section', { class: 'card' }, h('h2', {}, 'Queries'), parts.transports),
      h('section', { class: 'card' }, h('h2', {}, 'Response codes'), parts.rcodes)),
    h('section', { class: 'card' }, h('h2', {}, 'Answers of steered names by reason'), parts.reasons),
    h('section', { class: 'card' }, h('h2', {}, 'Latency'), h('p', {}, 'How long answers take stands in the ', h('a', { href: 'metrics' }, 'metrics'), ', as histograms. How far clients are from each data centre, as far as that is measured: ', h('a', { href: '#/latency' }, 'Latency'), '.')));
  update('data');
}

export function close() {
  parts = null;
}

export function update(what) {
  if (!parts || what === 'event') return;
  if (what === 'data') showFacts();
  showTraffic();
}

function showFacts() {
  const { server } = store;
  if (!server) return;
  const { reloads } = server;
  const zones = [server.zones_failed > 0 && `${server.zones_failed} failed`, server.zones_stale > 0 && `${server.zones_stale} stale`].filter(Boolean).join(', ');
  const isLate = server.probe_lateness_s > 0.5;
  const facts = [
    ['State', server.ready ? badge('ok', 'answers queries') : badge('down', 'starting: no answers yet')],
    ['Version', server.version],
    ['Running for', span(server.uptime_s * 1_000)],
    ['Snapshot', `generation ${server.generation}, ${span(server.snapshot_age_s * 1_000)} old`],
    ['Zones', zones ? badge('degraded', `${server.zones}, of which ${zones}`) : badge('ok', `${count(server.zones, 'zone')}, all in force`)],
    ['Records', number(server.records)],
    ['Region files', server.model_stale ? badge('degraded', 'an older version is in force: the new one was refused') : badge('ok', 'in force')],
    ['Reloads', `${reloads.ok} ok, ${reloads.partial} in part, ${reloads.refused} refused`],
    ['Probes start late by', isLate ? badge('degraded', `${number(server.probe_lateness_s * 1_000)} ms`) : `${number(server.probe_lateness_s * 1_000)} ms`],
    ['Dropped packets', server.drops > 0 ? badge('degraded', number(server.drops)) : '0'],
    ['Tokens', String(server.tokens)],
    ['Cluster', clusterWords(server.cluster)],
  ];
  render(parts.facts, h('dl', { class: 'facts tiles' }, facts.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))));
}

const clusterWords = (cluster) => {
  if (cluster === null || cluster === undefined) return 'standalone';
  return Array.isArray(cluster.peers) ? count(cluster.peers.length, 'peer') : 'clustered';
};

/** The last minutes of a number as a line. */
function spark(values, label) {
  if (values.length < 2) return h('span', { class: 'dim' }, 'measuring…');
  const [width, height] = [160, 28];
  const max = Math.max(...values, 1e-9);
  const step = width / (values.length - 1);
  const points = values.map((value, index) => `${(index * step).toFixed(1)},${(height - 2 - (value / max) * (height - 4)).toFixed(1)}`);
  return s('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': `${label}: at most ${number(max)} a second` }, s('polyline', { points: points.join(' ') }));
}

function showTraffic() {
  const { traffic, rates } = store;
  if (!traffic) return;
  const transports = Object.entries(traffic.transports).map(([key, value]) => h('tr', { 'data-key': key },
    h('th', { scope: 'row' }, key.toUpperCase()), h('td', { class: 'n big' }, number(value.queries_per_second)),
    h('td', {}, spark(rates.map((one) => one.transports[key]?.queries_per_second ?? 0), `${key} queries`)),
    h('td', { class: 'n' }, value.dropped_per_second > 0 ? badge('degraded', number(value.dropped_per_second)) : '0')));
  render(parts.transports, table('Queries by transport', [['Transport'], ['Queries/s', 'n'], ['Last minutes'], ['Dropped/s', 'n']], transports));
  const all = Object.values(traffic.rcodes).reduce((sum, rate) => sum + rate, 0);
  const share = (rate) => (all > 0 ? rate / all : null);
  const rcodes = Object.entries(traffic.rcodes).sort((a, b) => b[1] - a[1]).map(([key, rate]) => h('tr', { 'data-key': key },
    h('th', { scope: 'row' }, key), h('td', { class: 'n' }, number(rate)), h('td', { class: 'bars' }, bar(share(rate)), percent(share(rate)))));
  render(parts.rcodes, table('Answers by response code', [['Code'], ['Answers/s', 'n'], ['Share', 'bars']], rcodes, { none: 'no queries' }));
  const reasons = new Map();
  for (const { reason, region, per_second: rate } of traffic.answers) {
    const at = reasons.get(reason) ?? new Map();
    reasons.set(reason, at.set(region, (at.get(region) ?? 0) + rate));
  }
  const columns = store.regions.map((region) => region.key);
  const rows = [...reasons].map(([reason, by]) => h('tr', { 'data-key': reason }, h('th', { scope: 'row' }, reason),
    columns.map((key) => h('td', { class: 'n' }, by.has(key) ? number(by.get(key)) : '–')), h('td', { class: 'n' }, number([...by.values()].reduce((sum, rate) => sum + rate, 0)))));
  render(parts.reasons, table('Answers a second by reason and data centre', [['Reason'], ...columns.map((key) => [key, 'n']), ['All', 'n']], rows, { none: 'no queries in the last seconds' }));
}
