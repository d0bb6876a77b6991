#!/usr/bin/env node
// A server that looks like Meridian's admin listener, for work on the dashboard without a build.
//
//     node tests/browser/mock.js [PORT]
//
// It serves src/admin/site and the routes the page asks, from a small model: four data centres, three services. What
// happens is said on its standard input or by POST /mock/SAY: `fail fra`, `recover fra`, `degrade fra`, `guard`,
// `quiet`, `spill` (Frankfurt is full) and `room`, `cut` (no connection until `mend`). The token is `mock-token-0123456789`.
'use strict';
const { createServer } = require('node:http');
const { readFileSync, existsSync } = require('node:fs');
const { join, extname } = require('node:path');

const ROOT = join(__dirname, '../..');
const SITE = join(ROOT, 'src/admin/site');
const TOKEN = 'mock-token-0123456789';
const START = Date.now();
const TYPES = { '.html': 'text/html; charset=utf-8', '.css': 'text/css; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.json': 'application/json', '.svg': 'image/svg+xml' };
const HEADERS = {
  'Content-Security-Policy': "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer',
};

const centroids = [...readFileSync(join(ROOT, 'src/base/countries.rs'), 'utf8').matchAll(/\(b"(\w\w)", b"\w\w", (-?[\d.]+), (-?[\d.]+)\)/g)]
  .map(([, code, lat, lon]) => ({ code, lat: Number(lat), lon: Number(lon) }));
if (centroids.length < 200) throw new Error('the table of countries cannot be read');

const regions = [
  { key: 'fra', label: 'Frankfurt', location: { lat: 50.11, lon: 8.68 }, capacity: { target: 4000, max: 5000, unit: 'answers' } },
  { key: 'ams', label: 'Amsterdam', location: { lat: 52.37, lon: 4.9 }, capacity: { target: 4000, max: 5000, unit: 'answers' } },
  { key: 'iad', label: 'Ashburn', location: { lat: 38.95, lon: -77.45 }, capacity: null },
  { key: 'sin', label: 'Singapore', location: { lat: 1.35, lon: 103.99 }, capacity: null },
];
const addresses = { fra: '192.0.2', ams: '192.0.3', iad: '198.51.100', sin: '203.0.113' };
const services = [
  { key: 'web', names: ['www.example.com.', 'example.com.', '*.apps.example.com.'], policy: 'nearest', mode: 'active-active', prefer: 'geo', min: 5, max: 30, check: 'web', hosts: [10, 11] },
  { key: 'api', names: ['api.example.com.'], policy: 'weighted', mode: 'active-active', prefer: 'equal', min: 5, max: 20, check: 'api', hosts: [20] },
  { key: 'mail', names: ['example.com.'], policy: 'standby', mode: 'active-passive', prefer: null, min: 30, max: 60, check: 'smtp', hosts: [25], order: ['iad', 'fra'] },
];
const partsOf = (service) => service.order ?? regions.map((region) => region.key);

let generation = 41;
let seq = 0;
const failed = new Map(); // region -> since
const degraded = new Set();
const overrides = [];
let guard = { phase: 'quiet', since: null, until: null, held: 0, some: [] };
let cut = false;
const journal = [];
const ramps = [];
const clients = new Set();

const word = (region, service, endpoint) => overrides.find((one) => [region, `${service}/${region}`, endpoint].includes(one.target));
const endpointKey = (service, region, host) => `${service.key}/${region}/${addresses[region]}.${host}`;
const isUp = (service, region, host) => !failed.has(region) && !(degraded.has(region) && host === service.hosts.at(-1) && service.hosts.length > 1);
const isEligible = (service, region) => {
  const said = word(region, service.key)?.action;
  if (said === 'drain' || said === 'down') return false;
  return said === 'up' || service.hosts.some((host) => isUp(service, region, host));
};
const eligible = (service) => partsOf(service).filter((region) => isEligible(service, region));
const distance = (a, b) => {
  const r = Math.PI / 180;
  const x = Math.sin((a.lat - b.lat) * r / 2) ** 2 + Math.cos(a.lat * r) * Math.cos(b.lat * r) * Math.sin((a.lon - b.lon) * r / 2) ** 2;
  return 12742 * Math.asin(Math.sqrt(x));
};

