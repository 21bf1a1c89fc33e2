// Makes the bundle that the next `npm start` runs: started, out of the way, by the one that has found none (src/start.mjs).
import { existsSync, fsyncSync, closeSync, mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { mkdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { FolderInUse, lockFolder } from '../db/kit/folder-lock.ts';
import { PROGRAM_FOLDER } from '../src/kit/program-files.ts';
import { bundleFile, bundleFolder, openBundle, packBundle } from '../src/start/bundle-file.mjs';
import { describeNode, fingerprint } from '../src/start/inputs.mjs';
import { bundleProgram } from './bundle/bundle-program.ts';
import { lineTable } from './bundle/line-table.ts';
import { makeCodeCaches } from './bundle/make-code-caches.ts';
import { listNativeAddons } from './bundle/native-addons.ts';

const FILE = bundleFile(PROGRAM_FOLDER);
const FOLDER = bundleFolder(PROGRAM_FOLDER);
const LOCK = /^lock\.db/;
/** What stands in front of the code that the source map is about. */
const LINES_BEFORE = 1;

/** Ends what is done here when the server that has asked for it ends, however it does, or when this is told to end. */
function untilUnwanted(): AbortSignal {
  const unwanted = new AbortController();
  const end = (): void => unwanted.abort(new Error('the server has ended'));
  process.stdin.resume().once('end', end).once('error', end).unref();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, end);
  return unwanted.signal;
}

/** Removes what one that was killed has left. */
function sweep(): void {
  for (const name of readdirSync(FOLDER))
    if (!LOCK.test(name) && join(FOLDER, name) !== FILE)
      rmSync(join(FOLDER, name), { recursive: true, force: true });
}

async function bundleHost(): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [join(PROGRAM_FOLDER, 'src', 'start', 'bundle-host.ts')],
    bundle: true,
    write: false,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'cjs',
    charset: 'ascii',
    minifyWhitespace: true,
  });
  return Buffer.from(`(function (exports, require, module) {${outputFiles[0]?.text ?? ''}\n})`);
}

function write(file: string, pieces: readonly Uint8Array[]): void {
  const descriptor = openSync(file, 'wx', 0o644);
  try {
    for (const piece of pieces)
      for (let done = 0; done < piece.length;) done += writeSync(descriptor, piece, done);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function makeSections(work: string, unwanted: AbortSignal): Promise<Record<string, Buffer>> {
  const { text, texts, sourceMap = '' } = await bundleProgram({}, true);
  unwanted.throwIfAborted();
  const { lines, sources } = lineTable(sourceMap, LINES_BEFORE);
  const sections: Record<string, Buffer> = {
    'host.js': await bundleHost(),
    'program.js': Buffer.from(text, 'latin1'),
    'texts.json': Buffer.from(JSON.stringify(texts)),
    'sources.json': Buffer.from(JSON.stringify(sources)),
    lines: Buffer.from(lines.buffer),
  };
  for (const name of ['program.js', 'texts.json']) write(join(work, name), [sections[name] ?? Buffer.of()]);
  await makeCodeCaches(work, process.execPath, { unwanted, nodeFlags: process.execArgv, dataParent: work });
  for (const kind of readdirSync(join(work, 'code-cache')))
    sections[`code-cache/${kind}`] = readFileSync(join(work, 'code-cache', kind));
  return sections;
}

async function prepare(node: string, unwanted: AbortSignal): Promise<string> {
  const before = fingerprint(PROGRAM_FOLDER, node);
  if (existsSync(FILE) && typeof openBundle(FILE, before, process.geteuid?.()) === 'object')
    return 'there is one already';
  sweep();
  const work = mkdtempSync(join(FOLDER, 'work-'));
  try {
    const sections = await makeSections(work, unwanted);
    const addons = Object.fromEntries(listNativeAddons().map(({ name, files }) => [name, files[0] ?? '']));
    const made = join(work, 'program.bundle');
    write(made, packBundle({ fingerprint: before, addons }, sections));
    unwanted.throwIfAborted();
    if (fingerprint(PROGRAM_FOLDER, node) !== before)
      throw new Error('the program has changed while it was bundled');
    renameSync(made, FILE);
    return 'it was made';
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function main(): Promise<string> {
  const node = describeNode(process);
  if (node === null) throw new Error('this Node was told to watch what it runs');
  setPriority(constants.priority.PRIORITY_LOW);
  const unwanted = untilUnwanted();
  // Readable for whoever else runs the same program.
  mkdirSync(FOLDER, { recursive: true });
  const lock = lockFolder(FOLDER);
  try {
    return await prepare(node, unwanted);
  } finally {
    lock.release();
  }
}

main().then(
  (said) => {
    process.stderr.write(`${said}\n`);
    process.exit(0);
  },
  (error: unknown) => {
    const said = error instanceof FolderInUse ? 'another server is at it' : (error as Error).message;
    process.stderr.write(`${said}\n`);
    process.exit(1);
  },
);
