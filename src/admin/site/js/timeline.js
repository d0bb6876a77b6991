// Timeline: shares and states over minutes to days, what happened, and how everything stood at a moment picked.

import { get } from './api.js';
import { color, h, render, s, select, table } from './dom.js';
import { GROUPS, groupOf, line, shapeOf, total } from './events.js';
import { clearLoads, drawLoads, loadThen, redrawLoads } from './loads.js';
import { store } from './store.js';
import { age, badge, bar, clock, moment, now, percent, span, stateOf, swatch, utc } from './words.js';

const MINUTE = 60_000;
const SPANS = [[15 * MINUTE, '15 min'], [60 * MINUTE, '1 h'], [360 * MINUTE, '6 h'], [1_440 * MINUTE, '24 h'], [10_080 * MINUTE, '7 d']];
const EVENTS_MAX = 1_000;
const CAUSES = 4;
const CHART_HEIGHT = 200;
const LANE = 22;
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [14, 4], [1, 4], [6, 2, 1, 2]];

let parts = null;
let chart = null;
let view = { span: 60 * MINUTE, picked: null, samples: [], events: [], from: 0, to: 0, loaded: 0 };
let filters = { region: '', group: '', severity: '', text: '' };
let library = null;

/** uPlot is a classic script: it leaves a global. */
function loadLibrary() {
  library ??= new Promise((resolve, reject) => {
    document.head.append(h('link', { rel: 'stylesheet', href: 'assets/vendor/uplot/uPlot.min.css' }));
    const script = h('script', { src: 'assets/vendor/uplot/uPlot.iife.min.js' });
    script.addEventListener('load', () => resolve(window.uPlot));
    script.addEventListener('error', () => {
      library = null;
      reject(new Error('the charts cannot be read'));
    });
    document.head.append(script);
  });
  return library;
}

export function open(main, parameters, isOther) {
  if (!isOther) return;
  if (parameters.has('region')) filters.region = parameters.get('region');
  parts = {
    spans: h('div', { class: 'choice', role: 'group', 'aria-label': 'How far back' }),
    legend: h('div', {}), chart: h('div', { class: 'chart', 'aria-hidden': 'true' }),
    lanes: h('div', { class: 'lanes' }), loads: h('div', {}),
    slider: h('input', { type: 'range', class: 'slider', step: 'any', 'aria-label': 'Moment', oninput: (event) => pick(Number(event.target.value)), onkeydown: step }),
    then: h('section', { class: 'card', 'aria-live': 'polite' }), filters: h('div', { class: 'filters' }), list: h('div', {}),
    problem: h('p', { class: 'problem', role: 'alert' }),
  };
  main.append(
    h('h1', { class: 'unseen' }, 'Timeline'),
    h('section', { class: 'card' }, h('div', { class: 'head' }, h('h2', {}, 'Share of answers'), parts.spans), parts.problem, parts.legend, parts.chart, parts.lanes, parts.slider,
      h('p', { class: 'foot dim' }, 'Click or use the slider to pick a moment; arrow keys go from sample to sample.')),
    h('section', { class: 'card' }, h('h2', {}, 'Load against target and max'), parts.loads),
    h('div', { class: 'halves' }, parts.then, h('section', { class: 'card' }, h('h2', {}, 'What happened'), parts.filters, parts.list)));
  watch.observe(parts.chart);
  load();
}

export function close() {
  watch.disconnect();
  clearLoads();
  chart?.destroy();
  [parts, chart] = [null, null];
}

let width = 0;
const watch = new ResizeObserver(([entry]) => {
  if (Math.abs(entry.contentRect.width - width) < 1) return;
  width = entry.contentRect.width;
  draw();
});

export function restyle() {
  draw();
}

export function update(what) {
  if (!parts || what === 'traffic') return;
  if (what === 'event') {
    const newest = store.events[0];
    if (newest && !view.events.some((event) => event.seq === newest.seq)) view.events = [newest, ...view.events];
    return showEvents();
  }
  const isOld = now() - view.loaded > 30_000 || view.generation !== store.status?.generation;
  if (isOld) load();
  else showAll();
}

