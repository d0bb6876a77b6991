// What is about to change: ramps, failbacks, ends of overrides, the guard, endpoints about to flip.

import { h } from './dom.js';
import { badge, count, countdown, now, number } from './words.js';

const FLIPS_MAX = 8;

/** `{ key, at, shape, text, more }`, the next first; `at` is null where no clock decides. */
export function upcoming(store) {
  if (!store.status) return [];
  const found = [
    ...guard(store.guard),
    ...store.overrides.flatMap(override),
    ...store.services.flatMap(service),
    ...pending(store.plan),
    ...flips(store),
    ...certificates(store),
  ];
  return found.sort((a, b) => (a.at ?? Infinity) - (b.at ?? Infinity));
}

function guard(guard) {
  if (guard.phase !== 'holds' && guard.phase !== 'suspects') return [];
  const text = guard.phase === 'holds' ? 'The guard applies what it holds' : 'The guard decides';
  return [{ key: 'guard', at: guard.until, shape: 'degraded', text, more: `${count(guard.held, 'endpoint')} held as up` }];
}

const SAID = { drain: 'The drain of', down: 'Force down of', up: 'Force up of' };

function override(word) {
  const said = `${SAID[word.action] ?? word.action} ${word.target}`;
  const more = [`by ${word.owner}`, word.reason].filter(Boolean).join(': ');
  const found = [];
  if (word.expires) found.push({ key: `end ${word.target}`, at: word.expires, shape: 'drained', text: `${said} ends`, more });
  if (word.cached_until > now() && word.action !== 'up') {
    const text = `Caches forget answers from before ${said[0].toLowerCase()}${said.slice(1)}`;
    found.push({ key: `cache ${word.target}`, at: word.cached_until, shape: 'drained', text });
  }
  return found;
}

function service(view) {
  const ramps = view.ramps.map((ramp) => ({
    key: `ramp ${view.key} ${ramp.region}`, at: ramp.until, shape: 'degraded',
    text: `${ramp.region} has its whole share of ${view.key} again`, more: `${ramp.percent} % of it now`,
  }));
  if (!view.active?.failback) return ramps;
  const [region, at] = view.active.failback;
  const more = at ? `${view.active.region} is active until then` : 'when an operator says so: failback';
  return [...ramps, { key: `failback ${view.key}`, at, shape: 'degraded', text: `${view.key} goes back to ${region}`, more }];
}

/** Endpoints whose checks have begun to say something else. */
function flips(store) {
  const found = [];
  for (const view of store.services) {
    for (const endpoint of view.endpoints) {
      const target = endpoint.targets.map((key) => store.targets.get(key)).find((one) => one && isTurning(one));
      const flip = endpoint.next_flip_s ?? endpoint.steady_s;
      if (!target || flip === null || endpoint.forced) continue;
      const word = endpoint.up ? 'down' : 'up';
      const more = endpoint.up
        ? `${count(target.failures, 'failure')} so far${target.last ? `: ${target.last.reason}` : ''}`
        : `${count(target.passes, 'pass', 'passes')} in a row so far`;
      found.push({ key: `flip ${endpoint.key}`, at: store.status.at + flip * 1_000, shape: endpoint.up ? 'degraded' : 'unknown', text: `${endpoint.key} may be ${word}`, more });
    }
  }
  return found.sort((a, b) => a.at - b.at).slice(0, FLIPS_MAX);
}

/** Clients that the plan moves step by step, because caches and data centres are given time. */
function pending(plan) {
  if (!plan || plan.pending < Math.max(0.5, plan.demand / 100)) return [];
  const text = `${number(Math.round(plan.pending))} answers/s are still to move`;
  return [{ key: 'pending', at: null, shape: 'unknown', text, more: 'the capacity plan goes forward in steps, as caches forget' }];
}

const isTurning = (target) => (target.state === 'up' ? target.failures > 0 : target.passes > 0);

function certificates(store) {
  const warned = [...store.targets.values()].filter((target) => target.last?.warning);
  return warned.slice(0, 3).map((target) => ({ key: `warning ${target.key}`, at: null, shape: 'degraded', text: target.key, more: target.last.warning }));
}

/** The list as an element. */
export function upcomingList(store) {
  const found = upcoming(store);
  if (found.length === 0) return h('p', { class: 'none' }, 'Nothing that is known of.');
  return h('ul', { class: 'events' }, found.map(({ key, at, shape, text, more }) =>
    h('li', { class: 'event', 'data-key': key },
      h('span', { class: 'when' }, at ? countdown(at) : 'open'),
      badge(shape, ''),
      h('span', { class: 'what' }, h('b', {}, text), more && h('span', { class: 'why' }, more)))));
}
