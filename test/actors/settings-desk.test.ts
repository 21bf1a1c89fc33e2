import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { createSettingsDesk, type Settings, type SettingsDesk } from '../../actors/settings-desk.ts';
import type { ConfigProblem } from '../../src/config/layer.ts';
import { loadConfigFile, toConfig } from '../../src/config/load-config.ts';
import { type ConfigFile, configSchema } from '../../src/config/schema.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { createFakeClock, type FakeClock } from '../support/fake-clock.ts';

const text = readFileSync(new URL('../../config.toml', import.meta.url), 'utf8');
const roomVersions = ['10', '11', '12'];

function fileOf(environment: Readonly<Record<string, string>>): ConfigFile {
  return loadConfigFile({ defaults: { file: 'config.toml', text }, environment, roomVersions });
}

describe('settings', () => {
  const REAL_PORT = { host: '127.0.0.1', port: 4711 };
  let clock: FakeClock;
  let told: Settings[];
  let found: ConfigFile | readonly ConfigProblem[];
  let desk: SettingsDesk;

  beforeEach(() => {
    clock = createFakeClock();
    told = [];
    const started = fileOf({ TROUPE_REGISTRATION_SHARED_SECRET: 'hush' });
    found = started;
    const config = toConfig(started, 3);
    desk = createSettingsDesk({
      config: { ...config, server: { ...config.server, listen: REAL_PORT } },
      source: { schema: configSchema(roomVersions), started, read: () => found },
      clock,
      log: silentLogger,
      tell: (settings) => told.push(settings),
    });
  });
  afterEach(() => desk.close());

  const values = () => new Map((desk.describeConfig()?.options ?? []).map((option) => [option.name, option]));

  it('take over what can change, and say what cannot', () => {
    found = fileOf({
      TROUPE_REGISTRATION_OPEN: 'true',
      TROUPE_SERVER_NAME: 'other.example',
      TROUPE_SERVER_LISTEN: '127.0.0.1:1',
    });
    const report = desk.reload();
    expect(report).to.deep.include({ outcome: 'applied', problems: [], ts: clock.now() });
    expect(report?.tookEffect).to.deep.equal(['registration.open', 'registration.shared_secret']);
    expect(report?.needRestart).to.deep.equal(['server.name', 'server.listen']);
    const [settings] = told;
    expect(settings?.config.registration.open).to.equal(true);
    expect(settings?.config.server).to.deep.include({ name: 'localhost', listen: REAL_PORT, gateways: 2 });
    expect(values().get('server.name')).to.deep.include({ value: 'localhost', needsRestart: true });
    expect(values().get('registration.open')).to.deep.include({ value: true, changes: 'live' });
  });

  it('say nothing to the threads when nothing has changed, and forget a wish that was taken back', () => {
    found = fileOf({ TROUPE_SERVER_NAME: 'other.example', TROUPE_REGISTRATION_SHARED_SECRET: 'hush' });
    expect(desk.reload()).to.deep.include({ outcome: 'unchanged', needRestart: ['server.name'] });
    found = fileOf({ TROUPE_REGISTRATION_SHARED_SECRET: 'hush' });
    expect(desk.reload()).to.deep.include({ outcome: 'unchanged', needRestart: [] });
    expect(told).to.deep.equal([]);
  });

  it('stay as they are when the file is wrong', () => {
    found = [{ where: 'my.toml:3', what: 'log.level must be …' }];
    expect(desk.reload()).to.deep.include({ outcome: 'wrong', tookEffect: [], problems: found });
    expect(told).to.deep.equal([]);
    expect(desk.describeConfig()?.lastReload?.outcome).to.equal('wrong');
  });

  it('show no secret', () => {
    expect(values().get('registration.shared_secret')?.value).to.equal('(not shown)');
    expect(values().get('voip.turn_password')?.value, 'there is none').to.equal('');
    expect(JSON.stringify(desk.describeConfig())).not.to.contain('hush');
  });

  it('set log levels for everything, a thread and an actor, and take them back when their time is over', async () => {
    const levels = () => told.at(-1)?.logLevels;
    desk.setLogLevel({ thread: null, actor: null, level: 'debug', forMs: 1_000 });
    desk.setLogLevel({ thread: 'store', actor: null, level: 'warn', forMs: null });
    desk.setLogLevel({ thread: null, actor: 'rooms', level: 'trace', forMs: 2_000 });
    expect(levels()).to.deep.equal({
      level: 'debug',
      threads: { store: 'warn' },
      actors: { rooms: 'trace' },
    });
    await clock.advance(1_000);
    expect(levels()).to.deep.equal({ level: 'info', threads: { store: 'warn' }, actors: { rooms: 'trace' } });
    await clock.advance(1_000);
    desk.setLogLevel({ thread: 'store', actor: null, level: null, forMs: null });
    expect(levels()).to.deep.equal({ level: 'info', threads: {}, actors: {} });
    expect(desk.logLevels()).to.deep.equal({ configured: 'info', overrides: [] });
    expect(clock.pendingTimers).to.equal(0);
  });

  it('follow the level of the file when that changes, whatever was set before', () => {
    desk.setLogLevel({ thread: null, actor: null, level: 'debug', forMs: 60_000 });
    found = fileOf({ TROUPE_LOG_LEVEL: 'warn', TROUPE_REGISTRATION_SHARED_SECRET: 'hush' });
    desk.reload();
    expect(told.at(-1)?.logLevels.level).to.equal('warn');
    expect(clock.pendingTimers).to.equal(0);
  });
});
