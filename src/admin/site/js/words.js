// Words, shapes and numbers for people.

import { h, s } from './dom.js';

let skew = 0;
let isUtc = localStorage.getItem('meridian-zone') === 'utc';

/** Notes the server's clock: countdowns run by it. */
export function setSkew(at) {
  skew = at - Date.now();
}

/** Now, by the server's clock; Unix milliseconds, as every moment here. */
export function now() {
  return Date.now() + skew;
}

/** Shows times in UTC, or as this machine has them. */
export function setUtc(value) {
  isUtc = value;
  localStorage.setItem('meridian-zone', value ? 'utc' : 'local');
}

export const utc = () => isUtc;

const zone = () => (isUtc ? { timeZone: 'UTC' } : {});

/** `12:01:07`; with the day if it is another one than today. */
export function clock(at, seconds = true) {
  const day = (moment) => new Date(moment).toLocaleDateString('en-CA', zone());
  const time = new Date(at).toLocaleTimeString('en-GB', { ...zone(), hour: '2-digit', minute: '2-digit', ...(seconds && { second: '2-digit' }) });
  return day(at) === day(now()) ? time : `${day(at).slice(5)} ${time}`;
}

/** A moment as an element, with all of it on hover. */
export function moment(at, seconds = true) {
  return h('time', { datetime: new Date(at).toISOString(), title: new Date(at).toISOString() }, clock(at, seconds));
}

/** `1 h 5 min` of milliseconds, in at most two units; `isShort`: in one. */
export function span(ms, isShort = false) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const [minutes, hours, days] = [60, 3_600, 86_400];
  const two = (big, unit, small, smallUnit, ratio) => {
    const rest = Math.floor((seconds % big) / small);
    return `${Math.floor(seconds / big)} ${unit}${!isShort && rest > 0 && seconds / big < ratio ? ` ${rest} ${smallUnit}` : ''}`;
  };
  if (seconds < minutes) return `${seconds} s`;
  if (seconds < hours) return two(minutes, 'min', 1, 's', 10);
  if (seconds < days) return two(hours, 'h', minutes, 'min', 24);
  return two(days, 'd', hours, 'h', 14);
}

/** A countdown that goes on by itself: `in 2 min 5 s`. */
export function countdown(at) {
  return h('time', { datetime: new Date(at).toISOString(), title: clock(at), 'data-until': at }, until(at));
}

/** An age that goes on by itself: `2 min ago`. */
export function age(at, isShort = false) {
  return h('time', { datetime: new Date(at).toISOString(), title: clock(at), 'data-since': at, 'data-short': isShort }, since(at, isShort));
}

const until = (at) => (at <= now() ? 'now' : `in ${span(at - now())}`);
const since = (at, isShort) => (now() - at < 1_000 ? 'just now' : `${span(now() - at, isShort)} ago`);

/** Brings all countdowns and ages up to date. */
export function tick() {
  const set = (element, text) => element.textContent !== text && (element.textContent = text);
  for (const element of document.querySelectorAll('[data-until]')) set(element, until(Number(element.dataset.until)));
  for (const element of document.querySelectorAll('[data-since]')) set(element, since(Number(element.dataset.since), 'short' in element.dataset));
}

