// The sentence at the top: is every data centre well, and if not, where do its clients go and since when?

import { isFull, makesRoom, spillsOf } from './capacity.js';
import { count, clock, list, isUsual, percent } from './words.js';

/**
 * What stands at the top, the worst first: `{ level, text }`; `level` is `ok`, `warn`, `bad` or `off`.
 */
export function headline(store) {
  const { status, regions, services, guard } = store;
  if (!status) return [{ level: 'wait', text: 'Asking the server…' }];
  if (!status.ready) return [{ level: 'bad', text: 'The server is starting: it does not answer queries yet' }];
  if (regions.length === 0) return [{ level: 'off', text: 'No data centre is configured: zones are answered, nothing is steered' }];
  const lines = [];
  if (guard.phase === 'holds' || guard.phase === 'suspects') lines.push(guardLine(guard));
  const allDown = services.filter((service) => service.standing === 'all-down').map((service) => service.key);
  if (allDown.length > 0) lines.push({ level: 'bad', text: `${list(allDown)} ${allDown.length === 1 ? 'has' : 'have'} nothing up in any data centre` });
  const of = (...states) => regions.filter((region) => states.includes(region.state));
  const down = of('down');
  if (down.length > 0) lines.push(gone(store, down, 'down', 'bad'));
  const forced = of('forced-down');
  if (forced.length > 0) lines.push(gone(store, forced, 'forced down', 'warn'));
  const drained = of('drained');
  if (drained.length > 0) lines.push(gone(store, drained, 'drained', 'warn'));
  for (const rule of (status.safety ?? []).filter((one) => one.broken_since)) lines.push({ level: 'warn', text: `Safety rule ${rule.rule} wants ${rule.at_least} of ${list(rule.regions)} on, and ${rule.on.length > 0 ? `only ${list(rule.on)}` : 'none'} is` });
  for (const one of status.evacuations ?? []) lines.push({ level: 'warn', text: `${one.region} is evacuated: ${one.left} % of its share left${one.held ? `; held: ${one.held.why}` : ''}` });
  for (const region of of('degraded').slice(0, 3)) lines.push({ level: 'warn', text: degraded(region) });
  lines.push(...capacity(store));
  const disabled = of('disabled').map((region) => region.key);
  const others = regions.length - disabled.length;
  const off = disabled.length > 0 ? `; ${list(disabled)} ${disabled.length === 1 ? 'is' : 'are'} disabled` : '';
  if (lines.length === 0) {
    const all = others === 1 ? 'The data centre is' : `All ${others} data centres are`;
    lines.push({ level: 'ok', text: `${all} well${off}` });
  }
  return lines;
}

function guardLine(guard) {
  const held = count(guard.held, 'endpoint');
  if (guard.phase === 'suspects') return { level: 'warn', text: 'Many data centres fail at once: the guard suspects our own uplink' };
  const end = guard.until ? `until ${clock(guard.until)}` : 'until an operator releases it or they answer again';
  return { level: 'bad', text: `Everything seems lost at once: the guard holds ${held} as up ${end}` };
}

function gone(store, regions, word, level) {
  const keys = regions.map((region) => region.key);
  const [are, their] = keys.length === 1 ? ['is', 'its'] : ['are', 'their'];
  const takers = takersOf(store, keys);
  const went = takers.length > 0 ? `: ${their} clients go to ${list(takers)}` : '';
  const since = begun(store, keys);
  return { level, text: `${list(keys)} ${are} ${word}${went}${since ? ` since ${clock(since, false)}` : ''}` };
}

function degraded(region) {
  const lost = region.endpoints - region.up;
  const parts = [];
  if (lost > 0) parts.push(`${lost} of ${count(region.endpoints, 'endpoint')} ${lost === 1 ? 'is' : 'are'} down`);
  const missing = region.services - region.eligible;
  if (missing > 0) parts.push(`not answered for ${missing} of ${count(region.services, 'service')}`);
  return `${region.key} is degraded${parts.length > 0 ? `: ${parts.join(', ')}` : ''}`;
}

/** Who is full and whose clients go elsewhere for it; and who is filled because nobody has room. */
function capacity(store) {
  const spills = spillsOf(store);
  const from = [...new Set(spills.map((spill) => spill.from))];
  const full = (store.plan?.regions ?? []).filter(isFull).map(({ region }) => region);
  const lines = from.slice(0, 3).map((key) => {
    const [first, ...others] = spills.filter((spill) => spill.from === key);
    const to = [`${percent(first.part)} of its clients go to ${first.to}`, ...others.map((spill) => `${percent(spill.part)} to ${spill.to}`)];
    return { level: 'warn', text: `${key} ${makesRoom(store, key) ? 'makes room for others' : 'is full'}: ${list(to)}` };
  });
  if (from.length > 3) lines.push({ level: 'warn', text: `${count(from.length - 3, 'more data centre is', 'more data centres are')} full` });
  if (full.length > 0) lines.push({ level: 'warn', text: `${list(full)} ${full.length === 1 ? 'is' : 'are'} filled above target: nobody else has room` });
  return lines;
}

/** Who answers the clients that are not where they belong; the most countries first. */
function takersOf(store, lost) {
  const counts = new Map();
  for (const { regions, reason } of store.world?.countries ?? []) {
    if (isUsual(reason) || reason === 'spill') continue;
    for (const [region, share] of regions) counts.set(region, (counts.get(region) ?? 0) + share);
  }
  for (const { active } of counts.size === 0 ? store.services : []) if (active) counts.set(active.region, 1);
  const takers = [...counts].filter(([region]) => !lost.includes(region));
  return takers.sort((a, b) => b[1] - a[1]).map(([region]) => region);
}

/** When the first of these regions was lost, as far as the journal remembers. */
function begun(store, keys) {
  const first = keys.map((key) => {
    const word = store.overrides.find((override) => override.target === key && override.action !== 'up');
    const event = store.events.find((entry) => entry.region === key && entry.kind === 'region_lost');
    return word?.since ?? event?.at;
  });
  const known = first.filter((at) => at !== undefined);
  return known.length > 0 ? Math.min(...known) : null;
}
