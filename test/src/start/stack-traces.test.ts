import { join } from 'node:path';
import { Script } from 'node:vm';
import { expect } from 'chai';
import { build } from 'esbuild';
import { lineTable } from '../../../scripts/bundle/line-table.ts';
import { PROGRAM_FOLDER } from '../../../src/kit/program-files.ts';
import { findPlace, nameSources, NO_PLACE, PLACE_SHIFT } from '../../../src/start/stack-traces.ts';

const FILE = join(PROGRAM_FOLDER, 'program.bundle');
const SOURCE = `
  interface Nothing { readonly of: 'this' } // stays

  export function first(): never {
    throw new Error('thrown on line 5');
  }
  export const second = (): never => {
    const told: Nothing | null = null;
    void told;
    return first();
  };`;

describe('stack traces of a bundle', () => {
  const prepareStackTrace = Object.getOwnPropertyDescriptor(Error, 'prepareStackTrace');
  afterEach(() => {
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, 'prepareStackTrace');
    else Object.defineProperty(Error, 'prepareStackTrace', prepareStackTrace);
  });

  it('name the files and lines of its sources, and those of everything else as ever', async () => {
    const { outputFiles } = await build({
      stdin: { contents: SOURCE, loader: 'ts', sourcefile: 'src/thrower.ts', resolveDir: PROGRAM_FOLDER },
      absWorkingDir: PROGRAM_FOLDER,
      outfile: 'program.js',
      bundle: true,
      write: false,
      format: 'cjs',
      minifyWhitespace: true,
      sourcemap: 'external',
      sourcesContent: false,
    });
    const [map = '', code = ''] = outputFiles.map(({ text }) => text);
    let reads = 0;
    nameSources(FILE, PROGRAM_FOLDER, () => {
      reads += 1;
      return lineTable(map, 1);
    });
    const wrapper = new Script(`(function (exports, module) {\n${code}\n})`, { filename: FILE });
    const module = { exports: {} as { readonly second: () => never } };
    (wrapper.runInThisContext() as (exports: object, module: object) => void)(module.exports, module);
    const { second } = module.exports;
    expect(second).to.throw();
    expect(reads).to.equal(0);
    let stack: readonly string[] = [];
    try {
      second();
    } catch (error) {
      stack = (error as Error).stack?.split('\n') ?? [];
    }
    const thrower = join(PROGRAM_FOLDER, 'src', 'thrower.ts');
    expect(stack.slice(0, 3)).to.deep.equal([
      'Error: thrown on line 5',
      `    at first (${thrower}:5)`,
      `    at second (${thrower}:10)`,
    ]);
    expect(stack[3]).to.match(/at .*stack-traces\.test\.ts:\d+:\d+/);
    expect(reads).to.equal(1);
  });

  it('name nothing where there is no source', () => {
    const at = (line: number, column: number): number => line * PLACE_SHIFT + column;
    const lines = Uint32Array.of(at(1, 4), at(1, 9), at(3, 0), at(0, 7), NO_PLACE, at(2, 8));
    expect(findPlace(lines, 1, 1)).to.equal(undefined);
    expect(findPlace(lines, 2, 4)).to.equal(undefined);
    expect(findPlace(lines, 2, 5)).to.deep.equal({ source: 0, line: 7 });
    expect(findPlace(lines, 2, 9)).to.deep.equal({ source: 0, line: 7 });
    expect(findPlace(lines, 2, 10)).to.equal(undefined);
    expect(findPlace(lines, 70_000, 1)).to.deep.equal({ source: 2, line: 8 });
    expect(findPlace(new Uint32Array(), 1, 1)).to.equal(undefined);
  });
});
