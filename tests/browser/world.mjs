// A world for the tests: data centres on loopback that speak HTTP and can fail, the real server that checks them,
// clients whose resolvers tell their networks, and a browser.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { mkdtemp, mkdir, rm, writeFile, readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { createServer as createListener } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const HERE = dirname(fileURLToPath(import.meta.url));
export const ROOT = join(HERE, '../..');
export const TOKEN = 'browser-test-token-0123456789abcdef';
// How long anything may take on a busy machine before a test gives up.
export const PATIENCE_MS = 30_000;

const CENTERS = { fra: '127.0.1', ams: '127.0.4', iad: '127.0.2', sin: '127.0.3' };
const ZONE = '$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 86400 60\n@ NS ns1\nns1 A 192.0.2.53\n';

// Where `isMeasured`, `api` is ranked by latency. Where `isFed`, each data centre tells its load itself, with what it can carry.
const FEED = 'load     = { push = true, every = "2s", max_age = "16s" }\n';

const regions = (port, isFed, isMeasured) => `
[regions.fra]
label    = "Frankfurt"
location = { lat = 50.11, lon = 8.68 }
${isFed ? FEED : 'capacity = { target = 4000, max = 5000 }\n'}[regions.ams]
label    = "Amsterdam"
location = { lat = 52.37, lon = 4.90 }
${isFed ? FEED : ''}[regions.iad]
label    = "Ashburn"
location = { lat = 38.95, lon = -77.45 }
${isFed ? FEED : ''}[regions.sin]
label    = "Singapore"
location = { lat = 1.35, lon = 103.99 }
${isFed ? FEED : ''}

[checks.web]
http     = { path = "/healthz", port = ${port} }
interval = "1s"
timeout  = "900ms"
retry    = "200ms"
fall     = 2
rise     = 2

[policies.near]
mode = "active-active"
ramp = "30s"

[services.web]
names  = ["www.example.com", "*.apps.example.com"]
policy = "near"
check  = "web"
ttl    = { min = 1, max = 5 }
[services.web.endpoints]
${Object.entries(CENTERS).map(([key, net]) => `${key} = ["${net}.10", "${net}.11"]`).join('\n')}

[services.api]
names  = ["api.example.com"]
policy = "${isMeasured ? 'latency' : 'weighted'}"
check  = "web"
ttl    = { min = 1, max = 5 }
[services.api.endpoints]
${Object.entries(CENTERS).map(([key, net]) => `${key} = ["${net}.20"]`).join('\n')}

[services.shop]
names  = ["shop.example.com"]
policy = "failover"
order  = ["iad", "fra"]
check  = "web"
ttl    = { min = 1, max = 5 }
[services.shop.endpoints]
iad = ["127.0.2.30"]
fra = ["127.0.1.30"]
`;

