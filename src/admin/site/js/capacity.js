// Capacity: what each data centre carries against what it should and can, and who is sent on because one is full.

import { h, s, table } from './dom.js';
import { count, list, moment, number, percent, span, swatch } from './words.js';

// Parts that are smaller are rounding, for people.
const LITTLE = 0.005;
// A plan fills a region to its target: what is above by less is as planned.
const ROUNDED = 1.001;
// A plan and what is measured differ by chance and by caches; beyond this it is said.
const APART = 0.05;
// Columns of the matrix; what goes further stands in the words of its row.
const RECEIVERS_MAX = 8;

/** The plan for a region; undefined: there is none. */
const plannedFor = (store, key) => store.plan?.regions.find((one) => one.region === key);

/** Spills that are more than rounding, the largest first. */
export const spillsOf = (store) => (store.plan?.spills ?? []).filter(({ part, demand }) => part >= LITTLE && demand > 0);

/**
 * The load of a region: `{ current, target, max, unit, level, how }`; `how` says whose word it is, where that is not the
 * fresh one of a feed. Null: nobody is to say it and nothing limits it.
 */
export function loadOf(store, region) {
  const { load, capacity } = region;
  const planned = plannedFor(store, region.key);
  const isLimited = load.max !== null;
  const current = load.current ?? (isLimited ? planned?.load : undefined) ?? null;
  // A feed that is lost takes the limits with it that it told.
  if (current === null && !isLimited && load.source === 'answers') return null;
  const unit = load.source === 'answers' || capacity?.unit === 'answers' ? 'answers/s' : '';
  return { current, target: load.target, max: load.max, unit, level: planned?.level ?? null, how: howOf(load, current) };
}

function howOf({ state, source, age_s: age, error }, current) {
  if (state === 'held') return `held: the last reading is ${span((age ?? 0) * 1_000)} old`;
  if (state === 'fresh') return source === 'endpoints' ? 'sum of its endpoints' : '';
  if (source === 'answers') return current === null ? 'not known yet' : 'estimated from our answers, by their TTL';
  return `feed lost${error ? ` (${error})` : ''}: ${current === null ? 'not known' : 'estimated from our answers, by their TTL'}`;
}

/** Where it stands: `ok`, `warn` above target, `bad` above max; null: nobody knows. */
export function levelOf({ current, target, max }) {
  if (current === null || max === null) return null;
  return current > ROUNDED * max ? 'bad' : target !== null && current > ROUNDED * target ? 'warn' : 'ok';
}

const STANDS = { bad: 'above its max', warn: 'above its target', ok: '' };

/** `48 of 50, target 40`, as far as it is known. */
export function loadWords(load) {
  const { current, target, max, unit } = load;
  const now = current === null ? 'unknown' : number(round(current));
  const unitWord = unit ? ` ${unit}` : '';
  if (max === null) return `${now}${unitWord}, no limit known`;
  return `${now} of ${number(max)}${unitWord}${target === null ? '' : `, target ${number(target)}`}`;
}

/** Nobody reads the decimals of a load. */
const round = (value) => (value >= 10 ? Math.round(value) : Math.round(value * 10) / 10);

/** What stands beside the numbers: above what it is, and how it is known. */
export const loadNotes = (load) => [STANDS[levelOf(load)], load.how].filter(Boolean);

const BAR = 96;

/** A load as a bar with its marks: target, and max at the end of the frame. */
export function loadBar({ current, target, max, level }, width = BAR, height = 10) {
  const end = Math.max(max, current ?? 0) * (current > max ? 1 : 1.08) || 1;
  const at = (value) => Math.min(width, (value / end) * width).toFixed(1);
  const tick = (value, kind) => s('line', { class: `tick ${kind}`, x1: at(value), x2: at(value), y1: 0, y2: height });
  return [
    s('rect', { class: 'track', width, height, rx: 2 }),
    current !== null && s('rect', { class: `fill ${levelOf({ current, target, max }) ?? ''}`, y: height / 5, width: at(current), height: (height * 3) / 5, rx: 1 }),
    target !== null && tick(target, 'target'), level !== null && target !== null && level > ROUNDED * target && tick(level, 'level'), tick(max, 'max'),
  ];
}

