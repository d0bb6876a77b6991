// The map: countries shaded by the region that answers them now, regions as markers, arcs where clients are not where
// they belong.

import { loadBar, loadNotes, loadWords } from './capacity.js';
import { h, render, s } from './dom.js';
import { project } from './project.js';
import { country, isUsual, number, percent, shape, stateOf } from './words.js';

// A region with this share of a country's clients is the one that answers it.
const MOST = 0.6;
// More arcs than these are drawn fainter.
const ARCS_CLEAR = 30;

let world = null;

/** Reads the map, once; after a failure again. */
export function loadMap() {
  world ??= readMap().catch((problem) => {
    world = null;
    throw problem;
  });
  return world;
}

async function readMap() {
  const answer = await fetch('assets/vendor/world/world.json');
  if (!answer.ok) throw new Error(`the map cannot be read: ${answer.status}`);
  return answer.json();
}

/**
 * A map as an element, and what brings it up to date. `go(code)` is called when a country is clicked, `point(text)`
 * with words about what the pointer is on.
 */
export function makeMap(map, { go, point }) {
  const lands = new Map();
  const land = s('g', { class: 'lands' });
  for (const [code, d] of Object.entries(map.countries)) lands.set(code, s('path', { d, 'data-code': code, class: 'land' }));
  for (const [code, [cx, cy]] of Object.entries(map.points)) {
    if (!lands.has(code)) lands.set(code, s('circle', { cx, cy, r: 3.5, 'data-code': code, class: 'land dot' }));
  }
  land.append(...lands.values());
  const layers = Object.fromEntries(['moved', 'arcs', 'leaders', 'spills', 'markers'].map((name) => [name, s('g', { class: name })]));
  const pattern = s('pattern', { id: 'moved-hatch', width: 9, height: 9, patternUnits: 'userSpaceOnUse', patternTransform: 'rotate(45)' },
    s('rect', { class: 'hatch-line', width: 3, height: 9 }));
  const head = s('marker', { id: 'spill-head', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 8, markerHeight: 8, markerUnits: 'userSpaceOnUse', orient: 'auto' }, s('path', { class: 'spill-head', d: 'M0 0L8 4L0 8z' }));
  // The table says the same.
  layers.spills.setAttribute('aria-hidden', 'true');
  const svg = s('svg', { class: 'map', viewBox: `0 0 ${map.width} ${map.height}`, role: 'group', 'aria-label': 'Map of the world. The tables below say the same.' },
    s('defs', {}, pattern, head), land, layers.moved, layers.arcs, layers.leaders, layers.spills, layers.markers);
  const known = { countries: new Map(), regions: [] };
  const codeAt = (event) => event.target.closest?.('[data-code]')?.dataset.code;
  svg.addEventListener('click', (event) => codeAt(event) && go(codeAt(event)));
  svg.addEventListener('pointermove', (event) => {
    const code = codeAt(event);
    if (code) point(countryWords(code, known.countries.get(code)));
  });
  svg.addEventListener('pointerleave', () => point(''));
  const highlight = (key) => {
    svg.classList.toggle('picked', key !== null);
    for (const [code, element] of lands) {
      const gets = known.countries.get(code)?.regions.some(([region]) => region === key);
      element.classList.toggle('pick', key !== null && Boolean(gets));
    }
  };
  return {
    element: svg,
    update(view) {
      known.countries = new Map(view.countries.map((entry) => [entry.country, entry]));
      known.regions = view.regions;
      shade(lands, known);
      drawMoved(map, layers, known);
      drawMarkers(map, layers, svg.clientWidth, view, highlight, point);
    },
  };
}

/** What a country gets, in words. */
function countryWords(code, entry) {
  if (!entry) return `${country(code)}: nobody knows`;
  return `${country(code)}: ${regionWords(entry.regions)} · ${entry.reason}`;
}

/** `fra`, or `fra 60 %, ams 40 %`. */
export function regionWords(regions) {
  if (regions.length === 0) return 'no region';
  return regions.length === 1 ? regions[0][0] : regions.map(([key, share]) => `${key} ${percent(share)}`).join(', ');
}

/** Several regions share its clients, and none has most of them. */
const isMixed = (regions) => regions.length > 1 && regions.every(([, share]) => share < MOST);

const most = (regions) => regions.reduce((best, one) => (one[1] > best[1] ? one : best), ['', -1])[0];

