import { expect } from 'chai';
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import {
  canonicalJson,
  canonicalJsonWithout,
  compareCodePoints,
  JSON_NESTING_MAX,
  parseStrictJson,
} from '../../../../src/matrix/events/canonical-json.ts';
import { readVectors } from '../vectors/read-vectors.ts';

interface Case {
  readonly input: string;
  readonly canonical: string;
}

const vectors = readVectors('canonical-json') as {
  readonly published: readonly Case[];
  readonly derived: readonly Case[];
  readonly invalid_in_room_version_6_and_later: readonly { readonly input: string; readonly why: string }[];
  readonly valid: readonly { readonly input: string }[];
};

const strictValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'binary' }),
    fc.maxSafeInteger().map((value) => value + 0),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 6 }),
  ),
})).value as fc.Arbitrary<Json>;

describe('canonical JSON', () => {
  for (const { input, canonical } of [...vectors.published, ...vectors.derived]) {
    it(`writes ${JSON.stringify(input).slice(0, 60)}`, () => {
      expect(canonicalJson(JSON.parse(input) as Json, 'lenient')).to.equal(canonical);
    });
  }

  for (const { input, why } of vectors.invalid_in_room_version_6_and_later) {
    it(`refuses in strict text: ${why}, ${input}`, () => {
      expect(parseStrictJson(input)).to.equal(undefined);
      expect(canonicalJson(JSON.parse(input) as Json, 'lenient')).to.be.a('string');
    });
  }

  it('reads strict text', () => {
    for (const { input } of vectors.valid) expect(parseStrictJson(input)).to.deep.equal(JSON.parse(input));
    expect(parseStrictJson('{')).to.equal(undefined);
  });

  it('refuses in strict values what has no canonical form', () => {
    for (const value of [-0, 1.5, 2 ** 53, -(2 ** 53), NaN, Infinity, '\ud800']) {
      expect(canonicalJson({ a: [value] }), String(value)).to.equal(undefined);
    }
    expect(canonicalJson({ '\ud800': 1 })).to.equal(undefined);
    expect(canonicalJson({ a: 1.5 }, 'lenient')).to.equal('{"a":1.5}');
    expect(canonicalJson({ a: NaN }, 'lenient')).to.equal(undefined);
  });

  it('refuses what is nested too deep instead of exhausting the stack', () => {
    const nested = (depth: number): Json => JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`) as Json;
    expect(canonicalJson(nested(JSON_NESTING_MAX))).to.be.a('string');
    expect(canonicalJson(nested(JSON_NESTING_MAX + 1))).to.equal(undefined);
    expect(canonicalJson(nested(30_000))).to.equal(undefined);
  });

  it('leaves keys out', () => {
    const object: JsonObject = { b: 1, a: { b: 2 }, c: 3 };
    expect(canonicalJsonWithout(object, new Set(['b', 'x']))).to.equal('{"a":{"b":2},"c":3}');
  });

  it('orders keys by code point', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
        const byBytes = Buffer.compare(Buffer.from(left), Buffer.from(right));
        expect(Math.sign(compareCodePoints(left, right))).to.equal(byBytes);
      }),
    );
  });

  it('parses back to the same value, in one form only', () => {
    fc.assert(
      fc.property(strictValue, (value) => {
        const text = canonicalJson(value);
        expect(text).to.be.a('string');
        const parsed = parseStrictJson(text as string);
        expect(JSON.stringify(canonicalJson(parsed as Json))).to.equal(JSON.stringify(text));
        expect(parsed).to.deep.equal(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('does not depend on the order of keys', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.integer()), (object) => {
        const reversed = Object.fromEntries(Object.entries(object).toReversed());
        expect(canonicalJson(reversed)).to.equal(canonicalJson(object));
      }),
    );
  });
});
