import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, relative } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { listFiles, PROGRAM_FOLDER, readText } from '../../src/kit/program-files.ts';

/** What the threads run, and what they find by its path. */
const THREAD_MODULES = ['src/main.ts', 'actors/thread-main.ts', 'actors/pool/worker.ts'];
const PISCINA_WORKER = 'node_modules/piscina/dist/worker.js';

const IMPORT_META = /\bimport\.meta\b/;
const REQUIRE_OF_MODULE = /^const require = createRequire\(import\.meta\.url\);$/m;
const FILES_MODULE = 'src/kit/program-files.ts';
const BUNDLED_FILES_MODULE = 'src/binary/bundled-files.ts';

/** Sets the priority of a thread: nobody asks piscina for that. */
const NICE = '@napi-rs/nice';
/** What sharp's own build looks for. */
const NEVER_LOADED = /^@img\/sharp-/;

/** A program as one text. */
export interface BundledProgram {
  /** A function of `exports`, `require` and `module`. */
  readonly text: string;
  /** The texts of the program, by their path in it. */
  readonly texts: Readonly<Record<string, string>>;
  /** Every file that is in the text. */
  readonly inputs: readonly string[];
  /** The source map, when it was asked for. */
  readonly sourceMap: string | undefined;
}

const inProgram = (path: string): string => join(PROGRAM_FOLDER, path);
const nameOf = (file: string): string => relative(PROGRAM_FOLDER, file).replaceAll('\\', '/');

/** Replaces a piece of a package's code that is there exactly once. */
function replaceOnce(text: string, from: string, to: string): string {
  if (text.split(from).length !== 2) throw new Error(`expected once in a package, and is not: ${from}`);
  return text.replace(from, () => to);
}

function contentModules(): readonly string[] {
  const endpoints = listFiles(inProgram('src/http')).map(nameOf);
  const owners = listFiles(inProgram('db')).map(nameOf);
  return [
    ...THREAD_MODULES,
    ...endpoints.filter((name) => name.endsWith('.ts') && !name.startsWith('src/http/kit/')),
    ...owners.filter((name) => /^db\/[^/]+\/[^/]+\.ts$/.test(name) && !name.startsWith('db/kit/')),
    PISCINA_WORKER,
  ];
}

function contentTexts(more: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const migrations = listFiles(inProgram('db')).filter((file) => file.endsWith('.sql'));
  const files = [inProgram('config.toml'), ...migrations];
  return { ...Object.fromEntries(files.map((file) => [nameOf(file), readText(file)])), ...more };
}

/** The entry: everything else is imported when it is asked for. */
function entryCode(textNames: readonly string[]): string {
  const modules = contentModules().map(
    (name) => `${JSON.stringify(name)}: () => import(${JSON.stringify(inProgram(name))})`,
  );
  return `
    import { fill, importFile, PROGRAM_FOLDER } from ${JSON.stringify(inProgram(BUNDLED_FILES_MODULE))};
    const content = { textNames: ${JSON.stringify(textNames)}, modules: { ${modules.join(',\n')} } };
    export function run(module, host) {
      fill(content, host);
      void importFile(PROGRAM_FOLDER + '/' + module);
    }`;
}

/** Our own sources: what they say of their own place would be wrong in a bundle. */
const ownSources: Plugin = {
  name: 'own-sources',
  setup(bundle) {
    bundle.onResolve({ filter: /\/program-files\.ts$/ }, () => ({ path: inProgram(BUNDLED_FILES_MODULE) }));
    bundle.onLoad({ filter: /\/(src|actors|db)\/.*\.ts$/ }, ({ path }) => {
      const contents = readFileSync(path, 'utf8').replace(REQUIRE_OF_MODULE, '');
      if (IMPORT_META.test(contents))
        throw new Error(`${nameOf(path)} uses import.meta: what it looks for belongs in ${FILES_MODULE}`);
      return { contents, loader: 'ts' };
    });
  },
};

