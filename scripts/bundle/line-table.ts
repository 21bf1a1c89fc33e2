import { NO_PLACE, PLACE_SHIFT, type SourceLines } from '../../src/start/stack-traces.ts';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGIT_BITS = 5;
const GOES_ON = 1 << DIGIT_BITS;

/** Reads the numbers of one segment of a source map: base64 VLQ, the lowest bit of each the sign (ECMA-426). */
function readNumbers(segment: string): readonly number[] {
  const numbers: number[] = [];
  let value = 0;
  let shift = 0;
  for (const digit of segment) {
    const bits = DIGITS.indexOf(digit);
    value |= (bits & (GOES_ON - 1)) << shift;
    shift += DIGIT_BITS;
    if ((bits & GOES_ON) !== 0) continue;
    numbers.push((value & 1) === 0 ? value >>> 1 : -(value >>> 1));
    value = 0;
    shift = 0;
  }
  return numbers;
}

/**
 * Makes of a source map what stack traces need of it, and in a form that takes no time to read: which line of which source each part of each line is.
 *
 * @param sourceMap JSON, version 3
 * @param linesBefore how many lines stand in front of what the source map is about
 */
export function lineTable(sourceMap: string, linesBefore: number): SourceLines {
  const { mappings, sources } = JSON.parse(sourceMap) as { mappings: string; sources: readonly string[] };
  const positions: number[] = [];
  const places: number[] = [];
  let source = 0;
  let sourceLine = 0;
  mappings.split(';').forEach((line, index) => {
    let column = 0;
    for (const segment of line === '' ? [] : line.split(',')) {
      const [columns = 0, sourcesOn, linesOn = 0] = readNumbers(segment);
      column += columns;
      source += sourcesOn ?? 0;
      sourceLine += linesOn;
      const place =
        sourcesOn === undefined ? NO_PLACE : source * PLACE_SHIFT + Math.min(sourceLine + 1, PLACE_SHIFT - 1);
      if (places.at(-1) === place) continue;
      positions.push((index + linesBefore) * PLACE_SHIFT + Math.min(column, PLACE_SHIFT - 1));
      places.push(place);
    }
  });
  return { lines: Uint32Array.from([...positions, ...places]), sources };
}
