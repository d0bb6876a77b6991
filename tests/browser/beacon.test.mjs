// The beacon of dist/rum in a page: it measures two "regions" that take their time, posts that to the page's own web
// server, which hands it to `meridian agent`, which reports it to a stand-in for a node.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Browser, ROOT, TOKEN, readText, until } from './world.mjs';

const NEAR_MS = 20;
const FAR_MS = 150;
const CLIENT = '203.0.113.77';

const servers = [];
let browser;
let agent;
let folder;
let site;
let node;
let near;
let far;
let said = '';

/** A server on loopback; `asked` are the paths of its requests. */
async function serve(answer) {
  const server = createServer((asked, reply) => {
    server.asked.push(asked.url);
    answer(asked, reply);
  });
  server.asked = [];
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.base = `http://127.0.0.1:${server.address().port}`;
  servers.push(server);
  return server;
}

const region = (ms, headers) => serve((_, reply) => setTimeout(() => reply.writeHead(204, headers).end(), ms));

/** The page, as docs/agent.md has it set up. `/never` belongs to the visitors that are not sampled. */
async function page(asked, reply) {
  if (asked.url === '/beacon.js') {
    return reply.writeHead(200, { 'Content-Type': 'text/javascript' }).end(await readText(join(ROOT, 'dist/rum/beacon.js')));
  }
  if (asked.url === '/beacon') {
    const port = agent.address.split(':').at(-1);
    const headers = { ...asked.headers, 'X-Forwarded-For': CLIENT };
    const handed = request({ host: '127.0.0.1', port, path: '/beacon', method: asked.method, headers }, (told) => {
      site.told.push(told.statusCode);
      told.pipe(reply.writeHead(told.statusCode));
    });
    return asked.pipe(handed);
  }
  const sample = asked.url === '/never' ? 0 : 1;
  const policy = `default-src 'none'; img-src data:; script-src 'self'; connect-src 'self' ${near.base} ${far.base}`;
  return reply.writeHead(200, { 'Content-Type': 'text/html', 'Content-Security-Policy': policy }).end(`<!doctype html><title>A page</title>
    <link rel="icon" href="data:,">
    <script async src="/beacon.js" data-to="/beacon" data-sample="${sample}" data-path="/meridian" data-regions="near=${near.base}, far=${far.base}"></script>`);
}

before(async () => {
  near = await region(NEAR_MS, {});
  far = await region(FAR_MS, { 'Timing-Allow-Origin': '*' });
  node = await serve((asked, reply) => {
    const parts = [];
    asked.on('data', (part) => parts.push(part));
    asked.on('end', () => {
      node.reports.push(JSON.parse(Buffer.concat(parts)));
      reply.end('{"taken":2,"thinned":0,"refused":[],"refused_in_all":0}');
    });
  });
  node.reports = [];
  site = await serve(page);
  site.told = [];
  folder = await mkdtemp(join(tmpdir(), 'meridian-beacon-'));
  await writeFile(join(folder, 'token'), TOKEN);
  const options = ['--beacons', '127.0.0.1:0', '--beacon-regions', 'near,far', '--trusted-proxy', '127.0.0.1', '--every', '1s'];
  agent = spawn(process.env.MERIDIAN, ['agent', '--log-format', 'json', '--to', node.base, '--token-file', join(folder, 'token'), ...options], { stdio: ['ignore', 'ignore', 'pipe'] });
  agent.stderr.on('data', (text) => { said += text; });
  await until(() => said.includes('"ready"'), 'the agent is ready');
  agent.address = said.split('\n').filter(Boolean).map((line) => JSON.parse(line)).find(({ message }) => message === 'listening').address;
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  agent?.kill();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  if (folder) await rm(folder, { recursive: true });
});

/** Lets the browser do all that it would do now. */
const settle = (open) => open.evaluate(async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((done) => requestIdleCallback(done));
});

test('a page measures regions, and the agent reports what it measured', async () => {
  const open = await browser.page();
  await open.goto(`${site.base}/`);
  await until(() => node.reports.length > 0, 'a report has come');
  const [report] = node.reports;
  assert.deepEqual(site.told, [204]);
  assert.equal(report.source, 'beacon');
  const rows = Object.fromEntries(report.measurements.map((row) => [row.region, row]));
  assert.deepEqual(Object.keys(rows).sort(), ['far', 'near']);
  for (const row of report.measurements) {
    assert.deepEqual([row.client, row.samples], ['203.0.113.0/24', 1]);
  }
  assert.ok(rows.near.ms >= NEAR_MS * 0.9 && rows.far.ms >= FAR_MS * 0.9, JSON.stringify(rows));
  assert.ok(rows.near.ms < rows.far.ms, JSON.stringify(rows));
  // One to warm up, three that count.
  assert.deepEqual([near.asked.length, far.asked.length], [4, 4]);
  assert.ok(near.asked.every((path) => path.startsWith('/meridian?')), near.asked.join());
  assert.deepEqual(open.faults, [], 'the policy of the page lets it');
  // Once an hour: not when the page is opened again.
  await open.reload({ waitUntil: 'load' });
  await settle(open);
  assert.deepEqual([near.asked.length, far.asked.length, site.told.length], [4, 4, 1]);
  await open.context().close();
});

test('visitors that are not sampled measure nothing', async () => {
  const open = await browser.page();
  const before = near.asked.length + far.asked.length;
  await open.goto(`${site.base}/never`, { waitUntil: 'load' });
  await settle(open);
  assert.equal(near.asked.length + far.asked.length, before);
  assert.equal(await open.evaluate(() => sessionStorage.length), 0);
  await open.context().close();
});

test('a region that is not there is left out, and the others are told', async () => {
  const open = await browser.page();
  await open.route(`${far.base}/**`, (route) => route.abort());
  const before = node.reports.length;
  await open.goto(`${site.base}/`);
  await until(() => node.reports.length > before, 'another report has come');
  assert.deepEqual(node.reports.at(-1).measurements.map(({ region: key }) => key), ['near']);
  await open.context().close();
});
