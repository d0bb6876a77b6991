// Events of the journal as sentences.

import { h } from './dom.js';
import { age, badge, clock, count, list, moment } from './words.js';

// Events so close to one another have one cause.
const TOGETHER_MS = 3_000;

/** Kinds of events: what it says of its subject, the group it is filtered by, its shape. */
const KINDS = {
  check_down: ['fails', 'checks', 'down'],
  check_up: ['passes', 'checks', 'ok'],
  endpoint_down: ['is down', 'endpoints', 'down'],
  endpoint_up: ['is up', 'endpoints', 'ok'],
  region_lost: ['is no longer eligible', 'failover', 'down'],
  region_back: ['is eligible again', 'failover', 'ok'],
  service_all_down: ['has nothing up', 'failover', 'down'],
  service_recovered: ['has something up again', 'failover', 'ok'],
  active_moved: ['is active now', 'failover', 'degraded'],
  failback_scheduled: ['waits for its work', 'failover', 'degraded'],
  failed_back: ['has its work back', 'failover', 'ok'],
  ramp_begun: ['gets its share back step by step', 'failover', 'degraded'],
  ramp_ended: ['has its whole share', 'failover', 'ok'],
  override_set: ['has a word of an operator', 'operators', 'drained'],
  override_cleared: ['has one word of an operator less', 'operators', 'ok'],
  override_expired: ['has a word of an operator that ended', 'operators', 'ok'],
  guard_suspects: ['The guard suspects our own uplink', 'guard', 'degraded'],
  guard_holds: ['The guard holds what was up', 'guard', 'degraded'],
  guard_released: ['The guard lets go', 'guard', 'ok'],
  guard_applied: ['The guard believes the failures', 'guard', 'down'],
  probe_inconclusive: ['cannot be probed', 'checks', 'unknown'],
  certificate_warning: ['has a certificate to see to', 'checks', 'degraded'],
  feed_stale: ['has a load feed that is overdue: its last value stands', 'feeds', 'degraded'],
  feed_lost: ['has a load feed that is lost', 'feeds', 'degraded'],
  feed_back: ['has its load feed back', 'feeds', 'ok'],
  feed_refused: ['has a load feed that says what cannot be meant', 'feeds', 'degraded'],
  feed_doubted: ['has a load that its clients do not explain: it is not believed yet', 'feeds', 'degraded'],
  feed_believed: ['has a load that is believed again', 'feeds', 'ok'],
  latency_moved: ['Networks go elsewhere by what is measured of their ways', 'feeds', 'ok'],
  latency_held: ['More networks would go elsewhere than may within ten minutes', 'feeds', 'degraded'],
  spill_begun: ['spills: part of its clients go to others', 'spills', 'degraded'],
  spill_ended: ['spills no more: its clients are home again', 'spills', 'ok'],
  spill_full: ['is filled above its target: nobody else has room', 'spills', 'degraded'],
  change_made: ['was changed', 'operators', 'ok'],
  change_refused: ['was not changed', 'operators', 'degraded'],
  access_refused: ['Somebody without the right token wanted a change', 'operators', 'degraded'],
  reloaded: ['Files were read again', 'files', 'ok'],
  model_adopted: ['Region files are in force', 'files', 'ok'],
};

export const GROUPS = [
  ['', 'Everything'], ['failover', 'Failovers'], ['endpoints', 'Endpoints'], ['checks', 'Health checks'], ['feeds', 'Load feeds'], ['spills', 'Spills'],
  ['operators', 'Operators'], ['guard', 'Guard'], ['files', 'Files'],
];

export const groupOf = (event) => KINDS[event.kind]?.[1] ?? 'files';

export const shapeOf = (event) => KINDS[event.kind]?.[2] ?? 'unknown';

