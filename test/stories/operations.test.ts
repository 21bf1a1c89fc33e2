import { execFileSync } from 'node:child_process';
import { globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import type { HttpClient } from '../support/http-client.ts';
import { missingNotify, type NotifySocket, openNotifySocket } from '../support/notify-socket.ts';
import { clientOfUrl, eventually, pause } from '../support/person.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;
const INSPECTOR = '/_troupe/inspector/v1';
const WATCHDOG_MICROS = 800_000;
const MICROSECONDS_PER_SECOND = 1_000_000;
const SUPPORT = '/.well-known/matrix/support';
const SAYS_BOTH = { uncheckedBecause: 'a part that is not well says so' };

/** A parser that nobody here wrote: the one of Prometheus' own client for Python, which Synapse brings. */
const PARSER = `
import sys
from prometheus_client.parser import text_string_to_metric_families as text
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
families = list((openmetrics if sys.argv[1] == "openmetrics" else text)(sys.stdin.read()))
for family in families:
    assert family.documentation, family.name
    assert family.type in ("counter", "gauge", "histogram"), family
    for sample in family.samples:
        # A duplicate, or a label that holds an id, would have no end.
        assert "@" not in "".join(v for k, v in sample.labels.items() if k not in ("actor",)), sample
        assert "!" not in "".join(sample.labels.values()), sample
names = {family.name for family in families}
keys = [(s.name, tuple(sorted(s.labels.items()))) for f in families for s in f.samples]
assert len(keys) == len(set(keys)), "duplicates"
print(len(names), len(keys))
`;

function pythonWithParser(): string | undefined {
  const places = globSync(
    new URL('../../node_modules/.cache/synapse/*/bin/python', import.meta.url).pathname,
  );
  return [...places, 'python3'].find((python) => {
    try {
      execFileSync(python, ['-c', 'import prometheus_client'], { stdio: 'pipe' });
      return true;
    } catch {
      return false;
    }
  });
}

describe('a server that is operated', function () {
  this.timeout(STORY_TIMEOUT_MS);
  const folder = mkdtempSync(join(tmpdir(), 'troupe-operations-'));
  const configFile = join(folder, 'my.toml');
  let notify: NotifySocket | undefined;
  let server: TroupeProcess;
  let http: HttpClient;
  let inspector: HttpClient;

  before(async () => {
    const missing = missingNotify();
    if (missing !== undefined)
      process.stdout.write(`note: systemd is told nothing in these tests: ${missing}\n`);
    else notify = await openNotifySocket(join(folder, 'notify'));
    writeFileSync(configFile, '[server]\nadmin_contact = "mailto:first@example.org"\n');
    server = await startTroupe({
      mischief: true,
      args: ['start', '--config', configFile],
      environment:
        notify === undefined ? {} : { NOTIFY_SOCKET: notify.path, WATCHDOG_USEC: String(WATCHDOG_MICROS) },
    });
    http = clientOfUrl(server.url);
    inspector = clientOfUrl(server.inspectorUrl);
  });
  after(async () => {
    http?.close();
    inspector?.close();
    await server?.dispose();
    notify?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const told = (name: string): readonly string[] =>
    (notify?.messages() ?? []).flatMap((message) => message[name] ?? []);
  const statuses = (): string => told('STATUS').join('\n');

  it('tells systemd when it answers, and that it is well', async function () {
    if (notify === undefined) this.skip();
    await eventually('READY', () => told('READY').length === 1);
    expect(notify.messages()[0]).to.deep.equal({
      READY: '1',
      STATUS: `Serving localhost on ${server.url}`,
    });
    await eventually('the watchdog to be fed', () => told('WATCHDOG').length >= 3, 5_000);
  });

  it('reads its configuration again at SIGHUP', async () => {
    const contact = async (): Promise<string> => (await http.get(SUPPORT)).text;
    expect(await contact()).to.contain('first@example.org');
    writeFileSync(
      configFile,
      '[server]\nname = "other.example"\nadmin_contact = "mailto:second@example.org"\n',
    );
    const before = process.hrtime.bigint();
    process.kill(server.pid, 'SIGHUP');
    await eventually('the new contact', async () => (await contact()).includes('second@example.org'), 5_000);
    const { body } = await inspector.get(`${INSPECTOR}/config`);
    expect((body as JsonObject)['lastReload']).to.deep.include({
      outcome: 'applied',
      tookEffect: ['server.admin_contact'],
      needRestart: ['server.name'],
    });
    if (notify === undefined) return;
    await eventually('READY', () => told('READY').length === 2);
    expect(told('RELOADING')).to.deep.equal(['1']);
    // The clock that systemd looks at: CLOCK_MONOTONIC, in microseconds.
    const age = Number(told('MONOTONIC_USEC')[0]) - Number(before / 1000n);
    expect(age).to.be.within(0, 5 * MICROSECONDS_PER_SECOND);
    expect(statuses()).to.contain('1 options took effect, 1 need a restart');
  });

  it('keeps everything as it is when the configuration is wrong, and says where', async () => {
    writeFileSync(configFile, '[server]\nadmin_contact = "mailto:third@example.org"\ngateways = "many"\n');
    process.kill(server.pid, 'SIGHUP');
    await eventually('the log to say so', () => server.output().includes('the configuration is wrong'));
    expect(server.output()).to.contain(`${configFile}:3`).and.to.contain('server.gateways must be');
    expect((await http.get(SUPPORT)).text).to.contain('second@example.org');
    if (notify !== undefined)
      await eventually('systemd to be told', () => statuses().includes(`nothing changed: ${configFile}:3`));
    expect((await inspector.post(`${INSPECTOR}/config/reload`, {})).body).to.deep.include({
      outcome: 'wrong',
    });
  });

  it('writes more to the log when asked to, on one thread and for some time', async () => {
    const logged = (): number => server.output().split('"message":"request"').length - 1;
    const put = (body: JsonObject) => inspector.put(`${INSPECTOR}/log-level`, body);
    await http.get('/_matrix/client/versions');
    const before = logged();
    expect((await put({ level: 'info', thread: 'gateway-1', duration_ms: 2_000 })).status).to.equal(200);
    await eventually('a request in the log', async () => {
      await http.get('/_matrix/client/versions');
      return logged() > before;
    });
    expect(server.output()).to.match(/"thread":"gateway-1".*"message":"request"/);
    await eventually('its end', async () => {
      const { body } = await inspector.get(`${INSPECTOR}/log-level`);
      return ((body as JsonObject)['overrides'] as unknown[]).length === 0;
    });
    await http.get('/_matrix/client/versions');
    await pause(50);
    const after = logged();
    await http.get('/_matrix/client/versions');
    await pause(50);
    expect(logged()).to.equal(after);
    expect((await put({ level: 'loud' })).status).to.equal(400);
    expect((await put({ level: 'info', thread: 'gateway-9' })).status).to.equal(404);
    expect((await put({ level: 'info', actor: 'prompter' })).status).to.equal(404);
  });

  it('says that it is not ready while a gateway hangs, is measured all the same, and takes up the log level afterwards', async () => {
    const ready = () => inspector.get('/_troupe/health/ready', SAYS_BOTH);
    expect((await ready()).body).to.deep.include({ status: 'ready' });
    expect((await http.get('/_troupe/health/ready')).body).to.deep.include({ status: 'ready' });
    server.mischief({ kind: 'block', thread: 'gateway-1' });
    const notReady = await eventually('the server not to be ready', async () => {
      const answer = await ready();
      return answer.status === 503 ? answer : null;
    });
    expect(notReady.body).to.deep.equal({
      status: 'not ready',
      parts: { supervisor: 'ok', store: 'ok', committer: 'ok', gateways: 'not ok', disk: 'ok' },
    });
    expect((await inspector.get(`${INSPECTOR}/readiness`)).text).to.contain(
      'the thread gateway-1 is blocked',
    );
    expect((await inspector.get('/_troupe/health/live')).status).to.equal(200);
    expect((await inspector.get('/health')).status).to.equal(200);
    expect((await inspector.get('/metrics')).text).to.contain('troupe_thread_up{thread="gateway-1"} 0\n');
    await inspector.put(`${INSPECTOR}/log-level`, { level: 'info' });
    const before = server.output().length;
    server.unblock();
    await eventually('the server to be ready again', async () => (await ready()).status === 200);
    await http.get('/_matrix/client/versions');
    await eventually('a request in the log', () =>
      /"gateway-1".*"request"/.test(server.output().slice(before)),
    );
    await inspector.put(`${INSPECTOR}/log-level`, { level: null });
  });

  it('gives its figures as Prometheus reads them', async function () {
    const python = pythonWithParser();
    const text = await inspector.get('/metrics');
    expect(text.headers['content-type']).to.equal('text/plain; version=0.0.4; charset=utf-8');
    const headers = { Accept: 'application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5' };
    const openmetrics = await inspector.get('/metrics', { headers });
    expect(openmetrics.headers['content-type']).to.equal(
      'application/openmetrics-text; version=1.0.0; charset=utf-8',
    );
    expect(openmetrics.text.endsWith('\n# EOF\n')).to.equal(true);
    expect((await http.get('/metrics')).status, 'for administrators on the main port').to.equal(401);
    if (python === undefined) {
      process.stdout.write(
        'note: the metrics are not parsed: there is no prometheus_client for Python here\n',
      );
      return;
    }
    for (const [format, input] of [
      ['text', text.text],
      ['openmetrics', openmetrics.text],
    ] as const) {
      const counts = execFileSync(python, ['-c', PARSER, format], { input })
        .toString()
        .split(' ')
        .map(Number);
      expect(counts[0], format).to.be.greaterThan(50);
      expect(counts[1], format).to.be.greaterThan(1_000);
    }
  });

  it('tells systemd that it stops', async function () {
    expect(await server.stop()).to.equal(0);
    if (notify === undefined) this.skip();
    await eventually('STOPPING', () => told('STOPPING').length === 1);
  });
});