function decide(service, place, without = []) {
  const parts = partsOf(service);
  const can = eligible(service).filter((key) => !without.includes(key));
  const ranked = place && service.prefer === 'geo' ? [...parts].sort((a, b) => distance(place, regionOf(a).location) - distance(place, regionOf(b).location)) : parts;
  if (can.length === 0) return { regions: [], reason: 'all-down', ranked };
  if (service.prefer === 'equal') return { regions: can.map((key) => [key, 1 / can.length]), reason: 'equal', ranked };
  const best = ranked.find((key) => can.includes(key));
  const above = ranked.slice(0, ranked.indexOf(best));
  const reason = above.length === 0 ? 'preferred' : above.some((key) => word(key, service.key)) ? 'override' : 'failover';
  return { regions: [[best, 1]], reason, ranked };
}
const regionOf = (key) => regions.find((region) => region.key === key);
const serviceOf = (key) => services.find((service) => service.key === key);
const sample = (index) => `${(index * 7) % 200 + 11}.${(index * 13) % 250}.0.0/16`;

function world(key, without = []) {
  const service = serviceOf(key ?? 'web');
  if (!service) return null;
  const countries = centroids.map((place, index) => {
    const { regions: shares, reason } = decide(service, place, without);
    return { country: place.code, sample: index % 29 === 27 ? null : `network ${sample(index)}`, regions: shares, reason };
  });
  const { regions: shares, reason } = decide(service, null, without);
  return { generation, service: service.key, countries, unknown: { regions: shares, reason } };
}

function loadView({ capacity }) {
  const limits = { target: capacity?.target ?? null, max: capacity?.max ?? null };
  return { state: 'estimated', source: 'answers', current: null, ...limits, at: null, age_s: null, error: null };
}

/** What Frankfurt sends to Amsterdam, as a part of its clients; 0: nobody is sent elsewhere. */
let spilled = 0;
function plan() {
  const rows = traffic().answers;
  const all = rows.reduce((sum, row) => sum + row.per_second, 0);
  const of = (key) => rows.filter((row) => row.region === key).reduce((sum, row) => sum + row.per_second, 0);
  const moved = of('fra') * spilled;
  const planned = ({ key, capacity }) => {
    const [load, limit] = [of(key), key === 'fra' && spilled > 0 ? of('fra') * 0.9 : capacity?.target ?? null];
    const received = key === 'ams' ? moved : 0;
    return { region: key, fed: null, load, planned: load - (key === 'fra' ? moved : 0) + received, target: limit, max: limit && limit * 1.25, level: limit, home: load, shed: key === 'fra' ? spilled : 0, received, held: false };
  };
  const spills = spilled > 0 ? [{ from: 'fra', to: 'ams', demand: moved, part: spilled }] : [];
  return { at: Date.now(), method: spilled > 0 ? 'optimal' : 'home', demand: all, classes: 31, pending: moved / 9, extra_km: spilled > 0 ? 362 : 0, regions: regions.map(planned), spills };
}

/** What somebody would have measured: ways are as long as they are, but for a cable that is broken south of the Sahara. */
function latency() {
  const rtt = (place, region) => 5 + distance(place, region.location) * 0.018;
  const takes = (place, region) => rtt(place, region) * (0.9 + (place.code.charCodeAt(1) % 5) / 8) + (place.lat < 10 && place.lon > -20 && place.lon < 52 && ['fra', 'ams'].includes(region.key) ? 190 : 4);
  const least = (place, of) => [...regions].sort((a, b) => of(place, a) - of(place, b))[0];
  const rows = centroids.slice(20, 60).map((place, index) => {
    const [networks, best, nearest] = [90 - index * 2, least(place, takes), least(place, rtt)];
    const ways = regions.map((region, at) => ({ ms: takes(place, region), expected_ms: rtt(place, region), networks: (index + at) % 7 === 6 ? 0 : networks - at * 3, best_of: region === best ? networks : 0, age_s: (index + at) % 7 === 6 ? null : ((index * 13 + at * 29) % 40) ** 3 / 2 }));
    return { country: place.code, networks, elsewhere: best === nearest ? 0 : networks, ways, place, best, nearest };
  });
  const sum = (pick) => rows.reduce((all, row) => all + pick(row), 0);
  const moved = rows.filter(({ elsewhere }) => elsewhere > 0);
  const gains = moved.slice(0, 20).map(({ country, place, best, nearest }, index) => ({ network: `203.0.${index}.0/24`, country, nearest: nearest.key, nearest_ms: takes(place, nearest), best: best.key, best_ms: takes(place, best), samples: 40 + index }));
  return {
    networks: sum((row) => row.networks), networks_max: 100_000, ways: sum((row) => row.networks * 4 - 18), bytes: 812_000, evicted: 0, waiting: moved.length, moved: 311, elsewhere: sum((row) => row.elsewhere),
    regions: regions.map(({ key }, at) => ({ region: key, networks: sum((row) => row.ways[at].networks), samples: sum((row) => row.ways[at].networks) * 21.3, age_s: at === 3 ? 4_000 : at * 2, best_of: sum((row) => row.ways[at].best_of), sources: { agent: 900 - at * 100, beacon: 300 } })),
    matrix: rows.map(({ country, networks, elsewhere, ways }) => ({ country, networks, elsewhere, ways })), gains: gains.sort((a, b) => b.nearest_ms - b.best_ms - a.nearest_ms + a.best_ms),
  };
}

