import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Config } from '../../../src/config/config.ts';
import { ConfigError, loadConfig } from '../../../src/config/load-config.ts';

const defaults = {
  file: 'config.toml',
  text: readFileSync(new URL('../../../config.toml', import.meta.url), 'utf8'),
};
const roomVersions = ['1', '10', '12'];

function load(own?: string, environment: Record<string, string> = {}): Config {
  const sources = { defaults, environment, roomVersions, cores: 2 };
  return loadConfig(own === undefined ? sources : { ...sources, own: { file: 'my.toml', text: own } });
}

function problemOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('configuration', () => {
  it('has a default for every option', () => {
    const config = load();
    expect(config.server).to.deep.include({ name: 'localhost', gateways: 1 });
    expect(config.server.listen).to.deep.equal({ host: '127.0.0.1', port: 8008 });
    expect(config.registration.open).to.equal(false);
    expect(config.rooms.defaultVersion).to.equal('12');
    expect(config.federation.listen).to.equal(null);
  });

  it('lets the file win over the defaults and the environment over the file', () => {
    const own = '[server]\nname = "example.org"\ngateways = 3\n';
    const config = load(own, { TROUPE_SERVER_GATEWAYS: '4', HOME: '/root' });
    expect(config.server.name).to.equal('example.org');
    expect(config.server.gateways).to.equal(4);
    expect(config.server.listen.port).to.equal(8008);
  });

  it('reads every kind of value from the environment', () => {
    const config = load(undefined, {
      TROUPE_SERVER_LISTEN: '[::1]:0',
      TROUPE_REGISTRATION_OPEN: 'true',
      TROUPE_RATE_LIMITS_ENABLED: 'false',
      TROUPE_RATE_LIMITS_LOGIN: '{ per_second = 1.5, burst = 2 }',
      TROUPE_ROOMS_DEFAULT_VERSION: '10',
      TROUPE_ACTORS_PLACEMENT: '{ rooms = "main" }',
      TROUPE_SERVER_NAME: '12',
    });
    expect(config.server.listen).to.deep.equal({ host: '::1', port: 0 });
    expect(config.registration.open).to.equal(true);
    expect(config.rateLimits.enabled).to.equal(false);
    expect(config.rateLimits.login).to.deep.equal({ perSecond: 1.5, burst: 2 });
    expect(config.rooms.defaultVersion).to.equal('10');
    expect(config.actors.placement).to.deep.equal({ rooms: 'main' });
    expect(config.server.name).to.equal('12');
  });

  it('8.1 takes a room version as text or whole number and lists the known ones otherwise', () => {
    expect(load('[rooms]\ndefault_version = 10').rooms.defaultVersion).to.equal('10');
    expect(load('[rooms]\ndefault_version = "10"').rooms.defaultVersion).to.equal('10');
    const problem = problemOf(() => load('\n[rooms]\ndefault_version = "nope"'));
    expect(problem).to.equal('my.toml:3: rooms.default_version must be one of "1", "10", "12", not "nope"');
  });

  const wrong: readonly [string, string, string][] = [
    [
      'an unknown key',
      '[server]\n\nnmae = "x"',
      'my.toml:3: there is no option server.nmae; there are: name, listen',
    ],
    [
      'an unknown section',
      '[sever]\nname = "x"',
      'my.toml:1: there is no section [sever]; there are: server',
    ],
    [
      'a wrong type',
      '[server]\ngateways = "two"',
      'my.toml:2: server.gateways must be a whole number from 0 to 64, not "two"',
    ],
    ['a number for a text', '[data]\npath = 5', 'my.toml:2: data.path must be the path of a folder, not 5'],
    ['a value out of range', '[server]\ngateways = 65', 'my.toml:2: server.gateways must be'],
    ['a key before any section', 'name = "x"', 'my.toml:1: there is no section [name]'],
    [
      'a bad address',
      '[server]\nlisten = "8008"',
      'my.toml:2: server.listen must be "host:port", the port 0 to 65535, not "8008"',
    ],
    [
      'a bad nested value',
      '[rate_limits]\nlogin = { per_second = 0, burst = 1 }',
      'my.toml:2: rate_limits.login must be',
    ],
    ['broken TOML', '[server\nname = 1', 'my.toml:1:'],
    ['an impossible port', '[server]\nlisten = "a:70000"', 'my.toml:2: server.listen must be'],
  ];
  for (const [name, text, expected] of wrong) {
    it(`stops at ${name}, with file and line and what is allowed`, () => {
      expect(problemOf(() => load(text))).to.include(expected);
    });
  }

  it('leaves alone what the binary and npm start read before there is a configuration', () => {
    expect(load('', { TROUPE_CACHE_DIR: '/var/cache/troupe' })).to.deep.equal(load(''));
    expect(load('', { TROUPE_FROM_SOURCE: '1' })).to.deep.equal(load(''));
  });

  it('names every problem at once, the misspelt variable included', () => {
    const problem = problemOf(() =>
      load('[server]\ngateways = -1', { TROUPE_SERVER_NAEM: 'x', TROUPE_LOG_LEVEL: 'loud' }),
    );
    expect(problem.split('\n')).to.have.length(3);
    expect(problem).to.include('TROUPE_SERVER_NAEM: names no option');
    expect(problem).to.include('TROUPE_LOG_LEVEL: log.level must be one of "trace"');
  });
});