/** A region's load in a table: bar, numbers, words. */
export function loadCell(store, region) {
  const load = loadOf(store, region);
  if (!load) return h('span', { class: 'dim' }, 'no limit set');
  const notes = loadNotes(load);
  return h('span', { class: 'load' },
    load.max !== null && s('svg', { class: 'loadbar', viewBox: `0 0 ${BAR} 10`, width: BAR, height: 10, 'aria-hidden': 'true' }, loadBar(load)),
    h('span', {}, loadWords(load)),
    notes.length > 0 && h('small', { class: `notes ${levelOf(load) ?? ''}` }, notes.join(' · ')));
}

/** Whom a region sends on and takes, in a table. */
export function spillCell(store, key) {
  const spills = spillsOf(store);
  const lines = [
    ...spills.filter(({ from }) => from === key).map(({ to, part }) => h('li', {}, `${percent(part)} go to ${to}`)),
    ...spills.filter(({ to }) => to === key).map(({ from, demand }) => h('li', {}, `takes ${number(round(demand))}/s of ${from}`)),
  ];
  return lines.length > 0 ? h('ul', {}, lines) : h('span', { class: 'dim' }, 'nobody');
}

/** Why clients of a region are sent on. */
function whyOf(store, key) {
  const region = store.regions.find((one) => one.key === key);
  const planned = plannedFor(store, key);
  const load = region && loadOf(store, region);
  if (!load || !planned || load.max === null) return 'the plan says so';
  const { received, target, level } = planned;
  const alone = aloneOf(planned);
  return [
    `${key} carries ${loadWords(load)}`,
    makesRoom(store, key) && `it makes room for clients of others, ${number(round(received))}/s`,
    alone !== null && alone > target && `all its own clients would be about ${number(round(alone))}`,
    isFull(planned) && `no room elsewhere: filled to ${number(round(level))}`,
    planned.held && 'held as it is: its feed is overdue',
  ].filter(Boolean).join('; ');
}

/** What it would carry with all of its own clients and no others, as far as load follows answers; null: hard to say. */
function aloneOf({ home, shed, received, planned }) {
  const stays = home * (1 - shed) + received;
  return stays > home * 0.05 ? (planned * home) / stays : null;
}

/** A region sends clients on that it had room for, because others are sent to it that can't go further. */
export function makesRoom(store, key) {
  const planned = plannedFor(store, key);
  if (!planned || planned.received <= 0 || planned.target === null) return false;
  const alone = aloneOf(planned);
  return alone !== null && alone <= planned.target;
}

/** A region is to be filled above its target, because nobody else has room. */
export const isFull = ({ level, target, planned }) => level !== null && target !== null && level > ROUNDED * target && planned > target;

const METHODS = {
  home: 'nobody has to be sent elsewhere',
  optimal: 'optimal: all data centres solved together',
  waterfall: 'waterfall: nearest first, because the whole was too large to be solved at once',
};

/** The panel of the World page; `rates`: answers a second by region, as they are measured. */
export function capacityPanel(store, rates) {
  const { plan } = store;
  if (!plan) return h('p', { class: 'none' }, 'The plan could not be read.');
  if (plan.at === null) return h('p', { class: 'none' }, 'Nothing is planned: no data centre has a capacity, or there was no demand yet.');
  const spills = spillsOf(store);
  const full = plan.regions.filter(isFull).map(({ region }) => region);
  return [
    h('dl', { class: 'facts' },
      fact('Method', METHODS[plan.method] ?? plan.method),
      fact('Demand', `${number(round(plan.demand))} answers/s of ${count(plan.classes, 'class', 'classes')} of clients`),
      fact('Still to move', plan.pending < LITTLE * plan.demand ? 'nothing' : `${number(round(plan.pending))} answers/s, step by step as caches follow`),
      fact('Way of a spilled answer', spills.length === 0 ? 'none is spilled' : `${number(Math.round(plan.extra_km))} km further on average`),
      fact('Planned', moment(plan.at))),
    full.length > 0 && h('p', { class: 'caution' }, `${list(full)} ${full.length === 1 ? 'is' : 'are'} filled above target: nobody their clients may go to has room.`),
    h('div', { class: 'halves' },
      h('div', {}, h('h3', {}, 'Spills: whose clients go where'), matrix(store, spills)),
      h('div', {}, h('h3', {}, 'Plan and measurement'), comparison(store, rates))),
  ];
}