/** A free port on `address`, for TCP; another process could take it before we do, which then shows. */
export function freePort(address = '127.0.0.1') {
  return new Promise((resolve, reject) => {
    const listener = createListener().once('error', reject).listen(0, address, () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

/** Waits until `look` gives something, and gives that. */
export async function until(look, what, patience = PATIENCE_MS) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One data centre: every address of its network, in one listener each. */
class Center {
  constructor(net, port) {
    this.hosts = [10, 11, 20, 30].map((host) => `${net}.${host}`);
    this.port = port;
    this.listeners = [];
  }

  async live() {
    this.listeners = await Promise.all(this.hosts.map((host) => new Promise((resolve, reject) => {
      const listener = createServer((_, answer) => answer.end('ok')).once('error', reject);
      listener.listen(this.port, host, () => resolve(listener));
    })));
  }

  /** From now on connections are refused. */
  async die() {
    const gone = this.listeners.map((listener) => new Promise((resolve) => {
      listener.close(resolve);
      listener.closeAllConnections();
    }));
    this.listeners = [];
    await Promise.all(gone);
  }
}

/** The world; `stop` ends all of it. */
export class World {
  static async start({ isFed = false, isMeasured = false } = {}) {
    const world = new World();
    Object.assign(world, { isFed, isMeasured });
    world.folder = await mkdtemp(join(tmpdir(), 'meridian-browser-'));
    const port = await freePort();
    world.centers = Object.fromEntries(Object.entries(CENTERS).map(([key, net]) => [key, new Center(net, port)]));
    await Promise.all(Object.values(world.centers).map((center) => center.live()));
    [world.dns, world.admin] = [await freePort(), await freePort()];
    [world.base, world.api] = Array(2).fill(`http://127.0.0.1:${world.admin}/`);
    await world.write(port);
    await world.serve();
    if (process.env.SITE) await world.stand();
    return world;
  }

  async write(port) {
    await mkdir(join(this.folder, 'zones'));
    await mkdir(join(this.folder, 'state'));
    const put = (name, text) => writeFile(join(this.folder, name), text);
    await put('zones/example.com.zone', ZONE);
    await put('zones/regions.toml', regions(port, this.isFed, this.isMeasured));
    await put('state/admin.token', `${TOKEN}\n`);
    await put('meridian.toml', `[dns]\nlisten = ["127.0.0.1:${this.dns}"]\n[admin]\nlisten = "127.0.0.1:${this.admin}"\n[geoip]\nfolder = "${join(ROOT, 'geoip')}"\n[log]\nlevel = "warn"\n[latency]\nevery = "1s"\n`);
  }

  /** Starts the server, also again: its files and its ports stay. */
  async serve() {
    this.server = spawn(process.env.MERIDIAN, ['serve', '--config', join(this.folder, 'meridian.toml')], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    this.server.stderr.on('data', (text) => { said += text; });
    await until(async () => {
      if (this.server.exitCode !== null) throw new Error(`the server ended: ${said}`);
      return fetch(`${this.api}readyz`).then((answer) => answer.ok, () => false);
    }, 'the server is ready');
    await until(async () => (await this.get('checks')).every((check) => check.state === 'up'), 'all checks pass');
  }

  /** With `SITE=1` the page comes from the folder of its sources, not from the program: no build while working on it. */
  async stand() {
    const types = { html: 'text/html', css: 'text/css', js: 'text/javascript', json: 'application/json', svg: 'image/svg+xml' };
    this.stood = createServer(async (asked, answer) => {
      const path = asked.url.split('?')[0];
      const own = path === '/' ? 'index.html' : path.startsWith('/assets/') && path.slice(8);
      if (own) {
        const policy = { 'Content-Security-Policy': "default-src 'self'", 'Content-Type': types[own.split('.').at(-1)] };
        return answer.writeHead(200, policy).end(await readFile(join(ROOT, 'src/admin/site', own)));
      }
      const { host, ...headers } = asked.headers;
      const there = request(new URL(asked.url, this.api), { method: asked.method, headers }, (said) => said.pipe(answer.writeHead(said.statusCode, said.headers)));
      there.on('error', () => asked.destroy());
      answer.on('close', () => there.destroy());
      return asked.pipe(there);
    });
    await new Promise((resolve) => this.stood.listen(0, '127.0.0.1', resolve));
    this.base = `http://127.0.0.1:${this.stood.address().port}/`;
  }

  /** Ends the server at once. */
  async kill() {
    const gone = new Promise((resolve) => this.server.once('exit', resolve));
    this.server.kill('SIGKILL');
    await gone;
  }

  get(path) {
    return fetch(`${this.api}api/v1/${path}`).then((answer) => answer.json());
  }

  /** Says something as an operator with the token. */
  async say(path, body) {
    const headers = { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'application/json' };
    const answer = await fetch(`${this.api}api/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return answer.json();
  }

  /** Clients of all countries ask without end: their number is about `perSecond`. */
  async ask(perSecond = 300) {
    const { countries } = await this.get('world?service=web');
    const networks = countries.map((one) => /(\d+\.\d+\.\d+\.\d+)\//.exec(one.sample ?? '')?.[1]).filter(Boolean);
    const socket = createSocket('udp4');
    socket.on('error', () => {});
    // Clients go where they are told: this is what data centres see of them.
    this.went = Object.fromEntries(Object.keys(CENTERS).map((key) => [key, 0]));
    socket.on('message', (answer) => {
      const key = centerOf(answer);
      if (key) this.went[key] += 1;
    });
    let turn = 0;
    const names = ['www.example.com', 'www.example.com', 'api.example.com', 'shop.example.com'];
    this.asking = setInterval(() => {
      for (let index = 0; index < perSecond / 20; index += 1) {
        turn += 1;
        socket.send(query(turn, names[turn % names.length], networks[(turn * 7) % networks.length]), this.dns, '127.0.0.1', () => {});
      }
    }, 50);
    this.socket = socket;
  }

  /**
   * Data centres tell their load every second, as it follows from the clients that went there, and what they can carry:
   * `this.limits`, by region. Who has no limits there tells nothing.
   */
  feed(limits) {
    this.limits = limits;
    let [before, at] = [{ ...this.went }, performance.now()];
    const smoothed = {};
    this.feeding = setInterval(() => {
      const now = performance.now();
      const readings = [];
      for (const [key, went] of Object.entries(this.went)) {
        const rate = ((went - before[key]) * 1_000) / (now - at);
        smoothed[key] = smoothed[key] === undefined ? rate : smoothed[key] * 0.6 + rate * 0.4;
        if (this.limits[key]) readings.push({ region: key, metrics: { load: smoothed[key], ...this.limits[key] } });
      }
      this.loads = smoothed;
      [before, at] = [{ ...this.went }, now];
      if (readings.length > 0) this.say('loads', { readings }).catch(() => {});
    }, 1_000);
  }

  async stop() {
    clearInterval(this.asking);
    clearInterval(this.feeding);
    this.socket?.close();
    this.stood?.closeAllConnections();
    this.stood?.close();
    await this.kill();
    await Promise.all(Object.values(this.centers).map((center) => center.die()));
    await rm(this.folder, { recursive: true });
  }
}

/** The data centre of the first address of an answer, whose first record has a compressed name. */
function centerOf(answer) {
  if (answer.readUInt16BE(6) === 0) return undefined;
  let at = 12;
  while (answer[at] !== 0) at += 1 + answer[at];
  const address = answer.subarray(at + 17, at + 21).join('.');
  return Object.keys(CENTERS).find((key) => address.startsWith(`${CENTERS[key]}.`));
}

/** A query for A with the client's /24. */
function query(id, name, client) {
  const labels = name.split('.').flatMap((label) => [label.length, ...Buffer.from(label)]);
  const net = client.split('.').map(Number).slice(0, 3);
  return Buffer.from([id >> 8 & 255, id & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, ...labels, 0, 0, 1, 0, 1,
    0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 11, 0, 8, 0, 7, 0, 1, 24, 0, ...net]);
}

/** A browser; a page of it notes what must not happen: `faults`. */
export class Browser {
  static async start() {
    const browser = new Browser();
    const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
    browser.chromium = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args });
    return browser;
  }

  /** A page with its own storage. `isCut`: requests may fail, because the test cuts the line. */
  async page({ width = 1440, height = 900, theme = 'light', isCut = false, motion = 'reduce' } = {}) {
    const context = await this.chromium.newContext({ viewport: { width, height }, colorScheme: theme, reducedMotion: motion });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.faults = [];
    page.requested = [];
    page.on('pageerror', (error) => page.faults.push(`${error}`));
    page.on('console', (message) => {
      // A line that is cut, and a token that is refused, are told by the browser itself.
      const isExpected = message.type() !== 'error' || (isCut && /Failed to load resource/.test(message.text()));
      if (!isExpected) page.faults.push(message.text());
    });
    page.on('request', (request) => page.requested.push(request.url()));
    return page;
  }

  async stop() {
    await this.chromium.close();
  }
}

/** Opens one of the pages and waits until it shows what the server says. */
export async function open(page, world, path = 'world') {
  await page.goto(`${world.base}#/${path}`);
  await page.locator('#live[data-live="live"]').waitFor();
  await page.locator('#headline:not([data-level="wait"])').waitFor();
}

/** The sentence at the top. */
export const headline = (page) => page.locator('#headline .first');

export const axePath = join(HERE, 'node_modules/axe-core/axe.min.js');
export const readText = (path) => readFile(path, 'utf8');

/** The class of countries that this region answers: regions have their shade by the server's order. */
export async function shadeOf(world, key) {
  return `.fill${(await world.get('regions')).findIndex((region) => region.key === key) + 1}`;
}
