// Makes dist/troupe: the whole program in one file, with the Node that runs this.
import { spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { constants, zstdCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import type { NativeParts } from '../src/binary/binary-main.ts';
import { findCommit } from '../src/cli/commit.ts';
import { PROGRAM_FOLDER } from '../src/kit/program-files.ts';
import { bundleProgram } from './bundle/bundle-program.ts';
import { licensesOf } from './bundle/licenses.ts';
import { makeCodeCaches } from './bundle/make-code-caches.ts';
import { listNativeAddons } from './bundle/native-addons.ts';

const DIST = join(PROGRAM_FOLDER, 'dist');
const OUTPUT = join(DIST, process.platform === 'win32' ? 'troupe.exe' : 'troupe');
const LICENSES = 'THIRD-PARTY-LICENSES.txt';
/** Beyond this a build takes long for little. */
const ZSTD_LEVEL = 12;

function run(program: string, args: readonly string[]): void {
  const { status, error, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${program} ${args.join(' ')} failed:\n${stderr}`);
}

/** Node without the names of its inner functions, a fifth of it; as it is where no `strip` is. */
function copyNode(to: string): void {
  copyFileSync(process.execPath, to);
  if (process.platform !== 'linux') return;
  const { error } = spawnSync('strip', [to]);
  if (error !== undefined)
    process.stderr.write('no "strip" here: the binary is 30 MB larger than it could be\n');
}

/** What runs before the program: finds it in the binary. */
async function bundleStarter(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [join(PROGRAM_FOLDER, 'src', 'binary', 'binary-main.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'iife',
    globalName: 'binary',
    charset: 'ascii',
  });
  return outputFiles[0]?.text ?? '';
}

function packAddons(folder: string, version: string): NativeParts {
  const addons = listNativeAddons().map(({ name, files }) => ({
    name,
    files: files.map((path) => {
      const content = readFileSync(join(PROGRAM_FOLDER, 'node_modules', path));
      const packed = join(folder, 'native', path);
      mkdirSync(dirname(packed), { recursive: true });
      const params = { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL };
      writeFileSync(packed, zstdCompressSync(content, { params }));
      return { path, sizeBytes: content.length, hash: hash('sha256', content) };
    }),
  }));
  return { version: `${version}-${hash('sha256', JSON.stringify(addons)).slice(0, 16)}`, addons };
}

function listAssets(folder: string): Readonly<Record<string, string>> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  return Object.fromEntries(
    entries.map((entry) => {
      const path = join(entry.parentPath, entry.name);
      return [path.slice(folder.length + 1).replaceAll('\\', '/'), path];
    }),
  );
}

/** Everything that goes into the binary, as files of a folder. */
async function fillAssets(assets: string, starter: string): Promise<void> {
  const { version } = JSON.parse(readFileSync(join(PROGRAM_FOLDER, 'package.json'), 'utf8')) as {
    version: string;
  };
  const files = (await bundleProgram({})).inputs;
  const native = listNativeAddons().flatMap((addon) => addon.files.map((file) => `node_modules/${file}`));
  const licenses = licensesOf([...files, ...native]);
  const commit = findCommit(PROGRAM_FOLDER);
  const { text, texts } = await bundleProgram({
    [LICENSES]: licenses,
    ...(commit === undefined ? {} : { '.git/HEAD': commit }),
  });
  writeFileSync(join(assets, 'program.js'), text);
  writeFileSync(join(assets, 'texts.json'), JSON.stringify(texts));
  writeFileSync(join(assets, 'binary-main.js'), starter);
  writeFileSync(join(assets, 'native.json'), JSON.stringify(packAddons(assets, version)));
  writeFileSync(join(DIST, LICENSES), licenses);
}

const started = performance.now();
mkdirSync(DIST, { recursive: true });
const work = mkdtempSync(join(DIST, '.build-'));
try {
  const assets = join(work, 'assets');
  mkdirSync(assets);
  const starter = await bundleStarter();
  await fillAssets(assets, starter);
  const node = join(work, 'node');
  copyNode(node);
  await makeCodeCaches(assets, node);
  const main = join(work, 'main.js');
  writeFileSync(main, `${starter}\nbinary.start("src/main.ts");\n`);
  const config = join(work, 'sea.json');
  const output = join(work, 'troupe');
  writeFileSync(
    config,
    JSON.stringify({
      main,
      output,
      executable: node,
      disableExperimentalSEAWarning: true,
      useCodeCache: false,
      assets: listAssets(assets),
    }),
  );
  run(process.execPath, ['--build-sea', config]);
  renameSync(output, OUTPUT);
  const megabytes = (statSync(OUTPUT).size / 1_000_000).toFixed(0);
  const seconds = ((performance.now() - started) / 1_000).toFixed(1);
  process.stdout.write(`${OUTPUT}: ${megabytes} MB, in ${seconds} s\n`);
} finally {
  rmSync(work, { recursive: true, force: true });
}
