// Operate: an operator's words, each shown before it is said, and taken back with one click.

import { Problem, post, token } from './api.js';
import { foreseen } from './capacity.js';
import { field, h, render, select, table } from './dom.js';
import { refresh, retry, store } from './store.js';
import { age, badge, bar, clock, count, countdown, country, list, moment, now, percent, span } from './words.js';

const PREVIEW_MS = 250;
const HOUR = 3_600;
const LASTING = [[900, '15 minutes'], [HOUR, '1 hour'], [4 * HOUR, '4 hours'], [24 * HOUR, '1 day'], [0, 'until taken back'], [-1, 'minutes…']];

const ACTIONS = {
  drain: { name: 'Drain', what: 'no new answers while another data centre is eligible', about: 'target' },
  down: { name: 'Force down', what: 'never answered, whatever its checks say', about: 'target' },
  up: { name: 'Force up', what: 'counts as up, whatever its checks say', about: 'target' },
  enable: { name: 'Enable', what: 'takes back what was said about the target', about: 'target' },
  switch: { name: 'Switch', what: 'makes another data centre the active one', about: 'switch' },
  failback: { name: 'Fail back', what: 'gives the work back to the best data centre now', about: 'service' },
  'guard-release': { name: 'Release the guard', what: 'believes the failures that the guard holds back', about: 'nothing' },
};

let parts = null;
let wish = { action: 'drain', region: '', service: '', endpoint: '', lasting: HOUR, minutes: 30, reason: '', owner: '', confirm: false };
/** What would happen, as the server says; what was done, and how to undo it. */
let seen = null;
let done = null;
let turn = 0;
let timer = null;

export function open(main, parameters, isOther) {
  for (const key of ['action', 'region', 'service']) if (parameters.has(key)) wish[key] = parameters.get(key);
  if (!Object.hasOwn(ACTIONS, wish.action)) wish.action = 'drain';
  if (isOther) {
    parts = { token: h('div', {}), form: h('div', {}), preview: h('div', { 'aria-live': 'polite' }), done: h('div', { 'aria-live': 'polite' }), words: h('div', {}) };
    main.append(h('h1', { class: 'unseen' }, 'Operate'),
      h('section', { class: 'card' }, parts.token), parts.done,
      h('div', { class: 'halves' },
        h('section', { class: 'card' }, h('h2', {}, 'What shall be done'), parts.form),
        h('section', { class: 'card' }, h('h2', {}, 'What will happen'), parts.preview)),
      h('section', { class: 'card' }, h('h2', {}, 'In force'), parts.words));
    showToken();
  }
  update('data');
}

export function close() {
  clearTimeout(timer);
  [parts, seen, done, wish.confirm] = [null, null, null, false];
}

export function update(what) {
  if (!parts || what !== 'data') return;
  showForm();
  showWords();
  lookAhead();
}

function showToken(refusal) {
  const input = h('input', { type: 'password', name: 'token', autocomplete: 'off', spellcheck: 'false', required: true });
  const keep = (event) => {
    event.preventDefault();
    token.set(input.value.trim());
    retry();
    showToken();
    lookAhead(true);
  };
  const drop = () => {
    token.set('');
    forget();
    showToken();
    showPreview();
  };
  parts.token.replaceChildren(...(token.get() === ''
    ? [h('form', { class: 'row', onsubmit: keep }, field('Token', input), h('button', { type: 'submit', class: 'main' }, 'Use it'),
      h('p', { class: 'dim' }, 'From the server’s token file. It stays in this tab and is forgotten when the tab is closed.'), refusal && h('p', { class: 'problem', role: 'alert' }, refusal))]
    : [h('p', { class: 'row' }, badge('ok', 'A token is kept in this tab.'), h('button', { type: 'button', onclick: drop }, 'Forget it'))]));
}

const change = (name) => (event) => {
  wish[name] = event.target.type === 'checkbox' ? event.target.checked : event.target.value;
  if (name === 'region' || name === 'action') Object.assign(wish, { endpoint: '', ...(wish.action === 'up' && wish.lasting === 0 && { lasting: HOUR }), ...(ACTIONS[wish.action].about === 'target' && { service: '' }) });
  if (name === 'service') wish.endpoint = '';
  if (name === 'lasting' || name === 'minutes') wish[name] = Number(wish[name]);
  // What somebody writes about a word changes nothing of what will happen.
  if (name === 'reason' || name === 'owner') return;
  showForm();
  lookAhead();
};

