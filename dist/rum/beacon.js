// Measures the round trips from this browser to regions, and tells them to `meridian agent`: docs/agent.md.
(() => {
  const { to = '/beacon', regions = '', sample = '1', path = '/', every = '3600' } = document.currentScript.dataset;
  const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
  const idle = () => new Promise((done) => (self.requestIdleCallback ?? setTimeout)(done, { timeout: 2000 }));

  // Without storage nobody knows when the last time was: then nobody measures.
  function isDue() {
    try {
      const last = sessionStorage.meridianBeacon ?? 0;
      return Date.now() - last >= every * 1000 && !!(sessionStorage.meridianBeacon = Date.now());
    } catch {
      return false;
    }
  }

  async function request(url) {
    const began = performance.now();
    await fetch(url, { mode: 'no-cors', credentials: 'omit', cache: 'no-store', referrerPolicy: 'no-referrer', signal: AbortSignal.timeout(5000) });
    const took = performance.now() - began;
    let seen;
    for (let turn = 0; turn < 5 && !(seen = performance.getEntriesByName(url)[0]); turn += 1) await sleep(20);
    // Zero without Timing-Allow-Origin: then the whole fetch stands for the round trip.
    return seen?.requestStart > 0 ? seen.responseStart - seen.requestStart : took;
  }

  async function measure(origin) {
    let least;
    // The first of four pays for DNS, TCP and TLS.
    for (let turn = 0; turn < 4; turn += 1) {
      await idle();
      const ms = await request(new URL(`${path}?${Math.random()}`, origin).href);
      if (turn > 0 && !(least < ms)) least = ms;
    }
    return Math.round(least * 100) / 100;
  }

  async function run() {
    const ms = {};
    const all = regions.split(',').map((one) => [Math.random(), ...one.trim().split('=')]);
    for (const [, region, origin] of all.sort(([a], [b]) => a - b)) {
      const least = await measure(origin).catch(() => 0);
      if (least >= 0.05 && least <= 10000) ms[region] = least;
    }
    if (Object.keys(ms).length) navigator.sendBeacon(to, JSON.stringify({ v: 1, ms }));
  }

  if (Math.random() >= sample || navigator.connection?.saveData || !isDue()) return;
  if (document.readyState === 'complete') run();
  else addEventListener('load', run, { once: true });
})();
