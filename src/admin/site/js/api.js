// Requests to the server this page came from.

const TOKEN = 'meridian-token';
// A server that does not answer for this long is as good as away.
const PATIENCE_MS = 15_000;

/** A refusal, as RFC 9457 tells it. */
export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The operator's token, kept until this tab is closed; empty if there is none. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN) ?? '',
  set: (value) => (value === '' ? sessionStorage.removeItem(TOKEN) : sessionStorage.setItem(TOKEN, value)),
};

/** The headers that say who asks. */
export function authorization() {
  return token.get() === '' ? {} : { Authorization: `Bearer ${token.get()}` };
}

/** The address of a route; `parameters` with a list as value are repeated, without a value left out. */
export function route(path, parameters = {}) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== '') query.append(key, one);
  }
  const text = query.toString();
  return `api/v1/${path}${text && '?'}${text}`;
}

/** What a route shows. */
export async function get(path, parameters) {
  return (await ask('GET', route(path, parameters))).body;
}

/** What a route shows, and its version. */
export async function versioned(path) {
  return ask('GET', route(path));
}

/** Says something to the server; `version` is what the speaker has seen, if it matters. */
export async function post(path, body, version) {
  const match = version ? { 'If-Match': version } : {};
  return (await ask('POST', route(path), { 'Content-Type': 'application/json', ...match }, JSON.stringify(body))).body;
}

async function ask(method, address, headers = {}, body) {
  let answer;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    answer = await fetch(address, { method, headers: { ...authorization(), ...headers }, body, signal, cache: 'no-store' });
  } catch {
    throw new Problem(0, 'the server does not answer');
  }
  const text = await answer.text();
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (!answer.ok) throw new Problem(answer.status, value?.detail ?? `the server answered ${answer.status}`);
  if (value === undefined) throw new Problem(answer.status, 'the server answered something that is not JSON');
  return { body: value, version: answer.headers.get('ETag') };
}
