// What the page knows, how old it is, and who wants to hear of it.

import { get, versioned } from './api.js';
import { follow } from './live.js';
import { setSkew } from './words.js';

// Events that are kept here; the timeline asks the server for older ones.
const EVENTS_MAX = 500;
const EVENTS_LOADED = 200;
// Several generations in a row are one change to look at.
const SETTLE_MS = 200;
const REFRESH_MS = 5_000;
const TRAFFIC_MAX = 300;

const listeners = new Set();

export const store = {
  status: null,
  regions: [],
  services: [],
  overrides: [],
  overridesVersion: null,
  guard: null,
  targets: new Map(),
  world: null,
  /** Who takes what another cannot. */
  plan: null,
  /** The service that the map shows; null: the first. */
  service: null,
  traffic: null,
  /** The last minutes of `traffic`. */
  rates: [],
  server: null,
  /** The latest first. */
  events: [],
  connection: { live: 'connecting', heard: null },
  /** When what is shown was read, by this machine's clock. */
  read: null,
  problem: null,
};

/** Calls `listener(what)` at each change: `data`, `traffic`, `event` or `connection`. */
export function listen(listener) {
  listeners.add(listener);
}

function tell(what) {
  for (const listener of listeners) listener(what);
}

let stream = null;

/** Reads everything and follows the stream. */
export function start() {
  refresh();
  stream = follow(hear, (connection) => {
    const before = store.connection.live;
    store.connection = { ...store.connection, ...connection };
    if (connection.live === 'live' && before !== 'live' && before !== 'connecting') refreshSoon();
    tell('connection');
  });
}

/** Tries the connection now, and reads all again. */
export function retry() {
  stream?.retry();
  refreshSoon();
}

function hear(kind, data) {
  if (kind === 'event') {
    remember([data]);
    tell('event');
    // Loads and plans make no new generation.
    if (/^(feed|spill)_/.test(data.kind)) refreshSoon();
  } else if (kind === 'state') {
    refreshSoon();
  } else if (kind === 'traffic') {
    setSkew(data.at);
    store.traffic = data;
    store.rates.push(data);
    if (store.rates.length > TRAFFIC_MAX) store.rates.shift();
    tell('traffic');
  }
}

function remember(entries) {
  const known = new Map([...store.events, ...entries].map((entry) => [entry.seq, entry]));
  store.events = [...known.values()].sort((a, b) => b.seq - a.seq).slice(0, EVENTS_MAX);
}

/** Chooses the service that the map shows. */
export function choose(service) {
  store.service = service;
  refreshSoon();
}

let due = null;
let missing = null;
let running = null;

/** Reads everything again, once for all who ask within a moment. */
function refreshSoon(wait = SETTLE_MS) {
  clearTimeout(due);
  due = setTimeout(refresh, wait);
}

/** Reads everything again; done when it is read. */
export async function refresh() {
  clearTimeout(due);
  // What began to be read before may be of before: whoever waits gets what is read from here on.
  while (running) await running;
  clearTimeout(due);
  let done;
  running = new Promise((resolve) => { done = resolve; });
  const begun = performance.now();
  try {
    missing = null;
    await readAll();
    store.read = Date.now();
    store.problem = missing;
  } catch (problem) {
    store.problem = problem;
  }
  running = null;
  done();
  tell('data');
  // What only time changes (outcomes of probes, countdowns) is read again, but never so often that it is a burden.
  const pause = document.hidden ? 6 * REFRESH_MS : REFRESH_MS;
  refreshSoon(Math.max(pause, 20 * (performance.now() - begun)));
}

async function readAll() {
  const isFirst = store.status === null;
  const side = Promise.all([
    lenient('server', () => get('server')),
    lenient('plan', () => get('plan')),
    isFirst && lenient('traffic', () => get('traffic')),
    isFirst && latest().then(remember, noted),
  ]);
  const [status, overrides] = await Promise.all([get('status'), versioned('overrides')]);
  setSkew(status.at);
  const { regions, services } = status;
  Object.assign(store, { status, regions, services, guard: status.guard, overrides: overrides.body, overridesVersion: overrides.version });
  store.targets = new Map(status.targets.map((target) => [target.key, target]));
  store.service = services.some(({ key }) => key === store.service) ? store.service : telling(services);
  if (isFirst) tell('data');
  await Promise.all([side, store.service === null ? null : lenient('world', () => get('world', { service: store.service }))]);
}

/** The service whose map tells most: one that sends each client to its nearest region. */
function telling(services) {
  const near = services.find((service) => service.prefer === 'geo' && service.regions.length > 1);
  return (near ?? services[0])?.key ?? null;
}

/** What a page can do without for a while; that it is missing is shown all the same. */
async function lenient(name, read) {
  try {
    store[name] = await read();
  } catch (problem) {
    noted(problem);
  }
}

function noted(problem) {
  missing = problem;
}

/** The last events: without `since` the server gives the latest. */
async function latest() {
  return get('events', { limit: EVENTS_LOADED });
}