async function load() {
  const mine = parts;
  const to = Math.round(now());
  const from = to - view.span;
  view.loaded = now();
  view.generation = store.status?.generation;
  try {
    const [history, events] = await Promise.all([get('history', { from, to }), get('events', { from, to, limit: EVENTS_MAX })]);
    if (parts !== mine) return;
    Object.assign(view, { samples: history.samples, events: events.reverse(), from, to });
    parts.problem.textContent = '';
  } catch (problem) {
    if (parts === mine) parts.problem.textContent = `The history could not be read: ${problem.message}.`;
    return;
  }
  await draw();
}

async function draw() {
  if (!parts) return;
  const mine = parts;
  const uPlot = await loadLibrary();
  if (parts !== mine) return;
  showAll();
  drawChart(uPlot);
  drawLanes();
  drawLoads(uPlot, parts.loads, view, keys(), { axis: axisStyle(), times: times(), tzDate: dateOf(uPlot), clockAxis, mark: drawPicked, pick });
}

const times = () => view.samples.map((sample) => sample.at / 1_000);

const dateOf = (uPlot) => (at) => (utc() ? uPlot.tzDate(new Date(at * 1e3), 'Etc/UTC') : new Date(at * 1e3));

function axisStyle() {
  const [ink, grid] = [color('--dim'), color('--line')];
  return { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui, sans-serif' };
}

function showAll() {
  render(parts.spans, SPANS.map(([ms, text]) => h('button', { type: 'button', 'aria-pressed': String(ms === view.span), onclick: () => { view.span = ms; view.picked = null; load(); } }, text)));
  showThen();
  showEvents();
}

const keys = () => [...new Set([...store.regions.map((region) => region.key), ...view.samples.flatMap((sample) => sample.regions.map((region) => region.key))])];

function drawChart(uPlot) {
  const all = keys();
  render(parts.legend, h('ul', { class: 'legend' }, all.map((key, index) => h('li', {}, dash(index), key))));
  chart?.destroy();
  chart = null;
  const of = (sample, key) => sample.regions.find((region) => region.key === key)?.share ?? null;
  // A share is that of the time since the sample before: the step begins there.
  const shareFrom = (index, key) => of(view.samples[Math.min(index + 1, view.samples.length - 1)], key);
  const lines = all.map((key) => view.samples.map((_, index) => shareFrom(index, key)));
  if (!lines.flat().some((share) => share !== null)) {
    render(parts.chart, h('p', { class: 'none' }, 'No queries were answered in this time.'));
    return;
  }
  parts.chart.replaceChildren();
  const axis = axisStyle();
  chart = new uPlot({
    width: Math.max(280, width), height: CHART_HEIGHT, legend: { show: false }, cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    tzDate: dateOf(uPlot),
    scales: { x: { time: true, range: [view.from / 1e3, view.to / 1e3] }, y: { range: (_, _min, max) => [0, Math.min(1, Math.max(0.2, max * 1.15))] } },
    axes: [{ ...axis, values: clockAxis }, { ...axis, size: 52, values: (_, values) => values.map((value) => percent(value)) }],
    series: [{}, ...all.map((key, index) => ({ label: key, stroke: color(`--r${(index % 8) + 1}`), width: 2, dash: DASHES[index % 8], points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) }))],
    hooks: { draw: [drawPicked], ready: [drawLanes] },
  }, [times(), ...lines], parts.chart);
  chart.over.addEventListener('click', () => pick(chart.posToVal(chart.cursor.left, 'x') * 1e3));
}

function clockAxis(_, values) {
  const isLong = view.span > 1_440 * MINUTE;
  const zone = utc() ? { timeZone: 'UTC' } : {};
  const format = isLong ? { month: 'short', day: 'numeric' } : { hour: '2-digit', minute: '2-digit' };
  return values.map((value) => new Date(value * 1e3).toLocaleString('en-GB', { ...format, ...zone }));
}

