// Loads over time: one small chart for each data centre that has a load, against its target and its max.

import { color, h, render, s } from './dom.js';
import { loadWords } from './capacity.js';
import { clock, count, percent, swatch } from './words.js';

const HEIGHT = 130;
// More charts than a screen has room for; those that are nearest to their max are shown.
const SHOWN_MAX = 12;
const DASH_TARGET = [6, 4];
// As wide as that of the shares, so that moments stand above each other at 360 pixels.
const AXIS = 52;
const AXIS_BELOW = 28;

let plots = [];

/** Takes all charts away. */
export function clearLoads() {
  for (const { plot } of plots) plot.destroy();
  plots = [];
}

/** Marks the picked moment anew. */
export function redrawLoads() {
  for (const { plot } of plots) plot.redraw(false);
}

const loadIn = (sample, key) => sample.regions.find((region) => region.key === key)?.load ?? null;
const partOf = (load) => (load?.max > 0 ? load.current / load.max : null);

/** What is known of a data centre in these samples; null: no load. */
function courseOf(samples, key, index) {
  const loads = samples.map((sample) => loadIn(sample, key));
  if (!loads.some(Boolean)) return null;
  const most = samples.reduce((best, sample, at) => (loads[at] && (best === null || measure(loads[at]) > measure(best.load)) ? { at: sample.at, load: loads[at] } : best), null);
  const above = loads.filter((load) => load?.target != null && load.current > load.target).length;
  return { key, index, loads, most, above, last: loads.findLast(Boolean) };
}

/** By how full it was; without a limit, by the load itself. */
const measure = (load) => partOf(load) ?? load.current;

/**
 * Draws all of it into `parent`. `view`: `{ from, to, samples }`; `keys`: the data centres in the order of their colors;
 * `axes`: what all charts have in common, `mark` draws the picked moment, `pick` takes another.
 */
export function drawLoads(uPlot, parent, view, keys, { axis, times, tzDate, clockAxis, mark, pick }) {
  clearLoads();
  const all = keys.map((key, index) => courseOf(view.samples, key, index)).filter(Boolean);
  const fullest = [...all].sort((a, b) => measure(b.most.load) - measure(a.most.load)).slice(0, SHOWN_MAX);
  const shown = all.filter((course) => fullest.includes(course));
  if (all.length === 0) {
    render(parent, h('p', { class: 'none' }, 'No load is known: no data centre has a capacity or a load feed.'));
    return;
  }
  render(parent,
    h('ul', { class: 'legend' }, h('li', {}, line('stroke-load', null), 'load'), h('li', {}, line('stroke-target', DASH_TARGET), 'target'), h('li', {}, line('stroke-max', null), 'max')),
    h('div', { class: 'loads' }, shown.map((course) => h('figure', { 'data-key': course.key },
      h('figcaption', {}, swatch(course.index), ' ', h('b', {}, course.key), ' ', words(course, view)),
      h('div', { class: 'chart', 'data-own': true, 'aria-hidden': 'true' })))),
    all.length > shown.length && h('p', { class: 'foot dim' }, `The ${SHOWN_MAX} fullest of ${count(all.length, 'data centre')}; the table below has all.`));
  for (const course of shown) {
    const place = parent.querySelector(`figure[data-key="${CSS.escape(course.key)}"] .chart`);
    place.replaceChildren();
    const of = (what) => course.loads.map((load) => load?.[what] ?? null);
    const series = [
      {}, { label: 'load', stroke: color(`--r${(course.index % 8) + 1}`), width: 2, points: { show: false } },
      { label: 'target', stroke: color('--ink'), width: 1.5, dash: DASH_TARGET, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) },
      { label: 'max', stroke: color('--bad'), width: 1.5, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) },
    ];
    const plot = new uPlot({
      width: Math.max(240, place.clientWidth), height: HEIGHT, legend: { show: false }, cursor: { y: false, points: { show: false }, drag: { x: false, y: false } }, tzDate,
      scales: { x: { time: true, range: [view.from / 1e3, view.to / 1e3] }, y: { range: (_, _min, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [{ ...axis, size: AXIS_BELOW, values: clockAxis, space: 64 }, { ...axis, size: AXIS, space: 28, values: (_, values) => values.map(short) }],
      series, hooks: { draw: [mark] },
    }, [times, of('current'), of('target'), of('max')], place);
    plot.over.addEventListener('click', () => pick(plot.posToVal(plot.cursor.left, 'x') * 1e3));
    plots.push({ key: course.key, plot });
  }
}

/** The chart in words, for those who do not see it. */
function words({ loads, most, above, last }, { samples }) {
  const part = partOf(most.load);
  const text = [
    loadWords({ ...last, unit: '' }),
    part === null ? `at most ${loadWords({ ...most.load, target: null, max: null, unit: '' }).split(',')[0]} at ${clock(most.at, false)}` : `at most ${percent(part)} of max at ${clock(most.at, false)}`,
    above > 0 && `above target in ${above} of ${count(loads.filter(Boolean).length, 'sample')}`,
    loads.length > 0 && loads[samples.length - 1] === null && 'not known now',
  ].filter(Boolean);
  return h('span', { class: part > 1 ? 'notes bad' : above > 0 ? 'notes warn' : 'dim' }, text.join(' · '));
}

/** `1.2k` for an axis. */
const short = (value) => value.toLocaleString('en-US', { notation: 'compact', maximumFractionDigits: 1 });

const line = (kind, dash) => s('svg', { viewBox: '0 0 28 8', width: 28, height: 8, 'aria-hidden': 'true' },
  s('path', { d: 'M0 4H28', class: kind, 'stroke-width': 2, 'stroke-dasharray': dash?.join(' ') ?? null }));

/** A load of a sample in a table. */
export const loadThen = (load) => (load ? loadWords({ ...load, unit: '' }) : h('span', { class: 'dim' }, 'not known'));
