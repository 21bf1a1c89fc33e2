import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { checkConfig } from '../../../src/cli/config-check.ts';
import { BUILT_IN_CONFIG, readConfig } from '../../../src/cli/read-config.ts';
import { IMPLEMENTATION } from '../../../src/http/kit/implementation.ts';
import { runCommandHere } from '../../support/command-run.ts';

const MODE_BITS = 0o777;

/** Every command, as it is typed. */
const ALL = [
  'start',
  'init',
  'check-config',
  'user create',
  'user reset-password',
  'user list',
  'user deactivate',
  'token create',
  'version',
];

describe('the command line', () => {
  let folder: string;
  let environment: Record<string, string>;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'troupe-cli-'));
    environment = { TROUPE_DATA_PATH: join(folder, 'data') };
  });
  after(() => rmSync(folder, { recursive: true }));

  it('explains itself, and each command', async () => {
    const { code, out, said } = await runCommandHere(['--help']);
    expect([code, said]).to.deep.equal([0, '']);
    for (const name of ALL) expect(out).to.contain(name.split(' ')[0]);
    expect(out).to.contain('Exit codes: 0 done, 1 failed, 2 wrong usage.');
    for (const name of ALL) {
      const help = await runCommandHere([...name.split(' '), '--help']);
      expect([help.code, help.said], name).to.deep.equal([0, '']);
      expect(help.out, name).to.match(new RegExp(`^Usage: troupe ${name}`));
      expect(help.out, name).to.contain('--config <FILE>');
      const longest = Math.max(...help.out.split('\n').map((line) => line.length));
      expect(longest, name).to.be.at.most(105);
    }
  });

  it('says in one sentence what is wrong with it, with a hint, and ends with 2', async () => {
    for (const [args, sentence] of [
      [['usr', 'list'], `troupe: unknown command 'usr' (did you mean user?)`],
      [['user', 'lst'], `troupe: unknown command 'lst' (did you mean list?)`],
      [['--confg', 'x'], `troupe: unknown option '--confg' (did you mean --config?)`],
      [['user', 'create', 'a', '--adm'], `troupe: unknown option '--adm' (did you mean --admin?)`],
      [['user', 'create'], `troupe: missing required argument 'NAME'`],
      [['user', 'list', 'x'], `troupe: too many arguments for 'list'. Expected 0 arguments but got 1: x.`],
      [
        ['token', 'create', '--uses', '0'],
        `troupe: option '--uses <N>' argument '0' is invalid. It is a whole number from 1 on, or "unlimited".`,
      ],
    ] as const)
      expect(await runCommandHere(args), args.join(' ')).to.deep.equal({
        code: 2,
        out: '',
        said: `${sentence}\nSee "troupe --help".\n`,
      });
    expect(await runCommandHere(['user', 'deactivate', 'ann'])).to.deep.equal({
      code: 2,
      out: '',
      said: 'troupe: this cannot be undone: say that you mean it with --yes\n',
    });
    const both = await runCommandHere(['user', 'create', 'ann', '--generate', '--password-stdin']);
    expect([both.code, both.said]).to.deep.equal([
      2,
      'troupe: --password-stdin and --generate exclude each other\n',
    ]);
    expect((await runCommandHere(['user'])).code).to.equal(2);
  });

  it('says its version, and those of what it runs on', async () => {
    expect((await runCommandHere(['--version'])).out).to.equal(`${IMPLEMENTATION.version}\n`);
    const { code, out } = await runCommandHere(['version', '--json']);
    expect(code).to.equal(0);
    expect(JSON.parse(out)).to.include({
      troupe: IMPLEMENTATION.version,
      node: process.versions.node,
    });
    expect((await runCommandHere(['version'])).out).to.match(
      /^troupe {2}\d+\.\d+\.\d+\n(.*\n)*sqlite {2}3\./,
    );
  });

  it('asks for a password that is there, before anything is started', async () => {
    for (const [input, sentence] of [
      ['\n', 'the password is empty: give one on standard input, or have one made with --generate'],
      ['one\ntwo\n', 'standard input holds more than one short line'],
      ['x'.repeat(5_000), 'standard input holds more than one short line'],
    ] as const)
      expect(await runCommandHere(['user', 'create', 'ann'], { environment, input })).to.deep.equal({
        code: 1,
        out: '',
        said: `troupe: ${sentence}\n`,
      });
  });

  it('makes no data folder where it is only asked about one', async () => {
    const { code, said } = await runCommandHere(['user', 'list'], { environment });
    expect(code).to.equal(1);
    expect(said).to.equal(
      `troupe: there is no server's data in ${environment['TROUPE_DATA_PATH']}: name the configuration of your server with --config FILE\n`,
    );
    expect(() => statSync(join(folder, 'data'))).to.throw('ENOENT');
  });

  it('names a configuration file that cannot be read, wherever --config stands', async () => {
    for (const args of [
      ['--config', '/nowhere.toml', 'user', 'list'],
      ['user', 'list', '--config', '/nowhere.toml'],
    ])
      expect(await runCommandHere(args)).to.deep.include({
        code: 1,
        said: `troupe: the configuration file /nowhere.toml cannot be read: ENOENT: no such file or directory, open '/nowhere.toml'\n`,
      });
  });

  describe('init', () => {
    it('writes a file for its owner only, says what comes next, and writes over nothing', async () => {
      const file = join(folder, 'new.toml');
      const made = await runCommandHere(['init', file, '--server-name', 'example.org']);
      expect([made.code, made.out]).to.deep.equal([0, '']);
      expect(made.said).to.contain(`troupe check-config --config ${file}`);
      expect(statSync(file).mode & MODE_BITS).to.equal(0o600);
      expect(await runCommandHere(['check-config', '--config', file])).to.deep.equal({
        code: 0,
        out: '',
        said: `${file} can be used.\n`,
      });
      const again = await runCommandHere(['init', file, '--server-name', 'example.net']);
      expect(again.code).to.equal(1);
      expect(readFileSync(file, 'utf8')).to.contain('name = "example.org"');
      expect((await runCommandHere(['init', file, '--server-name', 'example.net', '--force'])).code).to.equal(
        0,
      );
      expect(readFileSync(file, 'utf8')).to.contain('name = "example.net"');
    });

    it('wants a name that can be one, and never writes over the defaults', async () => {
      const file = join(folder, 'other.toml');
      expect(await runCommandHere(['init', file])).to.deep.equal({
        code: 2,
        out: '',
        said: 'troupe: name the server: troupe init --server-name example.org\n',
      });
      const wrong = await runCommandHere(['init', file, '--server-name', 'https://example.org']);
      expect(wrong.code).to.equal(2);
      expect(wrong.said).to.contain(`"https://example.org" cannot be a server's name: that is a host name`);
      // Without --force, so that a mistake here costs nothing.
      const defaults = await runCommandHere(['init', BUILT_IN_CONFIG, '--server-name', 'a.b']);
      expect(defaults.code).to.equal(1);
      expect(defaults.said).to.contain('holds the defaults of this program');
    });
  });

  describe('check-config', () => {
    const check = (text: string, ...more: string[]) => {
      const file = join(folder, 'checked.toml');
      writeFileSync(file, text, { mode: 0o644 });
      return runCommandHere(['check-config', '--config', file, ...more]);
    };

    it('says of what is wrong where it stands and what is allowed', async () => {
      const { code, out, said } = await check('[server]\nnam = "a"\nlisten = 3\n');
      const file = join(folder, 'checked.toml');
      expect(code).to.equal(1);
      expect(out.split('\n')[0]).to.match(
        new RegExp(`^error: ${file}:2: there is no option server\\.nam; there are: name, `),
      );
      expect(out.split('\n')[1]).to.equal(
        `error: ${file}:3: server.listen must be "host:port", the port 0 to 65535, not 3`,
      );
      expect(said).to.equal(`${file} cannot be used.\n`);
      const json = await check('[server]\nlisten = 3\n', '--json');
      expect([json.code, json.said]).to.deep.equal([1, '']);
      expect(JSON.parse(json.out)).to.deep.equal([
        {
          level: 'error',
          where: `${file}:2`,
          what: 'server.listen must be "host:port", the port 0 to 65535, not 3',
        },
      ]);
    });

    it('warns of what is right by itself and will not work, or is not meant', async () => {
      const { code, out } = await check(`
[server]
name = "localhost:8448"
[inspector]
listen = "0.0.0.0:8009"
[registration]
open = true
shared_secret = "s"
[federation]
tls_key = "key.pem"
[appservices]
path = "/nowhere"
[data]
path = "${join(folder, 'data')}"
`);
      expect(code).to.equal(0);
      expect(out.split('\n').map((line) => line.split(':').slice(0, 2).join(':'))).to.deep.equal([
        'warning: server.name',
        'warning: inspector.listen',
        'warning: federation.tls_certificate',
        'warning: registration.open',
        'warning: appservices.path',
        `warning: ${join(folder, 'checked.toml')}`,
        '',
      ]);
    });

    it('warns of ports that only root may listen on', () => {
      const config = readConfig(undefined, {
        TROUPE_SERVER_LISTEN: '0.0.0.0:443',
        TROUPE_SERVER_NAME: 'a.b',
      });
      expect(checkConfig(config, 1_024)).to.deep.equal([
        {
          level: 'warning',
          where: 'server.listen',
          what: 'port 443 is below 1024: only root and programs with the capability CAP_NET_BIND_SERVICE may listen there',
        },
      ]);
      expect(checkConfig(config, 443)).to.deep.equal([]);
    });

    it('finds what will keep the server from starting', async () => {
      const { code, out } = await check(`
[server]
name = "example.org"
listen = "127.0.0.1:9000"
[inspector]
listen = "127.0.0.1:9000"
[federation]
listen = "0.0.0.0:8448"
tls_certificate = "/nowhere/cert.pem"
ca_file = "/nowhere/ca.pem"
[actors]
placement = { nobody = "main" }
[data]
path = "${join(folder, 'checked.toml')}"
`);
      expect(code).to.equal(1);
      const lines = out.split('\n');
      expect(lines[0]).to.equal('error: inspector.listen: 127.0.0.1:9000 is taken by server.listen already');
      expect(lines[1]).to.contain(
        'error: federation: federation.ca_file = "/nowhere/ca.pem" cannot be used: ENOENT',
      );
      expect(lines[2]).to.contain('error: federation: federation.tls_certificate = "/nowhere/cert.pem"');
      expect(lines[3]).to.match(/^error: data\.path: .* is not a folder$/);
      expect(lines[4]).to.contain('error: actors: actors.placement: there is no actor "nobody" to place');
    });
  });
});