function drawPicked(plot) {
  if (view.picked === null) return;
  const x = Math.round(plot.valToPos(view.picked / 1e3, 'x', true));
  const { top, height } = plot.bbox;
  plot.ctx.save();
  plot.ctx.strokeStyle = color('--accent');
  plot.ctx.lineWidth = 2 * devicePixelRatio;
  plot.ctx.beginPath();
  plot.ctx.moveTo(x, top);
  plot.ctx.lineTo(x, top + height);
  plot.ctx.stroke();
  plot.ctx.restore();
}

/** A line as the chart draws it. */
function dash(index) {
  return s('svg', { viewBox: '0 0 28 8', width: 28, height: 8, 'aria-hidden': 'true' },
    s('path', { d: 'M0 4H28', class: `stroke${(index % 8) + 1}`, 'stroke-width': 2, 'stroke-dasharray': DASHES[index % 8].join(' ') || null }));
}

/** One lane a region: its state over time, as shade and texture, and the events on top. */
function drawLanes() {
  const all = keys();
  const [left, right] = chart ? [chart.bbox.left / devicePixelRatio, (chart.bbox.left + chart.bbox.width) / devicePixelRatio] : [52, width];
  const at = (time) => left + ((time - view.from) / (view.to - view.from)) * (right - left);
  const height = all.length * LANE;
  const lanes = all.map((key, row) => {
    const runs = runsOf(key).map(({ state, from, to }) => {
      const [x1, x2] = [Math.max(left, at(from)), Math.min(right, Math.max(at(to), at(from) + 2))];
      if (x2 <= x1) return null;
      return s('g', {}, s('title', {}, `${key} ${stateOf(state).word} ${clock(from)} to ${clock(to)}`),
        s('rect', { class: `lane ${state}`, x: x1.toFixed(1), y: row * LANE + 3, width: (x2 - x1).toFixed(1), height: LANE - 6 }),
        state !== 'ok' && x2 - x1 > 70 && s('text', { x: (x1 + 6).toFixed(1), y: row * LANE + 15, class: 'lane-word' }, stateOf(state).word));
    });
    const marks = view.events.filter((event) => event.region === key || event.target === key).map((event) =>
      s('path', { class: `mark ${shapeOf(event)}`, d: `M${at(event.at).toFixed(1)} ${row * LANE + 1}v${LANE - 2}` }));
    return [s('text', { x: 0, y: row * LANE + 15, class: 'lane-name' }, key), runs, marks];
  });
  const pickedAt = view.picked === null ? null : at(view.picked).toFixed(1);
  render(parts.lanes, s('svg', { width: Math.max(280, width), height, role: 'img', 'aria-label': 'State of each data centre over time. The slider below reads it moment by moment.' },
    lanes, pickedAt && s('path', { class: 'pick', d: `M${pickedAt} 0V${height}` })));
  [parts.slider.min, parts.slider.max] = [view.from, view.to];
  parts.slider.style.marginLeft = `${left}px`;
  parts.slider.style.width = `${right - left}px`;
  parts.slider.value = view.picked ?? view.to;
  const sample = sampleAt();
  parts.slider.setAttribute('aria-valuetext', sample ? `${clock(sample.at)}: ${sample.regions.map((region) => `${region.key} ${stateOf(region.state).word}`).join(', ')}` : 'no history yet');
}

/** Times in which a region did not change its state. */
function runsOf(key) {
  const runs = [];
  view.samples.forEach((sample, index) => {
    const state = sample.regions.find((region) => region.key === key)?.state;
    if (!state) return;
    const to = view.samples[index + 1]?.at ?? view.to;
    const last = runs.at(-1);
    if (last && last.state === state && last.to === sample.at) last.to = to;
    else runs.push({ state, from: sample.at, to });
  });
  return runs;
}

function pick(at) {
  if (at === undefined || !parts) return;
  view.picked = at;
  chart?.redraw(false);
  redrawLoads();
  drawLanes();
  showThen();
}

const STEPS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10, Home: -Infinity, End: Infinity };

