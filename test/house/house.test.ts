import { globSync, readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect } from 'chai';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, ROOT), 'utf8');
const files = (pattern: string): string[] => globSync(pattern, { cwd: ROOT.pathname });

const SOURCES = files('{src,actors,db,bench,scripts,test}/**/*.{ts,mjs,cjs,sql}');
const PRODUCT = files('{src,actors,db}/**/*.ts');

/** Files of `paths` in which `pattern` is found, with the line. */
function offenders(paths: readonly string[], pattern: RegExp): string[] {
  return paths.flatMap((path) =>
    read(path)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}: ${line.trim()}`] : [])),
  );
}

interface Package {
  readonly dependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
}

describe('house', () => {
  it('inspects something', () => {
    expect(SOURCES.length).to.be.greaterThan(100);
    expect(PRODUCT.length).to.be.greaterThan(60);
  });

  it('pins every dependency and argues for it in ARCHITECTURE.md', () => {
    const { dependencies, devDependencies, optionalDependencies } = JSON.parse(
      read('package.json'),
    ) as Package;
    const all = { ...dependencies, ...devDependencies, ...optionalDependencies };
    const architecture = read('ARCHITECTURE.md');
    for (const [name, version] of Object.entries(all)) {
      expect(version, name).to.match(/^(\d+\.\d+\.\d+|file:\.\/test\/support\/[a-z-]+)$/);
      expect(architecture, 'ARCHITECTURE.md').to.include(`\`${name}\``);
    }
  });

  it('names files for the thing, in kebab-case', () => {
    const wrong = SOURCES.filter((path) => {
      const name = basename(path).replace(/\.(test\.)?(ts|mjs|cjs|sql)$/, '');
      const isPlain = /^[a-z0-9]+(-[a-z0-9]+)*(\.d)?$/.test(name);
      return !isPlain || name === 'index' || /(^|-)(utils?|helpers?|manager|service|misc|common)$/.test(name);
    });
    expect(wrong).to.deep.equal([]);
  });

  it('leaves no notes to self, focused or skipped tests, or escapes from the type checker', () => {
    // Taken apart, so that this file does not find itself.
    const words = [
      'TO|DO',
      'FIX|ME',
      'XX|X',
      'for |now',
      'as |any *[;),\\]}>]',
      '@ts-|ignore',
      '@ts-|expect-error',
    ].map((word) => word.replace('|', ''));
    expect(
      offenders(SOURCES, new RegExp(`(?<!\\w)(${words.join('|')})|(it|describe)\\.(only|skip)\\(`)),
    ).to.deep.equal([]);
  });

  it('has no hidden inputs: clock, random, environment and console come as arguments', () => {
    const allowed = new Set([
      'src/cli/process-context.ts',
      'src/cli/start-server.ts',
      'src/kit/clock.ts',
      'src/kit/random.ts',
      'actors/thread-main.ts',
      'src/binary/binary-main.ts',
    ]);
    const paths = PRODUCT.filter((path) => !allowed.has(path));
    expect(
      offenders(paths, /\b(Date\.now\(|Math\.random\(|process\.env|console\.|setTimeout\(|setInterval\()/),
    ).to.deep.equal([]);
  });

  it('has no default exports and no barrels', () => {
    expect(offenders(PRODUCT, /^export default|^export \* from/)).to.deep.equal([]);
  });

  it('explains every option in config.toml', () => {
    const lines = read('config.toml').split('\n');
    const bare = lines.filter(
      (line, index) => /^[a-z_]+ = /.test(line) && !/^(#|[a-z_]+ = )/.test(lines[index - 1] ?? ''),
    );
    expect(bare).to.deep.equal([]);
    expect(lines.filter((line) => /^[a-z_]+ = /.test(line)).length).to.be.greaterThan(20);
  });

  it('gives every actor a protocol and a definition', () => {
    const folders = readdirSync(new URL('actors', ROOT), { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name !== 'kit')
      .map((entry) => entry.name);
    expect(folders.length).to.be.greaterThan(10);
    for (const folder of folders) {
      const inside = readdirSync(new URL(`actors/${folder}`, ROOT));
      expect(inside, folder).to.include.members(['actor.ts', 'protocol.ts']);
    }
  });
});