/** `1 endpoint`, `2 endpoints`. */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString('en-US')} ${number === 1 ? one : many}`;
}

/** `a`, `a and b`, `a, b and c`; beyond `most`: `a, b and 7 more`. */
export function list(words, most = 4) {
  const shown = words.length > most + 1 ? [...words.slice(0, most), `${words.length - most} more`] : words;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** A share of 1 as `37 %`. */
export function percent(share) {
  if (share === null || share === undefined || Number.isNaN(share)) return '–';
  const part = share * 100;
  return `${part > 0 && part < 1 ? '<1' : part > 99 && part < 100 ? '>99' : Math.round(part)} %`;
}

/** `12,345`, `9.7`, `0.25`: three digits that matter. */
export function number(value) {
  if (value === null || value === undefined) return '–';
  const digits = Math.abs(value) >= 100 || Number.isInteger(value) ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** Microseconds as milliseconds. */
export function millis(us) {
  if (us === null || us === undefined) return '–';
  return us < 10_000 ? `${(us / 1_000).toFixed(us < 1_000 ? 2 : 1)} ms` : `${Math.round(us / 1_000).toLocaleString('en-US')} ms`;
}

const names = typeof Intl.DisplayNames === 'function' ? new Intl.DisplayNames(['en'], { type: 'region' }) : null;

/** A country's name by its code. */
export function country(code) {
  try {
    return names?.of(code) ?? code;
  } catch {
    return code;
  }
}

/** What a region's state is called and how bad it is: `ok`, `warn`, `bad`, `off`. */
export const STATES = {
  ok: { word: 'well', level: 'ok' },
  degraded: { word: 'degraded', level: 'warn' },
  down: { word: 'down', level: 'bad' },
  drained: { word: 'drained', level: 'off' },
  'forced-down': { word: 'forced down', level: 'off' },
  disabled: { word: 'disabled', level: 'off' },
};

/** A region's state word, whatever a newer server may call it. */
export const stateOf = (key) => STATES[key] ?? { word: key, level: 'warn' };

/** The shape of each state: never the color alone. Paths in a box of 16. */
const SHAPES = {
  ok: ['M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z', 'M4.6 8.2l2.4 2.4 4.4-4.8'],
  degraded: ['M8 1l7.2 13.4H.8z', 'M8 6v4M8 12v.6'],
  down: ['M2 2h12v12H2z', 'M5 5l6 6M11 5l-6 6'],
  drained: ['M8 15L.8 1.6h14.4z', 'M8 4v5M5.8 7L8 9.4 10.2 7'],
  'forced-down': ['M5 1h6l4 4v6l-4 4H5l-4-4V5z', 'M4.5 8h7'],
  disabled: ['M8 1a7 7 0 1 0 0 14A7 7 0 1 0 8 1z', 'M3.4 12.6l9.2-9.2'],
  unknown: ['M8 1l7 7-7 7-7-7z', 'M8 4.6v4M8 10.8v.6'],
};

/** The two paths of a state's shape, for the map. */
export function shape(state) {
  const [outer, inner] = SHAPES[state] ?? SHAPES.unknown;
  return [s('path', { class: 'outer', d: outer }), s('path', { class: 'inner', d: inner })];
}

/** A state's shape beside text. */
export function icon(state) {
  return s('svg', { class: `icon ${state}`, viewBox: '0 0 16 16', width: 16, height: 16, 'aria-hidden': 'true' }, shape(state));
}

/** A state: shape and word. */
export function badge(state, word = stateOf(state).word) {
  return h('span', { class: `badge ${state}` }, icon(state), word);
}

const UP = { true: ['ok', 'up'], false: ['down', 'down'] };

/** Up or down. */
export function upBadge(up) {
  return badge(...UP[Boolean(up)]);
}

/** What the words of `Reason` mean. */
export const REASONS = {
  preferred: 'it ranks first for the client, alone',
  equal: 'it is one of several that rank first; the client’s hash chose',
  failover: 'what ranks above it is not eligible',
  spill: 'what ranks above it is full',
  ramp: 'what ranks above it counts with a part of its share: it is being reintroduced or evacuated',
  trickle: 'it is passive, and a few clients go there on purpose',
  'failback-hold': 'what ranks above it is eligible again, but failback waits',
  'guard-hold': 'the guard suspects our own uplink and holds the last state',
  override: 'an operator’s word took away what ranks above it',
  fallback: 'it is the answer of last resort that the policy names',
  'all-down': 'everything is down, and the policy answers all the same',
};

/** Reasons that are as it should be; all others mean that clients are not where they belong. */
export const isUsual = (reason) => ['preferred', 'equal', 'trickle'].includes(reason);

/** A region's number in the order of the server: its color. */
export function swatch(index, moved = false) {
  const number = (index < 0 ? 0 : index % 8) + 1;
  return s('svg', { class: 'swatch', viewBox: '0 0 12 12', width: 12, height: 12, 'aria-hidden': 'true' },
    s('rect', { width: 12, height: 12, rx: 2, class: `fill${number}` }),
    moved && s('path', { class: 'hatch', d: 'M-1 9L9-1M3 13L13 3' }));
}

/** A share as a bar. */
export function bar(share, kind = '') {
  const width = Math.round(Math.min(1, share || 0) * 60);
  return s('svg', { class: `bar ${kind}`, viewBox: '0 0 60 8', width: 60, height: 8, 'aria-hidden': 'true' },
    s('rect', { class: 'track', width: 60, height: 8, rx: 2 }), s('rect', { class: 'fill', width, height: 8, rx: 2 }));
}
