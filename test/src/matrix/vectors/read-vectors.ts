import { readFileSync } from 'node:fs';

/** Reads a file of this folder: published and derived test vectors, each with a note of its source. */
export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8'));
}
