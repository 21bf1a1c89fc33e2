import { expect } from 'chai';
import { assert, constantFrom, property, string } from 'fast-check';
import {
  parseXMatrix,
  type SignedRequest,
  verifyXMatrix,
  X_MATRIX_LENGTH_MAX,
  type XMatrix,
  xMatrixHeader,
} from '../../../src/federation/x-matrix.ts';
import type { Json } from '../../../src/kit/json.ts';
import { makeServerKey, type ServerKey, signText, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { readVectors } from '../matrix/vectors/read-vectors.ts';

const vectors = readVectors('x-matrix') as {
  readonly seed_base64: string;
  readonly parse_ok: readonly (readonly [string, Readonly<Record<string, string>>])[];
  readonly must_fail: readonly string[];
  readonly requests: readonly {
    readonly signed_object: {
      readonly method: string;
      readonly uri: string;
      readonly origin: string;
      readonly destination: string;
      readonly content?: Json;
    };
    readonly header: string;
  }[];
};

const KEY: ServerKey = {
  keyId: 'ed25519:1',
  seed: Uint8Array.from(Buffer.from(vectors.seed_base64, 'base64').subarray(0, 32)),
};
const PUBLIC = verifyKeyOf(KEY);

function parsed(header: string): XMatrix {
  const claim = parseXMatrix(header);
  if (claim === undefined) throw new Error(`not parsed: ${header}`);
  return claim;
}

describe('X-Matrix', () => {
  it('is read in every form of the vectors', () => {
    expect(vectors.parse_ok).to.have.lengthOf.above(5);
    for (const [header, expected] of vectors.parse_ok) {
      const { origin, destination = null, key, sig } = expected;
      expect(parseXMatrix(header), header).to.deep.equal({ origin, destination, keyId: key, signature: sig });
    }
  });

  it('is refused in the broken forms of the vectors, and more of them', () => {
    expect(vectors.must_fail).to.have.lengthOf.above(4);
    const whole = 'origin="a.org",key="ed25519:1",sig="abc"';
    for (const header of [
      ...vectors.must_fail,
      `X-Matrix ${whole},origin="b.org"`,
      `X-Matrix ${whole.replace('a.org', 'a b')}`,
      `X-Matrix ${whole.replace('ed25519', 'rsa')}`,
      `X-Matrix ${whole} more`,
      `X-Matrix ${whole},destination="b`,
      `X-MatrixY ${whole}`,
      `X-Matrix ${whole},pad="${'x'.repeat(X_MATRIX_LENGTH_MAX)}"`,
    ])
      expect(parseXMatrix(header), header).to.equal(undefined);
  });

  it('reads any garbage in time linear in it', () => {
    assert(
      property(
        string({ unit: constantFrom('"', '\\', ',', '=', ' ', 'a', '\t', '%') }),
        (text) => void parseXMatrix(`X-Matrix ${text.repeat(20)}`),
      ),
    );
  });

  it('signs as the vectors do, and takes their signatures', () => {
    expect(vectors.requests).to.have.lengthOf.above(1);
    for (const { signed_object: object, header } of vectors.requests) {
      const { method, uri, origin, destination, content } = object;
      const request: SignedRequest = { method, uri, ...(content !== undefined && { content }) };
      expect(xMatrixHeader(request, origin, destination, KEY)).to.equal(header);
      expect(verifyXMatrix(parsed(header), request, PUBLIC)).to.equal(true);
    }
  });

  it('does not take a signature of anything else', () => {
    const request: SignedRequest = {
      method: 'PUT',
      uri: '/_matrix/x?a=%20',
      content: { a: 1 },
      contentText: '{"a":1}',
    };
    const claim = parsed(xMatrixHeader(request, 'a.org', 'b.org', KEY));
    expect(verifyXMatrix(claim, request, PUBLIC)).to.equal(true);
    const wrong: readonly (readonly [XMatrix, SignedRequest])[] = [
      [{ ...claim, origin: 'c.org' }, request],
      [{ ...claim, destination: 'c.org' }, request],
      [{ ...claim, destination: null }, request],
      [
        { ...claim, signature: claim.signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) },
        request,
      ],
      [{ ...claim, signature: '' }, request],
      [claim, { ...request, method: 'POST' }],
      [claim, { ...request, uri: '/_matrix/x?a= ' }],
      [claim, { ...request, content: { a: 2 }, contentText: '{"a":2}' }],
      [claim, { method: 'PUT', uri: request.uri }],
    ];
    for (const [header, asked] of wrong) expect(verifyXMatrix(header, asked, PUBLIC)).to.equal(false);
    const other = verifyKeyOf(makeServerKey(new Uint8Array(32).fill(7), '1'));
    expect(verifyXMatrix(claim, request, other), 'another key').to.equal(false);
    expect(verifyXMatrix(claim, request, { ...PUBLIC, keyId: 'ed25519:2' }), 'another id').to.equal(false);
  });

  it('takes a body whose numbers no double can hold, as its sender signed it', () => {
    const written =
      '{"depth":12345678901234567890,"list":[1.0,1e5],"deep":' + '['.repeat(5_000) + ']'.repeat(5_000) + '}';
    const canonical =
      '{"deep":' + '['.repeat(5_000) + ']'.repeat(5_000) + ',"depth":12345678901234567890,"list":[1.0,1e5]}';
    const text = `{"content":${canonical},"destination":"b.org","method":"PUT","origin":"a.org","uri":"/x"}`;
    const claim: XMatrix = {
      origin: 'a.org',
      destination: 'b.org',
      keyId: KEY.keyId,
      signature: signText(text, KEY),
    };
    const request = { method: 'PUT', uri: '/x', content: JSON.parse(written) as Json };
    expect(verifyXMatrix(claim, { ...request, contentText: written }, PUBLIC)).to.equal(true);
    expect(verifyXMatrix(claim, request, PUBLIC), 'without the text').to.equal(false);
    const changed = written.replace('890', '891');
    expect(verifyXMatrix(claim, { ...request, contentText: changed }, PUBLIC)).to.equal(false);
  });

  it('is without a destination from old servers', () => {
    const text = '{"method":"GET","origin":"a.org","uri":"/x"}';
    const claim = parsed(`X-Matrix origin=a.org,key="ed25519:1",sig="${signText(text, KEY)}"`);
    expect(verifyXMatrix(claim, { method: 'GET', uri: '/x' }, PUBLIC)).to.equal(true);
  });
});
