import { join } from 'node:path';

/** What a place in a bundle, or in a source, is packed into 32 bits with: the lower half is the column of the one, or the line of the other. */
export const PLACE_SHIFT = 65_536;
/** Stands for what comes from no source. */
export const NO_PLACE = 0xff_ff_ff_ff;

/**
 * Finds where the code of a bundle comes from.
 *
 * @param lines the places in the bundle where another line of a source begins, ascending, and behind them all, in the same order, those lines:
 *   the line in the bundle, from 0, times PLACE_SHIFT plus the column; the number of the source times PLACE_SHIFT plus its line, from 1
 * @param line in the bundle, from 1
 * @param column from 1
 * @returns the number of the source, and the line there, from 1
 */
export function findPlace(
  lines: Uint32Array,
  line: number,
  column: number,
): { readonly source: number; readonly line: number } | undefined {
  const count = lines.length / 2;
  const wanted = (line - 1) * PLACE_SHIFT + Math.min(column - 1, PLACE_SHIFT - 1);
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((lines[middle] ?? 0) <= wanted) low = middle + 1;
    else high = middle;
  }
  const place = low === 0 ? NO_PLACE : (lines[count + low - 1] ?? NO_PLACE);
  if (place === NO_PLACE) return undefined;
  return { source: Math.floor(place / PLACE_SHIFT), line: place % PLACE_SHIFT };
}

/** As the engine's sites are: their own text is a line of a stack trace. */
interface Site extends NodeJS.CallSite {
  toString(): string;
}

/** What a bundle knows of its sources. */
export interface SourceLines {
  /** As `findPlace` takes it. */
  readonly lines: Uint32Array;
  /** Paths in the program, with slashes. */
  readonly sources: readonly string[];
}

/**
 * Lets stack traces of this thread name the sources' files and lines where they would name a bundle's.
 *
 * @param file what the bundle is called in stack traces
 * @param root the folder of the program
 * @param read called with the first trace: most threads never make one
 */
export function nameSources(file: string, root: string, read: () => SourceLines): void {
  let known: SourceLines | null = null;
  const describe = (site: Site): string => {
    const said = String(site);
    const line = site.getLineNumber();
    const column = site.getColumnNumber();
    if (site.getFileName() !== file || line === null || column === null) return said;
    known ??= read();
    const place = findPlace(known.lines, line, column);
    const source = place === undefined ? undefined : known.sources[place.source];
    return source === undefined
      ? said
      : said.replace(`${file}:${line}:${column}`, () => `${join(root, source)}:${place?.line}`);
  };
  Error.prepareStackTrace = (error, sites) =>
    [Error.prototype.toString.call(error), ...sites.map((site) => `    at ${describe(site)}`)].join('\n');
}