/** Keys go from sample to sample. */
function step(event) {
  const by = STEPS[event.key];
  if (by === undefined || view.samples.length === 0) return;
  event.preventDefault();
  const last = view.samples.length - 1;
  const from = view.picked === null ? last : view.samples.indexOf(sampleAt());
  pick(view.samples[Math.min(last, Math.max(0, from + by))].at);
}

const sampleAt = () => (view.picked === null ? view.samples.at(-1) : view.samples.findLast((sample) => sample.at <= view.picked) ?? view.samples[0]);

function showThen() {
  const sample = sampleAt();
  if (!sample) return render(parts.then, h('h2', {}, 'As it stood'), h('p', { class: 'none' }, 'No history yet: the first sample comes within a minute.'));
  const isNow = view.picked === null;
  const at = isNow ? view.to : view.picked;
  const all = keys();
  const rows = sample.regions.map((region) => h('tr', { 'data-key': region.key },
    h('th', { scope: 'row' }, swatch(all.indexOf(region.key)), ' ', region.key), h('td', {}, badge(region.state)),
    h('td', { class: 'n' }, `${region.eligible} of ${region.services}`), h('td', { class: 'n' }, `${region.up} of ${region.endpoints}`),
    h('td', { class: 'bars' }, bar(region.share), percent(region.share)), h('td', {}, loadThen(region.load))));
  const before = view.events.filter((event) => event.at <= at).slice(0, CAUSES);
  return render(parts.then,
    h('div', { class: 'head' }, h('h2', {}, 'As it stood ', isNow ? 'last' : moment(at)), !isNow && h('button', { type: 'button', class: 'quiet', onclick: () => { view.picked = null; load(); } }, 'Back to now')),
    table('Data centres at that moment', [['Data centre'], ['State'], ['Eligible', 'n'], ['Up', 'n'], ['Share', 'bars'], ['Load']], rows),
    h('p', { class: 'foot dim' }, `Generation ${sample.generation}, sample of ${clock(sample.at)}`),
    h('h3', {}, 'What led to it'),
    before.length > 0 ? h('ul', { class: 'events' }, before.map((event) => line(event))) : h('p', { class: 'none' }, `Nothing in the ${span(view.span)} before.`));
}

function fits(event) {
  const { region, group, severity, text } = filters;
  const isAbout = !region || [event.region, event.target?.split('/').at(-1), event.target].includes(region) || event.target?.split('/').includes(region);
  const matters = !severity || event.severity === 'error' || (severity === 'warning' && event.severity === 'warning');
  return isAbout && matters && (!group || groupOf(event) === group) && (!text || JSON.stringify(event).toLowerCase().includes(text));
}

function showEvents() {
  const set = (name) => (event) => { filters = { ...filters, [name]: event.target.value.toLowerCase() }; showEvents(); };
  if (parts.filters.childElementCount === 0 || parts.regionCount !== store.regions.length) {
    parts.regionCount = store.regions.length;
    parts.filters.replaceChildren(
      h('label', {}, h('span', { class: 'unseen' }, 'Data centre'), select('region', [['', 'Every data centre'], ...store.regions.map(({ key }) => [key, key])], filters.region, (event) => { filters.region = event.target.value; showEvents(); })),
      h('label', {}, h('span', { class: 'unseen' }, 'Kind'), select('group', GROUPS, filters.group, set('group'))),
      h('label', {}, h('span', { class: 'unseen' }, 'Severity'), select('severity', [['', 'Any severity'], ['warning', 'Warnings and urgent'], ['error', 'Urgent']], filters.severity, set('severity'))),
      h('input', { type: 'search', placeholder: 'Text', 'aria-label': 'Show only events with this text', value: filters.text, oninput: set('text') }));
  }
  const shown = view.events.filter(fits);
  const capped = view.events.length >= EVENTS_MAX ? ', the latest of more' : '';
  render(parts.list,
    h('p', { class: 'foot dim', role: 'status' }, `${total(shown)} in the last ${span(view.span)}${capped}`, shown[0] && [', the latest ', age(shown[0].at)]),
    h('div', { class: 'tall', 'data-label': 'Events' }, h('ul', { class: 'events' }, shown.map((event) => line(event)))));
}