function regionView(region) {
  const mine = services.filter((service) => partsOf(service).includes(region.key));
  const all = mine.flatMap((service) => service.hosts.map((host) => isUp(service, region.key, host)));
  const can = mine.filter((service) => isEligible(service, region.key)).length;
  const said = overrides.find((one) => one.target === region.key)?.action;
  const up = all.filter(Boolean).length;
  const state = said === 'drain' ? 'drained' : said === 'down' ? 'forced-down' : up === 0 ? 'down' : up < all.length || can < mine.length ? 'degraded' : 'ok';
  return { ...region, enabled: true, services: mine.length, eligible: can, endpoints: all.length, up, check: null, state, load: loadView(region) };
}

const steady = (up) => (up ? 11 : 21);
function serviceView(service) {
  const can = eligible(service);
  const now = Object.fromEntries(partsOf(service).map((key) => [key, failed.size > 0 ? service.min : Math.min(service.max, 12)]));
  const endpoints = partsOf(service).flatMap((region) => service.hosts.map((host) => {
    const key = endpointKey(service, region, host);
    const up = isUp(service, region, host);
    const forced = word(region, service.key, key)?.action ?? null;
    return {
      key, up, real: up ? 'up' : 'down', guarded: false, forced, why: forced ? `${forced} by ${word(region, service.key, key).owner}` : up ? 'checks pass' : 'connection refused (3 failures)',
      steady_s: steady(up), next_flip_s: steady(up), fed: null, targets: [`${service.check}@${addresses[region]}.${host}`], region, service: service.key, address: `${addresses[region]}.${host}`, weight: 1,
    };
  }));
  const why = (key) => { const said = word(key, service.key)?.action; return said === 'drain' ? 'drained' : said === 'down' ? 'forced-down' : isEligible(service, key) ? 'eligible' : 'down'; };
  const active = service.mode === 'active-passive' ? { region: can[0] ?? service.order[0], switched: false, failback: null } : null;
  return {
    key: service.key, names: service.names, name_count: service.names.length, standing: can.length > 0 ? 'eligible' : 'all-down', change_s: null, active,
    ramps: ramps.filter((ramp) => ramp.service === service.key && ramp.until > Date.now()).map(({ region, until }) => ({ region, until, percent: Math.round(100 - (until - Date.now()) / 1200) })),
    regions: partsOf(service).map((key) => [key, why(key)]), endpoints, policy: service.policy, mode: service.mode, prefer: service.prefer, ttl: { min: service.min, max: service.max, now },
  };
}

const probed = new Map();
function targets() {
  let id = 0;
  return services.flatMap((service) => partsOf(service).flatMap((region) => service.hosts.map((host) => {
    const key = `${service.check}@${addresses[region]}.${host}`;
    const up = isUp(service, region, host);
    const turning = probed.get(key) ?? 0;
    const us = 900 + (host * 37 + region.charCodeAt(0) * 91) % 4000;
    return {
      id: id++, key, check: service.check, address: `${addresses[region]}.${host}`, state: up ? 'up' : 'down', passes: up ? 0 : turning, failures: up ? turning : 3, inconclusive: 0, cadence_ms: 5000, endpoints: 1, regions: [], reference: false,
      last: { at: Date.now() - (Date.now() - START + id * 700) % 5000, verdict: up && turning === 0 ? 'pass' : 'fail', reason: up && turning === 0 ? 'status 200' : 'connection refused', warning: service.key === 'api' && region === 'sin' ? 'the certificate ends in 9 days' : null,
        phases: up ? { connect_us: us, tls_us: service.check === 'api' ? us * 2 : null, first_byte_us: us + 700, total_us: us * (service.check === 'api' ? 4 : 2) + 900 } : { connect_us: null, tls_us: null, first_byte_us: null, total_us: 310 } },
    };
  })));
}

