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
  evacuate: { name: 'Evacuate', what: 'gives up its share in four steps, each only if the others have room, then is drained', about: 'region' },
  down: { name: 'Force down', what: 'never answered, whatever its checks say', about: 'target' },
  up: { name: 'Force up', what: 'counts as up, whatever its checks say', about: 'target' },
  enable: { name: 'Enable', what: 'takes back what was said about the target', about: 'target' },
  switch: { name: 'Switch', what: 'makes another data centre the active one', about: 'switch' },
  failback: { name: 'Fail back', what: 'gives the work back to the best data centre now', about: 'service' },
  'guard-release': { name: 'Release the guard', what: 'believes the failures that the guard holds back', about: 'nothing' },
};

let parts = null;
let wish = { action: 'drain', region: '', service: '', endpoint: '', lasting: HOUR, minutes: 30, reason: '', owner: '', confirm: false, override: false };
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
  [parts, seen, done, wish.confirm, wish.override] = [null, null, null, false, false];
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
  if (name === 'region' || name === 'action') Object.assign(wish, { endpoint: '', ...(wish.action === 'up' && wish.lasting === 0 && { lasting: HOUR }), ...(['target', 'region'].includes(ACTIONS[wish.action].about) && { service: '' }) });
  if (name === 'service') wish.endpoint = '';
  if (name === 'lasting' || name === 'minutes') wish[name] = Number(wish[name]);
  // What somebody writes about a word changes nothing of what will happen.
  if (name === 'reason') showPreview();
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
    (about === 'target' || about === 'region') && wish.action !== 'enable' && h('div', { class: 'fields' },
      field('For', select('lasting', LASTING.filter(([value]) => value !== 0 || wish.action !== 'up').map(([value, text]) => [String(value), text]), String(wish.lasting), change('lasting'))),
      wish.lasting === -1 && field('Minutes', h('input', { type: 'number', name: 'minutes', min: 1, max: 43_200, value: wish.minutes, oninput: change('minutes') }))),
    h('div', { class: 'fields' },
      about !== 'nothing' && field('Why', h('input', { name: 'reason', maxlength: 200, placeholder: 'for whoever reads it at night', oninput: change('reason') })),
      field('Who', h('input', { name: 'owner', maxlength: 60, autocomplete: 'off', placeholder: 'the name of the token', oninput: change('owner') })))));
}

function subject(about) {
  const regions = store.regions.map(({ key }) => [key, key]);
  if (about === 'nothing') return [];
  if (about === 'region') return field('Data centre', select('region', [['', 'choose…'], ...regions], wish.region, change('region')));
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
  if (about === 'region') return region ? { action, region } : null;
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
  [seen, wish.confirm, wish.override] = [null, false, false];
}

