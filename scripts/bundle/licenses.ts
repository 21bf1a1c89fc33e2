import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';

const LICENSE_FILE = /^(licen[cs]e|copying|notice)/i;
const LINE = '='.repeat(80);

interface PackageJson {
  readonly name: string;
  readonly version: string;
  readonly license?: string;
  readonly homepage?: string;
}

/** The folder of the package that a file under `node_modules` belongs to. */
function packageFolder(file: string): string {
  const parts = file.split('/');
  const last = parts.lastIndexOf('node_modules');
  const depth = parts[last + 1]?.startsWith('@') === true ? 3 : 2;
  return parts.slice(0, last + depth).join('/');
}

function describePackage(folder: string): string {
  const inside = join(PROGRAM_FOLDER, folder);
  const { name, version, license, homepage } = JSON.parse(
    readFileSync(join(inside, 'package.json'), 'utf8'),
  ) as PackageJson;
  const texts = readdirSync(inside, { withFileTypes: true })
    .filter((entry) => entry.isFile() && LICENSE_FILE.test(entry.name))
    .map((entry) => readFileSync(join(inside, entry.name), 'utf8').trim());
  const head = `${name} ${version} (${license ?? 'see below'})${homepage === undefined ? '' : `\n${homepage}`}`;
  return [
    LINE,
    head,
    '',
    ...(texts.length > 0 ? texts : [`Its package has no text of the license ${license ?? ''}.`]),
  ].join('\n');
}

/** What libvips and Node are made of has licenses too; both bring a list along. */
function describeParts(): readonly string[] {
  const readme = join(
    PROGRAM_FOLDER,
    'node_modules',
    '@img',
    `sharp-libvips-${process.platform}-${process.arch}`,
    'README.md',
  );
  const node = join(dirname(dirname(process.execPath)), 'LICENSE');
  return [readme, node]
    .filter((file) => existsSync(file))
    .map((file) =>
      [
        LINE,
        file === node ? `Node.js ${process.versions.node}` : 'libvips',
        '',
        readFileSync(file, 'utf8').trim(),
      ].join('\n'),
    );
}

/**
 * The licenses of everything of others that is in the binary, for people.
 *
 * @param files that are in it, by their path in the program
 */
export function licensesOf(files: readonly string[]): string {
  const folders = new Set(files.filter((file) => file.startsWith('node_modules/')).map(packageFolder));
  const packages = [...folders].toSorted().map(describePackage);
  return `${[...packages, ...describeParts()].join('\n\n')}\n`;
}
