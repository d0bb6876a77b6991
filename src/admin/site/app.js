// The dashboard: which page is shown, the sentence at the top, how the connection stands, light or dark.

import { h, markScrolling, render } from './js/dom.js';
import { headline } from './js/headline.js';
import { listen, retry, start, store } from './js/store.js';
import { badge, setUtc, span, tick, utc } from './js/words.js';
import * as explain from './js/explain.js';
import * as latency from './js/latency.js';
import * as operate from './js/operate.js';
import * as server from './js/server.js';
import * as services from './js/services.js';
import * as timeline from './js/timeline.js';
import * as world from './js/world.js';

// Data that is older than this is not called live.
const STALE_MS = 12_000;

const PAGES = { world, timeline, services, latency, explain, operate, server };
const main = document.getElementById('main');
let page = null;

/** `#/explain?client=…` as `['explain', parameters]`. */
function place() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  return [Object.hasOwn(PAGES, path) ? path : 'world', new URLSearchParams(query)];
}

function open() {
  const [path, parameters] = place();
  const isOther = page !== PAGES[path];
  if (isOther) {
    page?.close?.();
    page = PAGES[path];
    main.replaceChildren();
    main.dataset.page = path;
    for (const link of document.querySelectorAll('#pages a')) {
      const isHere = link.hash === `#/${path}`;
      if (isHere) link.setAttribute('aria-current', 'page');
      else link.removeAttribute('aria-current');
    }
  }
  page.open(main, parameters, isOther);
  if (isOther && document.activeElement !== document.body) main.focus({ preventScroll: true });
  if (isOther) window.scrollTo(0, 0);
}

const SHAPES = { ok: 'ok', warn: 'degraded', bad: 'down', off: 'disabled', wait: 'unknown' };

function showHeadline() {
  const lines = headline(store);
  const target = document.getElementById('headline');
  target.dataset.level = lines[0].level;
  // A tab among many says it too.
  document.title = store.status ? `${lines[0].text} · Meridian` : 'Meridian';
  render(target, lines.map(({ level, text }, index) =>
    h('p', { class: index === 0 ? 'first' : 'more', 'data-level': level }, badge(SHAPES[level], ''), text)));
}

const LIVE = { connecting: 'Connecting', live: 'Live', lost: 'Not live', refused: 'Token needed' };

function showConnection() {
  const { live, heard, reason, retry: next } = store.connection;
  const isStale = live === 'live' && heard !== null && Date.now() - heard > STALE_MS;
  const shown = isStale ? 'lost' : live;
  const mark = document.getElementById('live');
  mark.dataset.live = shown;
  mark.textContent = LIVE[shown];
  document.documentElement.dataset.live = shown;
  const lost = document.getElementById('lost');
  lost.hidden = shown === 'live' || shown === 'connecting';
  if (lost.hidden) return;
  const what = store.read ? `What you see is ${span(Date.now() - store.read)} old.` : 'Nothing could be read yet.';
  const when = next ? `Next try in ${span(Math.max(0, next - Date.now()))}.` : 'Trying now.';
  // Only the first part is read out aloud: the ages go on every second.
  const [loud, more] = shown === 'refused'
    ? ['This server asks for a token even to read.', [' ', h('a', { href: '#/operate' }, 'Type it'), '.']]
    : [`Connection lost: ${reason ?? 'the server is silent'}.`, [` ${what} ${when} `, h('button', { type: 'button', onclick: retry }, 'Try now')]];
  render(lost, h('b', { role: 'alert' }, loud), h('span', {}, more));
}

function showProblem() {
  const { problem, connection } = store;
  if (!problem || connection.live !== 'live') return;
  const lost = document.getElementById('lost');
  lost.hidden = false;
  render(lost, h('b', { role: 'alert' }, `Reading failed: ${problem.message}.`), h('span', {}, ` ${store.read ? `What you see is ${span(Date.now() - store.read)} old.` : ''}`));
}

const THEMES = ['system', 'light', 'dark'];

function setTheme(theme) {
  localStorage.setItem('meridian-theme', theme);
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  document.getElementById('theme').textContent = `Theme: ${theme}`;
  page?.restyle?.();
}

function setZone(isUtc) {
  setUtc(isUtc);
  document.getElementById('zone').textContent = isUtc ? 'UTC' : 'Local time';
  if (page) {
    showHeadline();
    page.update('data');
  }
}

listen((what) => {
  if (what === 'connection') return showConnection();
  if (what !== 'traffic') showHeadline();
  showConnection();
  showProblem();
  page?.update(what);
});

document.getElementById('theme').onclick = () => {
  const theme = localStorage.getItem('meridian-theme') ?? 'system';
  setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length]);
};
document.getElementById('zone').onclick = () => setZone(!utc());
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => page?.restyle?.());
// Whatever is shown or resized may begin to scroll.
new MutationObserver(() => requestAnimationFrame(markScrolling)).observe(main, { childList: true, subtree: true });
new ResizeObserver(markScrolling).observe(main);
window.addEventListener('hashchange', open);
setInterval(() => {
  tick();
  showConnection();
  showProblem();
}, 1_000);

setTheme(localStorage.getItem('meridian-theme') ?? 'system');
setZone(utc());
open();
start();
