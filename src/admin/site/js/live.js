// The stream of server-sent events, read with fetch: EventSource cannot send a token.

import { authorization, route } from './api.js';

// The server speaks every two seconds; after so long a silence the connection is dead.
const SILENCE_MS = 12_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];

/**
 * Follows the stream for ever. `hear(kind, data)` gets what is said; `tell({ live, heard, retry, reason })` how the
 * connection stands: `live` is `connecting`, `live`, `lost` or `refused`, `retry` when it is tried again.
 */
export function follow(hear, tell) {
  let last = '';
  let failures = 0;
  let heard = null;
  let wake = () => {};

  async function once() {
    const abort = new AbortController();
    let watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
    try {
      const headers = { Accept: 'text/event-stream', ...authorization(), ...(last && { 'Last-Event-ID': last }) };
      const answer = await fetch(route('stream'), { headers, signal: abort.signal, cache: 'no-store' });
      if (!answer.ok) return { refused: answer.status === 401 || answer.status === 403, reason: `the server answered ${answer.status}` };
      tell({ live: 'live', heard: (heard = Date.now()) });
      failures = 0;
      for await (const text of texts(answer.body)) {
        clearTimeout(watchdog);
        watchdog = setTimeout(() => abort.abort(), SILENCE_MS);
        tell({ live: 'live', heard: (heard = Date.now()) });
        take(text);
      }
      return { reason: 'the server closed the connection' };
    } catch (error) {
      return { reason: error.name === 'AbortError' ? 'the server is silent' : 'the server does not answer' };
    } finally {
      clearTimeout(watchdog);
    }
  }

  let rest = '';
  function take(text) {
    const parts = (rest + text.replaceAll('\r\n', '\n')).split('\n\n');
    rest = parts.pop();
    parts.forEach(one);
  }

  function one(block) {
    let kind = 'message';
    const data = [];
    for (const line of block.split('\n')) {
      const [, key, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (key === 'event') kind = value;
      if (key === 'data') data.push(value);
      if (key === 'id') last = value;
    }
    if (data.length === 0) return;
    let value;
    try {
      value = JSON.parse(data.join('\n'));
    } catch {
      return;
    }
    hear(kind, value);
  }

  async function forever() {
    for (;;) {
      rest = '';
      const { refused, reason } = await once();
      const wait = RETRY_MS[Math.min(failures, RETRY_MS.length - 1)];
      failures += 1;
      tell({ live: refused ? 'refused' : 'lost', heard, reason, retry: Date.now() + wait });
      await new Promise((resolve) => {
        wake = resolve;
        setTimeout(resolve, wait);
      });
      tell({ live: refused ? 'refused' : 'lost', heard, reason, retry: null });
    }
  }

  forever();
  return { retry: () => wake() };
}

async function* texts(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