function showForm() {
  const { about } = ACTIONS[wish.action];
  const radios = Object.entries(ACTIONS).map(([key, { name, what }]) => h('label', { class: 'radio', 'data-key': key },
    h('input', { type: 'radio', name: 'action', value: key, checked: wish.action === key, onchange: change('action') }), h('span', {}, h('b', {}, name), h('small', {}, what))));
  render(parts.form, h('form', { class: 'form', onsubmit: (event) => { event.preventDefault(); act(); } },
    h('fieldset', { class: 'actions' }, h('legend', {}, 'Action'), radios),
    h('div', { class: 'fields' }, subject(about)),
    about === 'target' && wish.action !== 'enable' && h('div', { class: 'fields' },
      field('For', select('lasting', LASTING.filter(([value]) => value !== 0 || wish.action !== 'up').map(([value, text]) => [String(value), text]), String(wish.lasting), change('lasting'))),
      wish.lasting === -1 && field('Minutes', h('input', { type: 'number', name: 'minutes', min: 1, max: 43_200, value: wish.minutes, oninput: change('minutes') })),
      field('Why', h('input', { name: 'reason', maxlength: 200, placeholder: 'for whoever reads it at night', oninput: change('reason') }))),
    h('div', { class: 'fields' }, field('Who', h('input', { name: 'owner', maxlength: 60, autocomplete: 'off', placeholder: 'the name of the token', oninput: change('owner') })))));
}

function subject(about) {
  const regions = store.regions.map(({ key }) => [key, key]);
  if (about === 'nothing') return [];
  if (about !== 'target') {
    const services = store.services.filter((service) => service.active);
    if (!services.some(({ key }) => key === wish.service)) wish.service = services[0]?.key ?? '';
    const service = services.find(({ key }) => key === wish.service);
    const others = (service?.regions ?? []).filter(([key]) => key !== service.active.region);
    if (about === 'switch' && !others.some(([key]) => key === wish.region)) wish.region = others[0]?.[0] ?? '';
    if (services.length === 0) return h('p', { class: 'dim' }, 'No service is active-passive.');
    return [field('Service', select('service', services.map(({ key, active }) => [key, `${key} (active: ${active.region})`]), wish.service, change('service'))),
      about === 'switch' && field('To', select('region', others.map(([key, why]) => [key, why === 'eligible' ? key : `${key} (${why})`]), wish.region, change('region')))];
  }
  const services = store.services.filter((service) => service.regions.some(([key]) => key === wish.region));
  const endpoints = services.find(({ key }) => key === wish.service)?.endpoints.filter((endpoint) => endpoint.key.split('/')[1] === wish.region) ?? [];
  return [
    field('Data centre', select('region', [['', 'choose…'], ...regions], wish.region, change('region'))),
    field('Service', select('service', [['', 'all of it'], ...services.map(({ key }) => [key, key])], wish.service, change('service'))),
    wish.service && field('Endpoint', select('endpoint', [['', 'all of them'], ...endpoints.map(({ key }) => [key, key.split('/').slice(2).join('/')])], wish.endpoint, change('endpoint'))),
  ];
}

const target = () => wish.endpoint || (wish.service ? `${wish.service}/${wish.region}` : wish.region);

/** What is asked of `preview`; null while something is missing. */
function question() {
  const { about } = ACTIONS[wish.action];
  const { action, service, region } = wish;
  if (about === 'nothing') return { action };
  if (about === 'switch') return service && region ? { action, service, region } : null;
  if (about === 'service') return service ? { action, service } : null;
  return wish.region ? { action, target: target() } : null;
}

function lookAhead(isUrgent = false) {
  clearTimeout(timer);
  const asked = question();
  if (!asked || token.get() === '') {
    forget();
    return showPreview();
  }
  timer = setTimeout(() => preview(asked), isUrgent ? 0 : PREVIEW_MS);
  if (seen && JSON.stringify(seen.asked) !== JSON.stringify(asked)) forget();
  return showPreview();
}

/** A second word was given for what was shown, and goes with it. */
function forget() {
  [seen, wish.confirm] = [null, false];
}

async function preview(asked) {
  const mine = (turn += 1);
  let found;
  try {
    found = { asked, view: await post('preview', { ...asked, ...(asked.target && asked.action !== 'enable' && forSeconds() > 0 && { for_s: forSeconds() }) }) };
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) refuse(problem);
    found = { asked, problem };
  }
  if (mine !== turn || !parts) return;
  seen = found;
  showPreview();
}

function refuse(problem) {
  if (problem.status === 401) {
    token.set('');
    // With a wrong token not even reading is allowed: without one it may be.
    retry();
    showToken('The server does not know this token.');
  } else {
    showToken();
  }
}

