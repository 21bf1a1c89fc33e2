import { streams } from '../../../src/streams/registry.ts';
import type { Stream } from '../../../src/streams/stream.ts';

/** A stream of the registry. */
export function getStream(name: string): Stream {
  const found = streams.find((stream) => stream.name === name);
  if (found === undefined) throw new Error(`no stream is named ${name}`);
  return found;
}