/** What it is about. */
function subject(event) {
  if (event.about) return event.region === undefined ? list(event.about, 2) : `${event.region} for ${list(event.about, 3)}`;
  if (event.kind === 'active_moved' && event.region && event.service) return `${event.region} for ${event.service}`;
  if (event.target) return event.target;
  if (event.endpoint) return event.endpoint;
  if (event.service && event.region) return `${event.region} for ${event.service}`;
  return event.service ?? event.region ?? '';
}

const DONE = { override_set: '', override_cleared: ' taken back', override_expired: ' ended' };

/** Events whose cause says everything. */
const SAID = { change_made: '', change_refused: 'Refused: ' };

/** The word of an operator and the reason given for it, of `drain (new switches)`. */
const said = (event) => /^([^(]*?)(?: \((.*)\))?$/s.exec(event.cause) ?? [];

/** Subject and what happened, without the cause. */
export function happened(event) {
  if (event.kind in DONE) return `${said(event)[1] ?? event.cause} ${event.target}${DONE[event.kind]}`;
  if (event.kind in SAID) return `${SAID[event.kind]}${event.cause}`;
  const [words = event.kind.replaceAll('_', ' ')] = KINDS[event.kind] ?? [];
  const many = event.count > 1 ? ` (${event.count} of them)` : '';
  const verb = event.about && event.region === undefined ? words.replace('fails', 'fail').replace('passes', 'pass') : words;
  return `${subject(event)} ${verb}`.trim() + many;
}

/** The rest: cause, who wanted it, until when, names. */
export function why(event, isShort = false) {
  const names = event.names ?? [];
  const more = event.name_count > names.length ? event.name_count - names.length : 0;
  return [
    event.kind in DONE ? said(event)[2] : event.kind in SAID ? null : event.cause,
    event.owner && `by ${event.owner}`,
    event.until && `until ${clock(event.until)}`,
    !isShort && names.length > 0 && list([...names.map((name) => name.replace(/\.$/, '')), ...(more ? [`${more} more`] : [])], 3),
  ].filter(Boolean).join(' · ');
}

const SEVERITIES = { warning: 'warning', error: 'urgent' };

/**
 * Events that say the same of several things at once, as one, without those that only repeat who wanted it. `events`:
 * the latest first.
 */
export function merged(events) {
  const found = [];
  for (const event of events.filter((one) => !isRepeated(one, events))) {
    const same = found.find((other) => isAlike(other, event));
    if (same) {
      same.about.add(about(event));
      same.count += event.count;
      same.names = [...same.names, ...(event.names ?? [])];
      same.name_count += event.name_count;
    } else {
      found.push({ ...event, names: event.names ?? [], about: new Set([about(event)]) });
    }
  }
  return found.map(({ about: all, ...event }) => (all.size > 1 ? { ...event, about: [...all], count: 1 } : event));
}

/** Which of several such things it is about. */
const about = (event) => (event.region === undefined ? event.target : event.service);

const isAlike = (a, b) => a.kind === b.kind && a.region === b.region && about(b) !== undefined && a.cause === b.cause && a.owner === b.owner && Math.abs(a.at - b.at) < TOGETHER_MS;

/** That an operator changed something is told twice: what it was, and what followed. */
const isRepeated = (event, events) => event.kind === 'change_made' && events.some((other) => (other.kind in DONE ? other.target === event.target : other.kind === 'active_moved' && other.service === event.service) && Math.abs(other.at - event.at) < TOGETHER_MS);

/** One event as a line of a list. */
export function line(event, isShort = false) {
  return h('li', { class: `event ${event.severity}`, 'data-key': `event${event.seq}` },
    h('span', { class: 'when' }, isShort ? age(event.at, true) : moment(event.at)),
    badge(shapeOf(event), ''),
    h('span', { class: 'what' }, h('b', {}, happened(event)),
      !isShort && SEVERITIES[event.severity] && h('span', { class: 'severity' }, SEVERITIES[event.severity]),
      h('span', { class: 'why' }, why(event, isShort))));
}

/** How many things happened, for people who cannot see the list. */
export const total = (events) => count(events.length, 'event');