function overrideViews() {
  return overrides.map((one) => ({ ...one, command: one.action === 'drain' ? 'drain' : `force ${one.action}`, known: true, covers: 4, up: failed.has(one.target) ? 0 : 4, cached_until: one.since + 30_000 }));
}
const status = () => ({ version: '0.3.0', ready: true, generation, at: Date.now(), regions: regions.map(regionView), services: services.map(serviceView), targets: targets(), overrides: overrideViews(), guard });

const demand = (code) => (code.charCodeAt(0) * 31 + code.charCodeAt(1) * 17) % 97;
function traffic() {
  const wave = 1 + Math.sin(Date.now() / 9_000) * 0.05;
  const answers = new Map();
  for (const service of services) {
    for (const { country, regions: shares, reason } of world(service.key).countries) {
      for (const [region, share] of shares.length > 0 ? shares : [['', 1]]) {
        const key = `${service.key} ${region} ${reason}`;
        answers.set(key, (answers.get(key) ?? 0) + demand(country) * share * wave * (service.key === 'web' ? 1.2 : 0.3));
      }
    }
  }
  const rows = [...answers].map(([key, per_second]) => { const [service, region, reason] = key.split(' '); return { service, region, reason, per_second }; });
  const total = rows.reduce((sum, row) => sum + row.per_second, 0);
  return { at: Date.now(), window_s: 10, answers: rows, transports: { udp: { queries_per_second: total * 1.04, dropped_per_second: 0 }, tcp: { queries_per_second: total * 0.01, dropped_per_second: 0 } }, rcodes: { NOERROR: total, NXDOMAIN: total * 0.04, REFUSED: total * 0.01 } };
}

const SEVERITY = { region_lost: 'warning', endpoint_down: 'warning', check_down: 'warning', override_set: 'warning', spill_begun: 'warning', active_moved: 'warning', guard_holds: 'error', service_all_down: 'error' };
function tell(kind, fields = {}, at = Date.now()) {
  const event = { seq: ++seq, at, kind, severity: SEVERITY[kind] ?? 'info', cause: '', name_count: 0, count: 1, ...fields };
  journal.push(event);
  send(`id: ${event.seq}\nevent: event\ndata: ${JSON.stringify(event)}\n\n`);
}
const send = (text) => clients.forEach((client) => client.write(text));
function publish() {
  generation += 1;
  history.push(sampleNow());
  send(`event: state\ndata: ${JSON.stringify({ generation, at: Date.now() })}\n\n`);
}

const shareOf = (rows, key) => { const all = rows.reduce((sum, row) => sum + row.per_second, 0); return all > 0 ? rows.filter((row) => row.region === key).reduce((sum, row) => sum + row.per_second, 0) / all : null; };
/** A day in an hour, with a spike now and then. */
function loadThen({ key, capacity }, at) {
  if (!capacity) return null;
  const swing = Math.sin(at / 600_000 + (key === 'fra' ? 0 : 2));
  return { current: Math.round(capacity.target * (failed.has(key) ? 0 : 0.8 + 0.3 * swing)), target: capacity.target, max: capacity.max };
}
function sampleNow(at = Date.now()) {
  const rows = traffic().answers;
  return { at, generation, regions: regions.map((region) => { const { key, state, eligible: can, services: all, up, endpoints } = regionView(region); return { key, state, eligible: can, services: all, up, endpoints, share: shareOf(rows, key), load: loadThen(region, at) }; }) };
}