function showPreview() {
  if (!parts) return;
  const asked = question();
  if (token.get() === '') return render(parts.preview, h('p', { class: 'none' }, 'Needs the token.'));
  if (!asked) return render(parts.preview, h('p', { class: 'none' }, ACTIONS[wish.action].about === 'target' ? 'Choose a data centre.' : 'Choose a service.'));
  if (!seen) return render(parts.preview, h('p', { class: 'none' }, 'Asking…'));
  if (seen.problem) return render(parts.preview, h('p', { class: 'problem' }, seen.problem.message));
  const { view } = seen;
  const refused = !view.allowed && !view.needs_confirm;
  return render(parts.preview,
    view.refusal && h('p', { class: view.needs_confirm ? 'caution' : 'problem' }, badge(view.needs_confirm ? 'degraded' : 'down', ''), view.refusal),
    effects(view.services),
    view.ttl_max_s > 0 && h('p', { class: 'dim' }, `Clients follow as their caches forget: all of them within ${span(view.ttl_max_s * 1_000)}.`),
    loads(view.loads),
    view.needs_confirm && h('label', { class: 'confirm' }, h('input', { type: 'checkbox', name: 'confirm', checked: wish.confirm, onchange: (event) => { wish.confirm = event.target.checked; showPreview(); } }), ' I have read it: do it all the same'),
    h('button', { type: 'button', class: 'main act', disabled: refused || (view.needs_confirm && !wish.confirm), onclick: act }, sentence()));
}

function sentence() {
  const { name, about } = ACTIONS[wish.action];
  const lasting = forSeconds();
  if (about === 'nothing') return name;
  if (about === 'switch') return `Switch ${wish.service} to ${wish.region}`;
  if (about === 'service') return `Fail back ${wish.service}`;
  return `${name} ${target()}${wish.action === 'enable' ? '' : lasting ? ` for ${span(lasting * 1_000)}` : ' until taken back'}`;
}

const forSeconds = () => (wish.lasting === -1 ? wish.minutes * 60 : wish.lasting);

/** What changes for each service; those that do not change in one line. */
function effects(services) {
  const changes = services.filter((view) => view.all_down || view.countries_moved.length > 0 || sharesOf(view).some(([, before, after]) => Math.abs(after - before) >= LITTLE));
  const same = services.filter((view) => !changes.includes(view)).map((view) => view.service);
  return [changes.map(effect), same.length > 0 && h('p', { class: 'dim' }, `No answer of ${list(same)} changes.`), services.length === 0 && h('p', { class: 'none' }, 'No answer changes.')];
}

/** Shares that differ by less are the same for people. */
const LITTLE = 0.005;

/** `[region, before, after]` */
function sharesOf(view) {
  const keys = [...new Set([...view.before, ...view.after].map(([key]) => key))];
  const of = (shares, key) => shares.find(([one]) => one === key)?.[1] ?? 0;
  return keys.map((key) => [key, of(view.before, key), of(view.after, key)]);
}

/** What data centres carry and would carry. */
function loads(changes) {
  if (changes.length === 0) return null;
  return h('div', { class: 'effect', 'data-key': 'loads' }, h('h3', {}, 'Loads'), foreseen(store, changes),
    h('p', { class: 'dim' }, 'Planned with the demand of now: what does not fit below a target goes on to the next.'));
}

/** What a service's answers are now and would be. */
function effect(view) {
  const rows = sharesOf(view).map(([key, before, after]) => {
    const arrow = Math.abs(after - before) < LITTLE ? '' : after > before ? '▲ more' : '▼ less';
    return h('tr', { 'data-key': key }, h('th', { scope: 'row' }, key), h('td', { class: 'bars' }, bar(before), percent(before)), h('td', { class: 'bars' }, bar(after), percent(after)), h('td', {}, arrow));
  });
  const moved = view.countries_moved;
  return h('div', { class: 'effect', 'data-key': view.service },
    h('h3', {}, view.service, view.all_down && badge('down', 'nothing would be left')),
    table(`Answers of ${view.service} before and after`, [['Data centre'], ['Share now', 'bars'], ['Then', 'bars'], ['Change']], rows, { none: 'no answers' }),
    h('p', {}, moved.length === 0 ? 'No country moves.' : `${count(moved.length, 'country moves', 'countries move')}: ${list(moved.map(country), 5)}.`),
    view.cached_until && h('p', { class: 'dim' }, 'Old answers stay in caches until ', moment(view.cached_until), '.'));
}

