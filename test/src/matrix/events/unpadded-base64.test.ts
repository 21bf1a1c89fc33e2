import { expect } from 'chai';
import {
  decodeBase64,
  decodeUrlSafeBase64,
  encodeBase64,
  encodeUrlSafeBase64,
} from '../../../../src/matrix/events/unpadded-base64.ts';
import { readVectors } from '../vectors/read-vectors.ts';

const vectors = readVectors('base64') as {
  readonly standard_unpadded: readonly (readonly [string, string])[];
  readonly binary: readonly { readonly hex: string; readonly standard: string; readonly url_safe: string }[];
  readonly decode_should_accept: readonly string[];
};

describe('unpadded base64', () => {
  it('is written and read', () => {
    for (const [text, encoded] of vectors.standard_unpadded) {
      expect(encodeBase64(Buffer.from(text))).to.equal(encoded);
      expect(Buffer.from(decodeBase64(encoded) ?? []).toString()).to.equal(text);
    }
  });

  it('has a URL-safe form', () => {
    for (const { hex, standard, url_safe: urlSafe } of vectors.binary) {
      const bytes = Buffer.from(hex, 'hex');
      expect(encodeBase64(bytes)).to.equal(standard);
      expect(encodeUrlSafeBase64(bytes)).to.equal(urlSafe);
      expect(decodeBase64(standard)).to.deep.equal(bytes);
      expect(decodeUrlSafeBase64(urlSafe)).to.deep.equal(bytes);
      expect(decodeBase64(urlSafe)).to.equal(undefined);
      expect(decodeUrlSafeBase64(standard)).to.equal(undefined);
    }
  });

  it('is read padded or not, and only if it can be base64', () => {
    for (const text of vectors.decode_should_accept) expect(decodeBase64(text), text).not.to.equal(undefined);
    for (const text of ['a', 'abcde', 'a b', 'ab\n', 'ä', '====']) {
      expect(decodeBase64(text), text).to.equal(undefined);
    }
  });

  it('writes a view of a larger buffer', () => {
    expect(encodeBase64(new Uint8Array(Buffer.from('xfoox')).subarray(1, 4))).to.equal('Zm9v');
  });
});
