import { expect } from 'chai';
import * as fc from 'fast-check';
import type { JsonObject } from '../../../src/kit/json.ts';
import {
  makeServerKey,
  parseVerifyKey,
  signJson,
  signingKeyIdsOf,
  verifyJson,
  verifyKeyOf,
} from '../../../src/matrix/signing.ts';
import { decodeBase64, encodeBase64 } from '../../../src/matrix/events/unpadded-base64.ts';
import { readVectors } from './vectors/read-vectors.ts';

const vectors = readVectors('signing') as {
  readonly seed_base64: string;
  readonly public_key_base64_derived: string;
  readonly server_name: string;
  readonly key_id: string;
  readonly sign_json: readonly { readonly input: JsonObject; readonly signed: JsonObject }[];
  readonly verify_must_fail: readonly { readonly why: string; readonly object: JsonObject }[];
};

const seed = decodeBase64(vectors.seed_base64) ?? new Uint8Array();
const key = makeServerKey(seed, '1');

describe('signing', () => {
  it('derives the public key', () => {
    expect(encodeBase64(verifyKeyOf(key).publicKey)).to.equal(vectors.public_key_base64_derived);
    expect(key.keyId).to.equal(vectors.key_id);
  });

  for (const { input, signed } of vectors.sign_json) {
    it(`signs ${JSON.stringify(input)}`, () => {
      expect(signJson(input, vectors.server_name, key)).to.deep.equal(signed);
      expect(verifyJson(signed, vectors.server_name, verifyKeyOf(key))).to.equal(true);
    });
  }

  for (const { why, object } of vectors.verify_must_fail) {
    it(`does not accept: ${why}`, () => {
      expect(verifyJson(object, vectors.server_name, verifyKeyOf(key))).to.equal(false);
    });
  }

  it('keeps signatures and unsigned, and signs neither', () => {
    const object = { a: 1, unsigned: { age: 1 }, signatures: { other: { 'ed25519:x': 'abc' } } };
    const signed = signJson(object, 'domain', key);
    expect(signed['unsigned']).to.deep.equal({ age: 1 });
    expect(signed).to.have.nested.property('signatures.other.ed25519:x', 'abc');
    expect(verifyJson({ ...signed, unsigned: { age: 2 } }, 'domain', verifyKeyOf(key))).to.equal(true);
    expect(signingKeyIdsOf(signed, 'domain')).to.deep.equal(['ed25519:1']);
    expect(signingKeyIdsOf(signed, 'toString')).to.deep.equal([]);
  });

  it('verifies what it signs, and nothing else', () => {
    const object = fc.dictionary(
      fc.string(),
      fc.oneof(
        fc.string(),
        fc.maxSafeInteger().map((n) => n + 0),
      ),
    );
    const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(object, seeds, (value, otherSeed) => {
        const signed = signJson(value, 'domain', key);
        expect(verifyJson(signed, 'domain', verifyKeyOf(key))).to.equal(true);
        expect(verifyJson(signed, 'domain', verifyKeyOf(makeServerKey(otherSeed, '1')))).to.equal(false);
        expect(verifyJson({ ...signed, added: 1 }, 'domain', verifyKeyOf(key))).to.equal(
          Object.hasOwn(value, 'added') && value['added'] === 1,
        );
      }),
      { numRuns: 30 },
    );
  });

  it('makes keys of 32 bytes only', () => {
    expect(() => makeServerKey(new Uint8Array(31), '1')).to.throw('32 bytes');
    expect(() => makeServerKey(seed, 'a b')).to.throw('key version');
    expect(parseVerifyKey('ed25519:1', vectors.public_key_base64_derived)).not.to.equal(undefined);
    expect(parseVerifyKey('ed25519:1', 'abcd')).to.equal(undefined);
    expect(parseVerifyKey('rsa:1', vectors.public_key_base64_derived)).to.equal(undefined);
  });

  it('signs nothing that is not canonical JSON', () => {
    expect(() => signJson({ a: 1.5 }, 'domain', key)).to.throw('canonical');
    expect(verifyJson(signJson({ a: 1.5 }, 'domain', key, 'lenient'), 'domain', verifyKeyOf(key))).to.equal(
      false,
    );
  });
});