function fail(key, at = Date.now(), isPast = false) {
  for (const service of services.filter((one) => partsOf(one).includes(key))) {
    const host = service.hosts[0];
    tell('check_down', { target: `${service.check}@${addresses[key]}.${host}`, cause: 'connection refused (3 failures)' }, at);
    tell('endpoint_down', { endpoint: endpointKey(service, key, host), region: key, service: service.key, cause: 'connection refused', count: service.hosts.length }, at);
    tell('region_lost', { region: key, service: service.key, cause: 'down', names: service.names, name_count: service.names.length }, at);
    if (service.order?.[0] === key) tell('active_moved', { region: service.order[1], service: service.key, cause: `from ${key}: down` }, at);
  }
  failed.set(key, at);
  if (!isPast) publish();
}
function recover(key, at = Date.now(), isPast = false) {
  failed.delete(key);
  for (const service of services.filter((one) => partsOf(one).includes(key))) {
    tell('region_back', { region: key, service: service.key, cause: 'status 200 (5 in a row)' }, at);
    if (!isPast && service.prefer === 'geo') {
      ramps.push({ service: service.key, region: key, until: at + 120_000 });
      tell('ramp_begun', { region: key, service: service.key, until: at + 120_000 }, at);
    }
  }
  if (!isPast) publish();
}

// The last six hours: sin was lost for eleven minutes, ams was drained for half an hour.
const history = [];
tell('model_adopted', { cause: 'zones/regions.toml' }, START - 6 * 3_600_000);
for (let at = START - 6 * 3_600_000; at < START; at += 60_000) {
  const minute = Math.round((at - START) / 60_000);
  if (minute === -200) fail('sin', at, true);
  if (minute === -189) recover('sin', at, true);
  if (minute === -95) { overrides.push({ target: 'ams', action: 'drain', owner: 'kim', reason: 'switch firmware', since: at, expires: at + 1_800_000 }); tell('override_set', { target: 'ams', owner: 'kim', cause: 'drain (switch firmware)', until: at + 1_800_000 }, at); }
  if (minute === -65) { overrides.pop(); tell('override_expired', { target: 'ams', owner: 'kim', cause: 'drain (switch firmware)' }, at); }
  history.push(sampleNow(at));
}

function preview(body) {
  const { action, target = '' } = body;
  const key = action === 'switch' ? body.region : target.split('/').length === 1 ? target : target.split('/')[1];
  const takesAway = action === 'drain' || action === 'down';
  const touched = services.filter((service) => partsOf(service).includes(key) && (!target.includes('/') || target.startsWith(`${service.key}/`)));
  if (['drain', 'up', 'down', 'enable'].includes(action) && !regionOf(key)) return null;
  const views = touched.map((service) => {
    const before = decideAll(service, []);
    const after = takesAway ? decideAll(service, [key]) : before;
    return {
      service: service.key, before: before.shares, after: after.shares, all_down: after.shares.length === 0, cached_until: Date.now() + service.max * 1_000,
      countries_moved: before.by.filter(([code, region], index) => region !== after.by[index][1] && code).map(([code]) => code),
    };
  });
  return { allowed: true, refusal: null, needs_confirm: views.some((view) => view.all_down), services: views, ttl_max_s: Math.max(0, ...touched.map((service) => service.max)), loads: plan().regions.filter((one) => one.max !== null).map(({ region, load, target, max, level }) => ({ region, now: load, then: takesAway && region === key ? 0 : load * 1.2, target, max, level })) };
}
function decideAll(service, without) {
  const by = centroids.map((place) => [place.code, decide(service, place, without).regions]);
  const weights = new Map();
  for (const [code, shares] of by) for (const [region, share] of shares) weights.set(region, (weights.get(region) ?? 0) + share * demand(code));
  const all = [...weights.values()].reduce((sum, one) => sum + one, 0);
  return { shares: [...weights].map(([region, weight]) => [region, weight / all]), by: by.map(([code, shares]) => [code, shares.map(([region]) => region).join()]) };
}