async function act() {
  const asked = question();
  if (!asked || !seen?.view || JSON.stringify(seen.asked) !== JSON.stringify(asked)) return;
  const { action } = wish;
  const before = store.overrides.filter((word) => word.target === asked.target);
  const activeBefore = store.services.find(({ key }) => key === asked.service)?.active?.region;
  const lasting = forSeconds();
  const orders = {
    enable: ['enable', { target: asked.target }], switch: ['switch', { service: asked.service, region: asked.region }],
    failback: ['failback', { service: asked.service }], 'guard-release': ['guard/release', {}],
  };
  const word = { target: asked.target, action, reason: wish.reason, confirm: wish.confirm, ...(lasting > 0 && { for_s: lasting }) };
  const said = sentence();
  await say([orders[action] ?? ['overrides', word]], said, undoOf(action, asked, before, activeBefore));
}

/** What takes it back: orders `[route, body]` in a row, or null. */
function undoOf(action, asked, before, activeBefore) {
  if (action === 'guard-release') return null;
  if (action === 'switch' || action === 'failback') return activeBefore ? [['switch', { service: asked.service, region: activeBefore }]] : null;
  // What was said about the target before counts again, for as long as it had to go.
  const again = before.map((word) => ['overrides', wordOf(word)]);
  return action === 'enable' ? again : [['enable', { target: asked.target }], ...again];
}

function wordOf({ target: about, action, reason, owner, expires }) {
  return { target: about, action, reason, owner, confirm: true, ...(expires && { for_s: Math.max(1, Math.round((expires - now()) / 1_000)) }) };
}

async function say(orders, said, undo) {
  try {
    let answer;
    let version = store.overridesVersion;
    for (const [route, body] of orders) {
      answer = await post(route, { ...(wish.owner && { owner: wish.owner }), ...body }, version);
      // Only the first follows what this page has seen; what comes after follows the first.
      version = null;
    }
    done = { said, undo, answer };
  } catch (problem) {
    if (problem.status === 401 || problem.status === 403) refuse(problem);
    done = { said, problem };
  }
  forget();
  // The next word is about what is in force then.
  await refresh();
  showDone();
}

function showDone() {
  if (!parts) return;
  if (!done) return render(parts.done);
  const { said, problem, undo, answer } = done;
  if (problem) {
    const more = problem instanceof Problem && problem.status === 412 ? ' Somebody else was faster: look at what is in force now, and say it again if it is still right.' : '';
    return render(parts.done, h('section', { class: 'card notice bad', role: 'alert' }, badge('down', ''), h('b', {}, `Not done: ${said}.`), ` ${problem.message}.${more}`));
  }
  const takeBack = () => say(undo, `Undo: ${said}`, null);
  return render(parts.done, h('section', { class: 'card notice good' }, badge('ok', ''), h('b', {}, `Done: ${said}.`), ` ${answer.done}`,
    answer.cached_until && ` · caches forget the old answers until ${clock(Date.parse(answer.cached_until))}`,
    answer.still?.length > 0 && ` · still in force: ${answer.still.join(', ')}`, ' ',
    undo?.length > 0 ? h('button', { type: 'button', class: 'undo', onclick: takeBack }, 'Undo') : h('span', { class: 'dim' }, wish.action === 'guard-release' ? 'This cannot be undone.' : '')));
}

const SHAPES = { drain: 'drained', down: 'forced-down', up: 'ok' };

function showWords() {
  const rows = store.overrides.map((word) => h('tr', { 'data-key': `${word.action} ${word.target}` },
    h('th', { scope: 'row' }, word.target, !word.known && h('span', { class: 'severity' }, 'not in the region files')),
    h('td', {}, badge(SHAPES[word.action] ?? 'unknown', ACTIONS[word.action]?.name.toLowerCase() ?? word.action)),
    h('td', {}, word.owner), h('td', { class: 'why' }, word.reason || '–'), h('td', {}, age(word.since)),
    h('td', {}, word.expires ? countdown(word.expires) : 'open'),
    h('td', { class: 'n' }, `${word.up} of ${word.covers}`),
    h('td', {}, h('button', { type: 'button', disabled: token.get() === '', title: token.get() === '' ? 'Needs the token' : null, onclick: () => say([['enable', { target: word.target }]], `Enable ${word.target}`, store.overrides.filter((other) => other.target === word.target).map((other) => ['overrides', wordOf(other)])) }, 'Take back', h('span', { class: 'unseen' }, ` ${word.target}`)))));
  const { guard } = store;
  render(parts.words,
    guard && guard.phase !== 'quiet' && h('p', { class: 'caution' }, badge('degraded', ''), `The guard ${guard.phase} ${count(guard.held, 'endpoint')}`, guard.until && [', decides ', countdown(guard.until)], '.'),
    table('Words of operators in force', [['Target'], ['Word'], ['By'], ['Why'], ['Since'], ['Ends'], ['Up by checks', 'n'], ['Undo']], rows, { none: 'No operator has said anything.' }));
}