function shade(lands, known) {
  const order = new Map(known.regions.map((region, index) => [region.key, (index % 8) + 1]));
  for (const [code, element] of lands) {
    const entry = known.countries.get(code);
    const number = !entry ? 0 : isMixed(entry.regions) ? 'mix' : (order.get(most(entry.regions)) ?? 0);
    const name = `${element.nodeName === 'circle' ? 'land dot' : 'land'} fill${number}`;
    const picked = element.classList.contains('pick') ? ' pick' : '';
    if (element.getAttribute('class') !== name + picked) element.setAttribute('class', name + picked);
  }
}

/** Countries that do not get what they should: hatched, with an arc to the region that answers them. */
function drawMoved(map, layers, known) {
  const at = new Map(known.regions.filter((region) => region.location).map((region) => [region.key, project(region.location.lon, region.location.lat)]));
  const moved = [...known.countries.values()].filter((entry) => !isUsual(entry.reason));
  render(layers.moved, moved.map(({ country: code }) => map.countries[code] &&
    s('path', { d: map.countries[code], fill: 'url(#moved-hatch)', 'data-key': `moved${code}`, 'data-code': code })));
  // Those of a full region have its arc to who takes them.
  const arcs = moved.filter(({ reason }) => reason !== 'spill').flatMap(({ country: code, regions }) => {
    const [from, to] = [map.points[code], at.get(most(regions))];
    return from && to ? [s('path', { class: 'arc', d: arc(from, to), 'data-key': `arc${code}${most(regions)}` })] : [];
  });
  layers.arcs.classList.toggle('many', arcs.length > ARCS_CLEAR);
  render(layers.arcs, arcs);
}

function arc([x1, y1], [x2, y2]) {
  const lift = Math.hypot(x2 - x1, y2 - y1) * 0.22;
  return `M${x1} ${y1}Q${((x1 + x2) / 2).toFixed(0)} ${((y1 + y2) / 2 - lift).toFixed(0)} ${x2.toFixed(0)} ${y2.toFixed(0)}`;
}

const NARROW_PX = 560;

const MARKER_HEIGHT = 24;
// With a load below.
const MARKER_HEIGHT_LOADED = 40;
const LOAD_BAR = 60;
const TEXT_PX = 14;
const ruler = document.createElement('canvas').getContext('2d');
ruler.font = '600 13px system-ui, "DejaVu Sans", sans-serif';