function explain(query) {
  const name = query.get('name');
  const service = services.find((one) => one.names.some((other) => other === `${name?.replace(/\.$/, '')}.`));
  const client = query.get('client');
  if (!name) return { status: 400, detail: '`name` is missing' };
  if (!/^[\d.]+(\/\d+)?$/.test(client ?? '')) return { status: 400, detail: `\`client\`: \`${client}\` is neither an address nor a network like 203.0.113.0/24` };
  const down = query.getAll('down');
  const index = centroids.findIndex((_, at) => sample(at).startsWith(client.split('/')[0].split('.').slice(0, 2).join('.')));
  const place = centroids[Math.max(index, 61)];
  const base = { question: `${name}. ${query.get('type') || 'A'}`, client, resolver: client.split('/')[0], generation, assumed: down.map((key) => `${key} down`), rcode: 'NOERROR', answers: [], scope: 16, steps: [] };
  if (!service) return { body: { ...base, rcode: 'NXDOMAIN' } };
  const { regions: shares, reason, ranked } = decide(service, place, down);
  const chosen = shares[0]?.[0] ?? '';
  return { body: {
    ...base, answers: [`${name}. 12 IN A ${addresses[chosen]}.${service.hosts[0]}`],
    steps: [{
      service: service.key, follows: null, rtype: 'A', policy: service.policy, mode: `${service.mode}, ${service.prefer ?? 'by order'}`,
      place: { link: 'client-subnet', place: `${place.code}, ${place.lat} ${place.lon}`, sources: [`country.mmdb: ${sample(Math.max(index, 61))} ${place.code}`], ranked_by: 'distance', is_fenced: false },
      regions: ranked.map((key, at) => ({ region: key, tier: at + 1, distance_km: distance(place, regionOf(key).location), state: down.includes(key) || failed.has(key) ? 'down' : isEligible(service, key) ? 'eligible' : 'drained', share: shares.find(([one]) => one === key)?.[1] ?? null, weighed: null, load: null })),
      chosen, reason, spill: null, ttl: 12, scope: 16, pick: 'turn', endpoints: service.hosts.map((host) => ({ endpoint: chosen && endpointKey(service, chosen, host), up: isUp(service, chosen, host), answerable: isUp(service, chosen, host), share: null, load: null })),
    }],
  } };
}

const server = () => ({ version: '0.3.0', uptime_s: Math.round((Date.now() - START) / 1000) + 21_600, ready: true, generation, snapshot_age_s: 12, zones: 2, zones_failed: 0, zones_stale: 0, model_stale: false, records: 1234, reloads: { ok: 3, partial: 0, refused: 1 }, probe_lateness_s: 0.0021, drops: 0, tokens: 1, cluster: null });

function command(path, body) {
  const owner = body.owner || 'api';
  if (path === 'overrides') {
    if (!['drain', 'up', 'down'].includes(body.action)) return { status: 422, detail: 'unknown action' };
    if (!regionOf(body.target.split('/').at(body.target.includes('/') ? 1 : 0))) return { status: 404, detail: `no such target: \`${body.target}\`` };
    const until = body.for_s ? Date.now() + body.for_s * 1000 : null;
    const at = overrides.findIndex((one) => one.target === body.target);
    if (at >= 0) overrides.splice(at, 1);
    overrides.push({ target: body.target, action: body.action, owner, reason: body.reason ?? '', since: Date.now(), expires: until });
    tell('override_set', { target: body.target, owner, cause: `${body.action}${body.reason ? ` (${body.reason})` : ''}`, ...(until && { until }) });
    publish();
    return { body: { done: `${body.action} ${body.target}`, ...(until && { until: new Date(until).toISOString() }), cached_until: new Date(Date.now() + 30_000).toISOString(), still: [] } };
  }
  if (path === 'enable') {
    const at = overrides.findIndex((one) => one.target === body.target);
    if (at < 0) return { status: 409, detail: `there is no word about ${body.target}` };
    overrides.splice(at, 1);
    tell('override_cleared', { target: body.target, owner, cause: 'drain' });
    publish();
    return { body: { done: `enabled ${body.target}`, still: [] } };
  }
  if (path === 'guard/release' && guard.phase === 'quiet') return { status: 409, detail: 'the guard holds nothing' };
  tell('active_moved', { service: body.service, region: body.region, owner, cause: path });
  publish();
  return { body: { done: `${path} ${body.service ?? ''} ${body.region ?? ''}`.trim(), still: [] } };
}

function say(text) {
  const [what, key] = text.trim().split(' ');
  if (what === 'fail') fail(key);
  if (what === 'recover') recover(key);
  if (what === 'degrade') { degraded.add(key); tell('endpoint_down', { endpoint: endpointKey(services[0], key, 11), region: key, service: 'web', cause: 'status 503 (3 failures)' }); publish(); }
  if (what === 'turn') { probed.set(`web@${addresses[key]}.10`, 2); publish(); }
  if (what === 'guard') { guard = { phase: 'holds', since: Date.now(), until: Date.now() + 30_000, held: 11, some: ['web/fra/192.0.2.10'] }; tell('guard_holds', { cause: 'every region lost most endpoints within 15 s' }); publish(); }
  if (what === 'quiet') { guard = { phase: 'quiet', since: null, until: null, held: 0, some: [] }; publish(); }
  if (what === 'spill') { spilled = 0.38; tell('spill_begun', { region: 'fra', cause: '96 % of max; of its own clients go 38 % to ams' }); publish(); }
  if (what === 'room') { spilled = 0; tell('spill_ended', { region: 'fra' }); publish(); }
  if (what === 'cut') { cut = true; clients.forEach((client) => client.destroy()); }
  if (what === 'mend') cut = false;
}