async function preview(asked) {
  const mine = (turn += 1);
  let found;
  try {
    found = asked.action === 'evacuate' ? { asked, view: stepsOf(await post('evacuate/preview', { region: asked.region })) } : { asked, view: await post('preview', { ...asked, ...(asked.target && asked.action !== 'enable' && forSeconds() > 0 && { for_s: forSeconds() }) }) };
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
  if (!asked) return render(parts.preview, h('p', { class: 'none' }, ['target', 'region'].includes(ACTIONS[wish.action].about) ? 'Choose a data centre.' : 'Choose a service.'));
  if (!seen) return render(parts.preview, h('p', { class: 'none' }, 'Asking…'));
  if (seen.problem) return render(parts.preview, h('p', { class: 'problem' }, seen.problem.message));
  const { view } = seen;
  const rules = (view.safety ?? []).map(({ rule }) => rule);
  // A safety rule is overridden by a second word, with a reason; what else refuses is not.
  const isOverridden = wish.override && wish.reason.trim() !== '';
  const refused = rules.length > 0 ? !isOverridden : !view.allowed && !view.needs_confirm;
  return render(parts.preview,
    view.refusal && h('p', { class: view.needs_confirm ? 'caution' : 'problem' }, badge(view.needs_confirm ? 'degraded' : 'down', ''), view.refusal),
    view.steps ? evacuation(view) : effects(view.services),
    view.ttl_max_s > 0 && h('p', { class: 'dim' }, `Clients follow as their caches forget: all of them within ${span(view.ttl_max_s * 1_000)}.`),
    view.steps ? null : loads(view.loads),
    rules.length > 0 && h('label', { class: 'confirm' }, h('input', { type: 'checkbox', name: 'override', checked: wish.override, onchange: (event) => { wish.override = event.target.checked; showPreview(); } }),
      ` Override ${list(rules)}, for the reason under “Why”`, wish.override && !isOverridden && h('b', {}, ' – which is missing')),
    view.needs_confirm && h('label', { class: 'confirm' }, h('input', { type: 'checkbox', name: 'confirm', checked: wish.confirm, onchange: (event) => { wish.confirm = event.target.checked; showPreview(); } }), ' I have read it: do it all the same'),
    h('button', { type: 'button', class: 'main act', disabled: refused || (view.needs_confirm && !wish.confirm), onclick: act }, sentence()));
}

function sentence() {
  const { name, about } = ACTIONS[wish.action];
  const lasting = forSeconds();
  if (about === 'nothing') return name;
  if (about === 'switch') return `Switch ${wish.service} to ${wish.region}`;
  if (about === 'service') return `Fail back ${wish.service}`;
  if (about === 'region') return `${name} ${wish.region}${lasting ? `, drained for ${span(lasting * 1_000)}` : ''}`;
  return `${name} ${target()}${wish.action === 'enable' ? '' : lasting ? ` for ${span(lasting * 1_000)}` : ' until taken back'}`;
}

const forSeconds = () => (wish.lasting === -1 ? wish.minutes * 60 : wish.lasting);

/** What changes for each service; those that do not change in one line. */
function effects(services) {
  const changes = services.filter((view) => view.all_down || view.countries_moved.length > 0 || sharesOf(view).some(([, before, after]) => Math.abs(after - before) >= LITTLE));
  const same = services.filter((view) => !changes.includes(view)).map((view) => view.service);
  return [changes.map(effect), same.length > 0 && h('p', { class: 'dim' }, `No answer of ${list(same)} changes.`), services.length === 0 && h('p', { class: 'none' }, 'No answer changes.')];
}

/** The preview of an evacuation, in the shape of the others. */
function stepsOf(view) {
  return { ...view, services: [], ttl_max_s: 0, loads: [] };
}

/** What each step of an evacuation comes to. */
function evacuation(view) {
  const rows = view.steps.map((step) => h('tr', { 'data-key': String(step.left) },
    h('th', { scope: 'row' }, `${step.left} %`), h('td', {}, `after ${span(step.at_s * 1_000)}`),
    h('td', {}, step.full ? badge('down', `held: ${step.full}`) : step.loads.length === 0 ? 'no capacity is known' : badge('ok', 'there is room'))));
  return [h('p', {}, view.plan), table('Steps of the evacuation', [['Share left'], ['When'], ['Room']], rows, { none: 'no steps' })];
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
    evacuate: ['evacuate', { region: asked.region, confirm: wish.confirm, ...(lasting > 0 && { for_s: lasting }) }],
  };
  const word = { target: asked.target, action, reason: wish.reason, confirm: wish.confirm, ...(lasting > 0 && { for_s: lasting }) };
  const said = sentence();
  const [route, body] = orders[action] ?? ['overrides', word];
  const rules = (seen.view.safety ?? []).map(({ rule }) => rule);
  const why = { ...(wish.reason && { reason: wish.reason }), ...(rules.length > 0 && { override_safety: rules }) };
  await say([[route, { ...body, ...(action !== 'guard-release' && why) }]], said, undoOf(action, asked, before, activeBefore));
}

/** What takes it back: orders `[route, body]` in a row, or null. */
function undoOf(action, asked, before, activeBefore) {
  if (action === 'guard-release') return null;
  if (action === 'evacuate') return [['evacuate/cancel', { region: asked.region }]];
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
    (store.status?.safety ?? []).filter((rule) => rule.broken_since).map((rule) => h('p', { class: 'caution', 'data-key': `safety ${rule.rule}` }, badge('degraded', ''),
      `Safety rule ${rule.rule} wants ${rule.at_least} of ${list(rule.regions)} on; on: ${rule.on.length > 0 ? list(rule.on) : 'none'}.`)),
    (store.status?.evacuations ?? []).map((one) => h('p', { class: one.held ? 'caution' : null, 'data-key': `evacuation ${one.region}` }, badge(one.held ? 'degraded' : 'drained', ''),
      `${one.region} is evacuated by ${one.owner}: ${one.left} % of its share left; `, one.held ? `held: ${one.held.why}` : ['next step ', countdown(one.due)], ' ',
      h('button', { type: 'button', disabled: token.get() === '', onclick: () => say([['evacuate/cancel', { region: one.region }]], `Cancel the evacuation of ${one.region}`, null) }, 'Cancel'))),
    table('Words of operators in force', [['Target'], ['Word'], ['By'], ['Why'], ['Since'], ['Ends'], ['Up by checks', 'n'], ['Undo']], rows, { none: 'No operator has said anything.' }));
}