const piscina: Plugin = {
  name: 'piscina',
  setup(bundle) {
    const files = JSON.stringify(inProgram(BUNDLED_FILES_MODULE));
    bundle.onLoad({ filter: /piscina\/dist\/worker\.js$/ }, ({ path }) => {
      const importFile = `await require(${files}).importFile(filename)`;
      const asRequired = 'await Promise.resolve(`${filename}`).then(s => __importStar(require(s)))';
      const asImported = 'await getImportESM()((0, node_url_1.pathToFileURL)(filename).href)';
      const before = replaceOnce(readFileSync(path, 'utf8'), asRequired, importFile);
      return { contents: replaceOnce(before, asImported, importFile) };
    });
    bundle.onLoad({ filter: /piscina\/dist\/worker_pool\/index\.js$/ }, ({ path }) => ({
      contents: replaceOnce(
        readFileSync(path, 'utf8'),
        'new node_worker_threads_1.Worker(filename, workerOpts)',
        `new node_worker_threads_1.Worker(require(${files}).workerSource(filename).entry, { ...workerOpts, eval: true })`,
      ),
    }));
    bundle.onLoad({ filter: /piscina\/dist\/index\.js$/ }, ({ path }) => ({
      contents: replaceOnce(
        readFileSync(path, 'utf8'),
        `(0, node_path_1.resolve)(__dirname, 'worker.js')`,
        `(0, node_path_1.join)(require(${files}).PROGRAM_FOLDER, ${JSON.stringify(PISCINA_WORKER)})`,
      ),
    }));
  },
};

/** The loaders of native addons, which look around for files: each is replaced by a question to the host. */
const ADDON_LOADERS: readonly { readonly filter: RegExp; readonly name: string; readonly gives: string }[] = [
  {
    filter: /better-sqlite3\/lib\/binding\.js$/,
    name: 'better-sqlite3',
    gives: '{ getBinding: () => addon() }',
  },
  { filter: /sodium-native\/binding\.js$/, name: 'sodium-native', gives: 'addon()' },
  { filter: /sharp\/dist\/sharp\.cjs$/, name: 'sharp', gives: 'addon()' },
  { filter: /@node-rs\/argon2\/index\.js$/, name: '@node-rs/argon2', gives: 'addon()' },
];

const addons: Plugin = {
  name: 'addons',
  setup(bundle) {
    // The other half of the package looks for its files by import.meta.
    bundle.onResolve({ filter: /^sharp$/ }, () => ({ path: inProgram('node_modules/sharp/dist/index.cjs') }));
    for (const { filter, name, gives } of ADDON_LOADERS)
      bundle.onLoad({ filter }, () => ({
        contents: `const { loadAddon } = require(${JSON.stringify(inProgram(BUNDLED_FILES_MODULE))});
          const addon = () => loadAddon(${JSON.stringify(name)});
          module.exports = ${gives};`,
      }));
  },
};

/**
 * Bundles the program: one text that holds every module, each evaluated when it is imported.
 *
 * @param more texts beside those of the sources, by the path that they are found under
 * @param hasSourceMap whether a source map is made, which takes a third of the time more
 */
export async function bundleProgram(
  more: Readonly<Record<string, string>>,
  hasSourceMap = false,
): Promise<BundledProgram> {
  const texts = contentTexts(more);
  const { outputFiles, metafile, warnings } = await build({
    stdin: { contents: entryCode(Object.keys(texts)), resolveDir: PROGRAM_FOLDER, loader: 'ts' },
    absWorkingDir: PROGRAM_FOLDER,
    bundle: true,
    write: false,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'cjs',
    charset: 'ascii',
    legalComments: 'none',
    // Names stay: they are what is left of a stack trace.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 200,
    metafile: true,
    ...(hasSourceMap ? { sourcemap: 'external', sourcesContent: false, outfile: 'program.js' } : {}),
    external: [NICE],
    // A text that is evaluated cannot import: what stays outside, Node's own modules, is required.
    supported: { 'dynamic-import': false },
    logLevel: 'silent',
    plugins: [ownSources, piscina, addons],
  });
  for (const { text, location } of warnings)
    if (location?.file.includes('node_modules/') !== true) throw new Error(`${location?.file}: ${text}`);
  const output = Object.values(metafile.outputs).find(({ entryPoint }) => entryPoint !== undefined);
  const outside = (output?.imports ?? []).map(({ path }) => path);
  for (const path of outside)
    if (!isBuiltin(path) && path !== NICE && !NEVER_LOADED.test(path))
      throw new Error(`the bundle would look for ${path} in files`);
  const inputs = Object.keys(metafile.inputs).filter((file) => file !== '<stdin>');
  const isMap = ({ path }: { readonly path: string }): boolean => path.endsWith('.map');
  const code = outputFiles.find((file) => !isMap(file))?.text ?? '';
  // On a line of its own, so that no line of the source map is moved.
  return {
    text: `(function (exports, require, module) {\n${code}\n})`,
    texts,
    inputs,
    sourceMap: outputFiles.find(isMap)?.text,
  };
}
