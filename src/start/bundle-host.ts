import { join } from 'node:path';
import { codeCacheName, evaluateBundle } from '../binary/evaluate-bundle.ts';
import type { Host } from '../binary/host.ts';
import { type OpenBundle, readSection } from './bundle-file.mjs';
import { nameSources } from './stack-traces.ts';

// What a bundle that `npm start` runs is loaded by. It is bundled itself, lies beside the program in the same file, and runs on every thread.

function getSection(bundle: OpenBundle, name: string): Buffer {
  const section = readSection(bundle, name);
  if (section === undefined) throw new Error(`there is no ${name} in the bundle`);
  return section;
}

/**
 * Runs a module of the program on this thread.
 *
 * @param root the folder of the program
 */
export function start(bundle: OpenBundle, root: string, module: string): void {
  const host: Host = {
    readTexts: () => JSON.parse(getSection(bundle, 'texts.json').toString()) as Record<string, string>,
    workerCode(part) {
      const args = [bundle, root, part].map((value) => JSON.stringify(value)).join(', ');
      const code = getSection(bundle, 'host.js').toString();
      return `const host = { exports: {} };\n${code}(host.exports, require, host);\nhost.exports.start(${args});`;
    },
    loadAddon(name) {
      const addon = { exports: {} };
      process.dlopen(addon, join(root, 'node_modules', bundle.addons[name] ?? name));
      return addon.exports;
    },
  };
  // A text of this size stays outside of the engine's heap when it has one byte for each character.
  const text = getSection(bundle, 'program.js').toString('latin1');
  const file = join(root, 'program.bundle');
  nameSources(file, root, () => ({
    lines: new Uint32Array(new Uint8Array(getSection(bundle, 'lines')).buffer),
    sources: JSON.parse(getSection(bundle, 'sources.json').toString()) as readonly string[],
  }));
  const { bundle: program } = evaluateBundle(
    text,
    file,
    readSection(bundle, `code-cache/${codeCacheName(module)}`),
  );
  program.run(module, host);
}