const fact = (term, ...what) => h('div', {}, h('dt', {}, term), h('dd', {}, what));

function matrix(store, spills) {
  const by = (key) => [...new Set(spills.map((spill) => spill[key]))];
  const sum = (to) => spills.reduce((all, spill) => all + (spill.to === to ? spill.demand : 0), 0);
  const to = by('to').sort((a, b) => sum(b) - sum(a)).slice(0, RECEIVERS_MAX);
  const index = (key) => store.regions.findIndex((region) => region.key === key);
  const rows = by('from').map((from) => {
    const mine = spills.filter((spill) => spill.from === from);
    const further = mine.filter((spill) => !to.includes(spill.to)).map((spill) => `${percent(spill.part)} to ${spill.to}`);
    return h('tr', { 'data-key': from }, h('th', { scope: 'row' }, swatch(index(from)), ' ', from),
      to.map((key) => {
        const spill = mine.find((one) => one.to === key);
        return h('td', { class: 'n' }, spill ? [h('b', {}, percent(spill.part)), h('span', { class: 'dim' }, ` · ${number(round(spill.demand))}/s`)] : h('span', { class: 'dim' }, '–'));
      }),
      h('td', { class: 'why' }, [whyOf(store, from), ...further].join('; ')));
  });
  return table('Spills: rows are the full data centres, columns those that take their clients; part of all clients of the row, answers a second', [['From \\ to'], ...to.map((key) => [key, 'n']), ['Why']], rows, { none: 'Nobody is sent elsewhere.' });
}

function comparison(store, rates) {
  const { plan } = store;
  const all = [...rates.values()].reduce((sum, rate) => sum + rate, 0);
  const answered = ({ home, shed, received }) => home * (1 - shed) + received;
  const rows = plan.regions.map((one) => {
    const index = store.regions.findIndex((region) => region.key === one.region);
    const share = plan.demand > 0 ? answered(one) / plan.demand : null;
    const measured = all > 0 ? (rates.get(one.region) ?? 0) / all : null;
    return h('tr', { 'data-key': one.region }, h('th', { scope: 'row' }, swatch(index), ' ', one.region),
      h('td', { class: 'n' }, one.target === null ? '–' : number(round(one.planned))),
      h('td', { class: 'n' }, one.fed !== null ? number(round(one.fed)) : one.target === null ? '–' : `about ${number(round(one.load))}`),
      h('td', { class: 'n' }, percent(share)), h('td', { class: 'n' }, percent(measured)),
      h('td', { class: 'dim' }, apart(one, share, measured)));
  });
  return table('Planned and measured load, planned and measured share of answers', [['Data centre'], ['Planned load', 'n'], ['Measured', 'n'], ['Planned share', 'n'], ['Measured', 'n'], ['Shares are']], rows, { none: 'no data centre' });
}

function apart({ held }, share, measured) {
  const words = share === null || measured === null ? 'not comparable: no answers' : Math.abs(share - measured) < APART ? 'alike' : measured > share ? 'apart: more than planned' : 'apart: less than planned';
  return held ? `${words}; held, its feed is overdue` : words;
}

/** Loads before and after something that is not done yet: `changes` of a preview. */
export function foreseen(store, changes) {
  const rows = changes.map((one) => {
    const load = { current: one.then, target: one.target, max: one.max, level: one.level, unit: '', how: '' };
    const stands = STANDS[levelOf(load)];
    return h('tr', { 'data-key': one.region },
      h('th', { scope: 'row' }, swatch(store.regions.findIndex((region) => region.key === one.region)), ' ', one.region),
      h('td', { class: 'n' }, number(round(one.now))),
      h('td', {}, h('span', { class: 'load' }, s('svg', { class: 'loadbar', viewBox: `0 0 ${BAR} 10`, width: BAR, height: 10, 'aria-hidden': 'true' }, loadBar(load)), h('span', {}, loadWords(load)),
        stands && h('small', { class: `notes ${levelOf(load)}` }, `${stands}${one.level > ROUNDED * one.target ? ': nobody else has room' : ''}`))));
  });
  return table('Loads before and after', [['Data centre'], ['Load now', 'n'], ['Then']], rows);
}
