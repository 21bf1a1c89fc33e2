import { randomBytes, randomInt } from 'node:crypto';

/** The only source of randomness in the server: an argument, so that a seed can replay a run. */
export interface Random {
  /** `count` random bytes. */
  bytes(count: number): Uint8Array;
  /** An integer in [0, below). `below` is at least 1 and at most 2^48. */
  integer(below: number): number;
  /** A random text of `length` characters from `[A-Za-z0-9]`. */
  text(length: number): string;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

function textFrom(integer: (below: number) => number, length: number): string {
  let text = '';
  for (let index = 0; index < length; index += 1) text += ALPHABET[integer(ALPHABET.length)];
  return text;
}

/** Randomness from the operating system, fit for secrets. */
export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  integer: (below) => randomInt(below),
  text: (length) => textFrom((below) => randomInt(below), length),
};

/**
 * A repeatable generator (mulberry32) for tests and simulations: never for secrets.
 *
 * @param seed any 32-bit integer; the same seed gives the same sequence
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const integer = (below: number): number => Math.floor(next() * below);
  return {
    bytes: (count) => Uint8Array.from({ length: count }, () => integer(256)),
    integer,
    text: (length) => textFrom(integer, length),
  };
}