function drawMarkers(map, layers, width, view, highlight, point) {
  // Markers grow with the text of the page.
  const zoom = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / TEXT_PX;
  const unit = (map.width / (width || 1_000)) * zoom;
  const isNarrow = width < NARROW_PX;
  const placed = place(view, isNarrow, unit, map);
  drawSpills(layers, placed, view.spills ?? [], unit, point);
  render(layers.leaders, placed.map(({ anchor: [x, y], center: [cx, cy], region }) => [
    s('line', { class: 'leader', x1: x, y1: y, x2: cx, y2: cy, 'data-key': `leader${region.key}` }),
    s('circle', { class: 'anchor', cx: x, cy: y, r: 3 * unit, 'data-key': `anchor${region.key}` }),
  ]));
  render(layers.markers, placed.map(({ center: [x, y], region, text, load, size: [w, height] }) => {
    const { word } = stateOf(region.state);
    const share = view.shares.get(region.key);
    const loaded = load ? `, load ${[loadWords(load), ...loadNotes(load)].join(', ')}` : '';
    const words = `${region.label || region.key}: ${word}${share === undefined ? '' : `, ${percent(share)} of answers`}${loaded}`;
    const top = -height / 2;
    return s('g', {
      class: `marker ${region.state}`, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)}) scale(${unit.toFixed(3)})`,
      tabindex: 0, role: 'img', 'aria-label': words, 'data-key': `marker${region.key}`,
      onpointerenter: () => (highlight(region.key), point(words)), onpointerleave: () => highlight(null),
      onfocus: () => (highlight(region.key), point(words)), onblur: () => highlight(null),
    },
    s('rect', { class: 'pill', x: -w / 2, y: top, width: w, height, rx: 4 }),
    s('rect', { class: `stripe fill${(view.regions.indexOf(region) % 8) + 1}`, x: -w / 2 + 1.5, y: top + 1.5, width: 4, height: height - 3, rx: 2 }),
    s('g', { class: `icon ${region.state}`, transform: `translate(${-w / 2 + 9} ${top + 5}) scale(.875)` }, shape(region.state)),
    s('text', { x: -w / 2 + 27, y: top + 16.5 }, text),
    load && markerLoad(load, isNarrow, w, top));
  }));
}

/** `48/50`: what is said in full by the table and by the words of the marker. */
const shortLoad = ({ current, max }) => `${current === null ? '?' : number(Math.round(current))}/${number(max)}`;

const markerWidth = (load, isNarrow) => (isNarrow ? 0 : 9 + LOAD_BAR + 6 + Math.ceil(ruler.measureText(shortLoad(load)).width) + 8);

/** The load in a marker: a bar, and the numbers where there is room for them. */
function markerLoad(load, isNarrow, w, top) {
  const width = isNarrow ? w - 17 : LOAD_BAR;
  return s('g', { class: 'loadbar' }, s('g', { transform: `translate(${-w / 2 + 10} ${top + (isNarrow ? 22 : 26)})` }, loadBar(load, width, isNarrow ? 6 : 8)),
    !isNarrow && s('text', { class: 'load-text', x: -w / 2 + 10 + width + 6, y: top + 34.5 }, shortLoad(load)));
}

// An arc bows by this part of its way; between near neighbors it goes out by their sides, so that it can be seen.
const BOW = 0.25;
const NEAR_PX = 160;
const BESIDE_PX = 24;
const ARC_STEPS = 48;

/** Who sends clients to whom: from marker to marker, with the part. */
function drawSpills(layers, placed, spills, unit, point) {
  const by = new Map(placed.map((one) => [one.region.key, one]));
  render(layers.spills, spills.flatMap(({ from, to, part, demand }) => {
    const [a, b] = [by.get(from), by.get(to)];
    if (!a || !b) return [];
    const way = between(a, b, unit);
    if (way.length < 2) return [];
    const [mx, my] = way[Math.floor(way.length / 2)];
    const words = `${percent(part)} of the clients of ${from} go to ${to}: ${number(Math.round(demand * 10) / 10)} answers/s`;
    const hover = { onpointerenter: () => point(words), onpointerleave: () => point('') };
    const d = `M${way.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}`;
    return [s('g', { class: 'spill', 'data-key': `spill ${from} ${to}`, 'data-from': from, 'data-to': to, ...hover },
      s('path', { class: 'spill-ground', d }),
      s('path', { class: `spill-line ${part >= 0.25 ? 'large' : ''}`, d, 'marker-end': 'url(#spill-head)' }),
      s('text', { class: 'spill-part', transform: `translate(${mx.toFixed(1)} ${my.toFixed(1)}) scale(${unit.toFixed(3)})`, y: 4.5 }, percent(part)))];
  }));
  const head = layers.spills.ownerSVGElement.querySelector('#spill-head');
  for (const side of ['markerWidth', 'markerHeight']) head.setAttribute(side, (11 * unit).toFixed(1));
}

/** Points of an arc between two markers, outside of both. */
function between(a, b, unit) {
  const [[x1, y1], [x2, y2]] = [a.center, b.center];
  const length = Math.hypot(x2 - x1, y2 - y1) || 1;
  const half = Math.max(...[a, b].map(({ size: [w, height] }) => (Math.abs(y2 - y1) * w + Math.abs(x2 - x1) * height) / (2 * length)));
  const bow = 2 * (length < NEAR_PX * unit ? Math.max(length * BOW, (half + BESIDE_PX) * unit) : length * BOW);
  const [cx, cy] = [(x1 + x2) / 2 + ((y2 - y1) / length) * bow, (y1 + y2) / 2 - ((x2 - x1) / length) * bow];
  const boxes = [a, b].map((one) => boxOf(one.center, one.size, unit));
  const points = Array.from({ length: ARC_STEPS + 1 }, (_, step) => {
    const t = step / ARC_STEPS;
    return [(1 - t) ** 2 * x1 + 2 * t * (1 - t) * cx + t ** 2 * x2, (1 - t) ** 2 * y1 + 2 * t * (1 - t) * cy + t ** 2 * y2];
  });
  return points.filter(([x, y]) => !boxes.some((box) => inside(box, x, y)));
}

/** Finds room for each marker near its place, so that none covers another. */
function place({ regions, shares, loads }, isNarrow, unit, map) {
  // From north to south: those in the north stand above their places, the others below.
  const sorted = regions.filter((region) => region.location).sort((a, b) => b.location.lat - a.location.lat);
  const anchors = sorted.map((region) => project(region.location.lon, region.location.lat));
  const done = [];
  sorted.forEach((region, index) => {
    const share = shares.get(region.key);
    const text = isNarrow || share === undefined ? region.key : `${region.key} ${percent(share)}`;
    // Only what has a limit has a bar.
    const known = loads?.get(region.key);
    const load = known && known.max !== null ? known : null;
    const wide = Math.max(36 + Math.ceil(ruler.measureText(text).width), load ? markerWidth(load, isNarrow) : 0);
    const size = [wide, load ? (isNarrow ? MARKER_HEIGHT + 8 : MARKER_HEIGHT_LOADED) : MARKER_HEIGHT];
    const [ax, ay] = anchors[index];
    let best = null;
    for (const [dx, dy] of offsets(size)) {
      const center = [ax + dx * unit, ay + dy * unit];
      const box = boxOf(center, size, unit);
      const turned = dy !== 0 && dy < 0 !== index < sorted.length / 2 ? 3 : 0;
      const cost = Math.hypot(dx, dy) / 4 + turned + outside(box, map) * 1e3
        + done.reduce((sum, other) => sum + overlap(box, boxOf(other.center, other.size, unit)) / unit ** 2, 0) * 2
        + anchors.reduce((sum, [x, y], other) => sum + (other !== index && inside(box, x, y) ? 60 : 0), 0);
      if (best === null || cost < best.cost) best = { cost, center };
    }
    done.push({ region, anchor: anchors[index], center: best.center, size, text, load });
  });
  return done;
}

/** Where a marker may stand beside its place, in pixels. */
function offsets([w, height]) {
  const found = [];
  for (const radius of [12, 26, 44, 66, 92]) {
    for (let step = 0; step < 16; step += 1) {
      const [cos, sin] = [Math.cos((step * Math.PI) / 8), Math.sin((step * Math.PI) / 8)];
      found.push([cos * (radius + w / 2), sin * (radius + height / 2)]);
    }
  }
  return found;
}

const boxOf = ([x, y], [w, height], unit) => [x - (w / 2 + 2) * unit, y - (height / 2 + 2) * unit, x + (w / 2 + 2) * unit, y + (height / 2 + 2) * unit];
const overlap = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
const outside = (box, map) => (box[0] < 0 || box[1] < 0 || box[2] > map.width || box[3] > map.height ? 1 : 0);
const inside = (box, x, y) => x > box[0] && x < box[2] && y > box[1] && y < box[3];

/** What the shades and shapes of the map mean. */
export function legend(regions, countries, spills = 0) {
  const counts = new Map();
  let moved = 0;
  for (const entry of countries) {
    const key = isMixed(entry.regions) ? 'several' : most(entry.regions);
    counts.set(key, (counts.get(key) ?? 0) + 1);
    if (!isUsual(entry.reason)) moved += 1;
  }
  const sample = (number, isMoved) => s('svg', { class: 'swatch', viewBox: '0 0 12 12', width: 12, height: 12, 'aria-hidden': 'true' },
    s('rect', { width: 12, height: 12, rx: 2, class: `fill${number}` }), isMoved && s('path', { class: 'hatch', d: 'M-1 9L9-1M3 13L13 3' }));
  return h('ul', { class: 'legend' },
    regions.map((region, index) => h('li', {}, sample((index % 8) + 1), `${region.key} `, h('span', { class: 'dim' }, String(counts.get(region.key) ?? 0)))),
    counts.has('several') && h('li', {}, sample('mix', false), 'several ', h('span', { class: 'dim' }, String(counts.get('several')))),
    h('li', {}, sample(0, true), 'not their first choice ', h('span', { class: 'dim' }, String(moved))),
    spills > 0 && h('li', {}, s('svg', { class: 'swatch', viewBox: '0 0 18 12', width: 18, height: 12, 'aria-hidden': 'true' }, s('path', { class: 'spill-line', d: 'M1 9Q8 0 13 6' }), s('path', { class: 'spill-head', d: 'M10 6L17 6L13 12z' })), 'spill: part of a full region’s clients ', h('span', { class: 'dim' }, String(spills))));
}