function answer(request, response) {
  const url = new URL(request.url, 'http://mock');
  if (cut && !url.pathname.startsWith('/mock/')) return request.socket.destroy();
  const json = (status, body, headers = {}) => { response.writeHead(status, { ...HEADERS, 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json', ...headers }); response.end(JSON.stringify(body)); };
  const problem = (status, detail) => json(status, { type: 'about:blank', title: 'refused', status, detail });
  const file = url.pathname === '/' ? 'index.html' : url.pathname.startsWith('/assets/') ? url.pathname.slice(8) : null;
  if (file && existsSync(join(SITE, file)) && !file.includes('..')) {
    response.writeHead(200, { ...HEADERS, 'Content-Type': TYPES[extname(file)] });
    return response.end(readFileSync(join(SITE, file)));
  }
  if (url.pathname.startsWith('/mock/')) { say(decodeURIComponent(url.pathname.slice(6))); return json(200, {}); }
  const path = url.pathname.replace('/api/v1/', '');
  if (request.method === 'POST') {
    let text = '';
    request.on('data', (part) => { text += part; });
    request.on('end', () => {
      if (request.headers.authorization !== `Bearer ${TOKEN}`) return problem(401, 'this needs the token');
      const body = JSON.parse(text);
      if (path === 'preview') { const view = preview(body); return view ? json(200, view) : problem(404, `no such target: \`${body.target}\``); }
      if (request.headers['if-match'] && request.headers['if-match'] !== etag()) return problem(412, 'the overrides are others than you have seen');
      const { status: code, detail, body: done } = command(path, body);
      return code ? problem(code, detail) : json(200, done);
    });
    return undefined;
  }
  const q = url.searchParams;
  const shows = { status, regions: () => regions.map(regionView), services: () => services.map(serviceView), checks: targets, traffic, server, plan, latency };
  if (path in shows) return json(200, shows[path]());
  if (path === 'overrides') return json(200, overrideViews(), { ETag: etag() });
  if (path === 'world') { const found = world(q.get('service') ?? undefined); return found ? json(200, found) : problem(404, 'no such service'); }
  if (path === 'explain') { const found = explain(q); return found.body ? json(200, found.body) : problem(found.status, found.detail); }
  if (path === 'history') {
    const [from, to] = [Number(q.get('from') ?? 0), Number(q.get('to') ?? Infinity)];
    return json(200, { samples: history.filter((one) => one.at >= from && one.at <= to), step_s: 60 });
  }
  if (path === 'events') {
    const [from, to, region, kind] = [Number(q.get('from') ?? 0), Number(q.get('to') ?? Infinity), q.get('region'), q.get('kind')];
    const found = journal.filter((one) => one.at >= from && one.at <= to && (!region || one.region === region) && (!kind || one.kind === kind));
    return json(200, q.has('since') ? found.filter((one) => one.seq > Number(q.get('since'))).slice(0, Number(q.get('limit') ?? 1000)) : found.slice(-Number(q.get('limit') ?? 1000)));
  }
  if (path === 'stream') {
    response.writeHead(200, { ...HEADERS, 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    const last = Number(request.headers['last-event-id'] ?? seq);
    response.write(journal.filter((one) => one.seq > last).map((one) => `id: ${one.seq}\nevent: event\ndata: ${JSON.stringify(one)}\n\n`).join('') || ': hello\n\n');
    clients.add(response);
    request.on('close', () => clients.delete(response));
    return undefined;
  }
  return problem(404, 'no such route');
}
const etag = () => `"${overrides.map((one) => `${one.target}${one.action}${one.since}`).join()}"`;

setInterval(() => send(`event: traffic\ndata: ${JSON.stringify(traffic())}\n\n`), 2_000).unref();
setInterval(() => history.push(sampleNow()), 60_000).unref();
const listener = createServer(answer).listen(Number(process.argv[2] ?? 8099), '127.0.0.1', () => console.log(`http://127.0.0.1:${listener.address().port}/`));
process.stdin.on('data', (text) => String(text).split('\n').forEach(say));
