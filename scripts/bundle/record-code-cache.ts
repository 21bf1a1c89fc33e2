// Runs a bundle in this process and, when a thread ends, writes what the engine has compiled on it: run by make-code-caches.ts.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { codeCacheName, evaluateBundle } from '../../src/binary/evaluate-bundle.ts';
import type { Host } from '../../src/binary/host.ts';
import { PROGRAM_FOLDER } from '../../src/kit/program-files.ts';
import { listNativeAddons } from './native-addons.ts';

function loadAddon(name: string): unknown {
  const file = listNativeAddons().find((addon) => addon.name === name)?.files[0];
  if (file === undefined) throw new Error(`there is no addon ${name}`);
  const module = { exports: {} };
  process.dlopen(module, join(PROGRAM_FOLDER, 'node_modules', file));
  return module.exports;
}

/** Runs a module of the bundle that lies in the folder which the main thread was given. */
export function record(module: string, folder: string): void {
  const host: Host = {
    readTexts: () => JSON.parse(readFileSync(join(folder, 'texts.json'), 'utf8')) as Record<string, string>,
    workerCode: (part) =>
      `import(${JSON.stringify(import.meta.url)}).then(({ record }) => record(${JSON.stringify(part)}, ${JSON.stringify(folder)}))`,
    loadAddon(name) {
      // Threads of the pool are not asked to end, and between tasks they do not turn their event loop.
      if (codeCacheName(module) === 'pool') queueMicrotask(save);
      return loadAddon(name);
    },
  };
  const { bundle, script } = evaluateBundle(
    readFileSync(join(folder, 'program.js'), 'latin1'),
    process.execPath,
  );
  const save = (): void => {
    const file = join(folder, 'code-cache', codeCacheName(module));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, script.createCachedData());
  };
  process.once('exit', save);
  bundle.run(module, host);
}

const folder = process.env['BUNDLE_FOLDER'];
if (isMainThread && folder !== undefined) {
  // Whoever wanted the record is gone: nothing may be written any more.
  process.stdin
    .resume()
    .once('end', () => process.kill(process.pid, 'SIGKILL'))
    .unref();
  record('src/main.ts', folder);
}
