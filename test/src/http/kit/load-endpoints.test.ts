import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { createApp } from '../../../../src/http/kit/app.ts';
import type { Services } from '../../../../src/http/kit/services.ts';
import { ENDPOINTS_FOLDER, loadEndpoints } from '../../../../src/http/kit/load-endpoints.ts';
import { systemClock } from '../../../../src/kit/clock.ts';
import { silentLogger } from '../../../../src/kit/logger.ts';
import { seededRandom } from '../../../../src/kit/random.ts';
import { silentMetrics } from '../../../support/database.ts';
import { testConfig } from './test-app.ts';

const source = (name: string): string =>
  `export const endpoint = { method: 'GET', path: '/${name}', spec: 'x', auth: 'none', rateLimit: null, reply: {}, needs: [], handle() {} };\n`;

describe('loading endpoints', () => {
  let folder: string;
  const write = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), text);
  };
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'troupe-endpoints-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('finds every file that exports an endpoint, at any depth, in the order of their names, and leaves out the kit', async () => {
    write('client/rooms/send.ts', source('send'));
    write('client/rooms/deeper/state.ts', source('state'));
    write('client/account/whoami.ts', source('whoami'));
    write('client/account/shared.ts', 'export const shared = 1;\n');
    write('kit/endpoint.ts', source('kit'));
    write('client/rooms/notes.md', 'not code');
    const paths = (await loadEndpoints(folder)).map(({ endpoint }) => endpoint.path);
    expect(paths).to.deep.equal(['/whoami', '/state', '/send']);
  });

  it('fails for an export called endpoint that is none, and for a folder without any', async () => {
    expect(String(await loadEndpoints(folder).catch((error: unknown) => error))).to.contain(
      'no endpoint under',
    );
    write('client/a/b.ts', "export const endpoint = 'GET /x';\n");
    expect(String(await loadEndpoints(folder).catch((error: unknown) => error))).to.contain(
      'is not made by defineEndpoint',
    );
  });
});

describe('the endpoints of this program', () => {
  it('are one to a file, each exported as `endpoint`', async () => {
    const entries = await readdir(ENDPOINTS_FOLDER, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => path.join(entry.parentPath, entry.name))
      .filter((file) => !file.startsWith(path.join(ENDPOINTS_FOLDER, 'kit')));
    expect(files).not.to.have.length(0);
    const wrong: string[] = [];
    for (const file of files) {
      const exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
      const endpoints = Object.entries(exported).filter(
        ([, value]) => typeof value === 'object' && value !== null && 'handle' in value && 'path' in value,
      );
      if (endpoints.some(([name]) => name !== 'endpoint')) wrong.push(path.relative(ENDPOINTS_FOLDER, file));
    }
    expect(wrong).to.deep.equal([]);
  });

  it('have paths of their own, name their specification, and fit together in one app', async () => {
    const endpoints = (await loadEndpoints()).map(({ endpoint }) => endpoint);
    for (const endpoint of endpoints) expect(endpoint.spec, endpoint.path).not.to.equal('');
    const anything = new Proxy({}, { get: () => ({}) });
    const app = createApp({
      endpoints,
      services: Object.fromEntries(
        endpoints.flatMap(({ needs }) => needs).map((need) => [need, anything]),
      ) as unknown as Services,
      config: testConfig(),
      log: silentLogger,
      clock: systemClock,
      random: seededRandom(1),
      metrics: silentMetrics,
    });
    expect(app.listener).to.be.a('function');
  });
});
