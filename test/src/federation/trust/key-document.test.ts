import { expect } from 'chai';
import { assert, jsonValue, property } from 'fast-check';
import {
  DOCUMENT_KEYS_MAX,
  type KeyDocument,
  OWN_KEYS_VALID_MS,
  ownKeyDocument,
  readKeyDocument,
} from '../../../../src/federation/trust/key-document.ts';
import {
  type KnownKeys,
  KEYS_PER_SERVER_MAX,
  learnKeys,
} from '../../../../src/federation/trust/known-keys.ts';
import { isJsonObject, type JsonObject } from '../../../../src/kit/json.ts';
import { KEY_VALIDITY_MS_MAX } from '../../../../src/matrix/events/key-validity.ts';
import { encodeBase64 } from '../../../../src/matrix/events/unpadded-base64.ts';
import { makeServerKey, type ServerKey, signJson, verifyKeyOf } from '../../../../src/matrix/signing.ts';

const NAME = 'peer.example';
const NOW = 1_700_000_000_000;
const DAY_MS = 24 * 60 * 60 * 1_000;
const key = (byte: number, version = `v${byte}`): ServerKey =>
  makeServerKey(new Uint8Array(32).fill(byte), version);
const [A, B, C] = [key(1), key(2), key(3)];
const publicOf = (one: ServerKey): string => encodeBase64(verifyKeyOf(one).publicKey);

interface Said {
  readonly current: readonly ServerKey[];
  readonly old?: readonly (readonly [ServerKey, number])[];
  readonly validUntilTs?: number;
  readonly signer?: ServerKey;
}

function json({ current, old = [], validUntilTs = NOW + DAY_MS, signer = current[0] }: Said): JsonObject {
  const unsigned = {
    server_name: NAME,
    verify_keys: Object.fromEntries(current.map((one) => [one.keyId, { key: publicOf(one) }])),
    old_verify_keys: Object.fromEntries(
      old.map(([one, expired]) => [one.keyId, { key: publicOf(one), expired_ts: expired }]),
    ),
    valid_until_ts: validUntilTs,
  };
  return signer === undefined ? unsigned : signJson(unsigned, NAME, signer);
}

function document(said: Said): KeyDocument {
  const read = readKeyDocument(json(said), NAME);
  if (read === undefined) throw new Error('not read');
  return read;
}

describe('documents about keys', () => {
  it('are read with their keys, old and new', () => {
    const read = document({ current: [A, B], old: [[C, 77]] });
    expect(read).to.include({ serverName: NAME, validUntilTs: NOW + DAY_MS });
    expect(
      read.keys.map(({ publicKey, ...rest }) => ({ ...rest, key: encodeBase64(publicKey) })),
    ).to.deep.equal([
      { keyId: A.keyId, key: publicOf(A), validUntilTs: NOW + DAY_MS, isOld: false },
      { keyId: B.keyId, key: publicOf(B), validUntilTs: NOW + DAY_MS, isOld: false },
      { keyId: C.keyId, key: publicOf(C), validUntilTs: 77, isOld: true },
    ]);
  });

  it('count only when one of the keys in use has signed them, for the server that was asked', () => {
    const whole = json({ current: [A, B], signer: B });
    expect(readKeyDocument(whole, NAME), 'any of them').to.not.equal(undefined);
    expect(readKeyDocument(whole, 'other.example')).to.equal(undefined);
    expect(readKeyDocument(json({ current: [A], signer: B }), NAME), 'by a key that is not in it').to.equal(
      undefined,
    );
    expect(readKeyDocument(json({ current: [A], old: [[B, 7]], signer: B }), NAME), 'by an old one').to.equal(
      undefined,
    );
    expect(readKeyDocument({ ...whole, valid_until_ts: NOW }, NAME), 'changed').to.equal(undefined);
    const { signatures: _, ...unsigned } = whole;
    expect(readKeyDocument(unsigned, NAME)).to.equal(undefined);
    for (const validUntilTs of [0.5, 2 ** 60])
      expect(readKeyDocument({ ...whole, valid_until_ts: validUntilTs }, NAME)).to.equal(undefined);
  });

  it('may hold keys of other algorithms and other things that are left out', () => {
    const odd = {
      ...json({ current: [A] }),
      verify_keys: {
        [A.keyId]: { key: publicOf(A) },
        'rsa:1': { key: publicOf(B) },
        'ed25519:short': { key: 'abc' },
        'ed25519:none': {},
        'ed25519:odd': null,
      },
      old_verify_keys: { [B.keyId]: { key: publicOf(B) }, [A.keyId]: { key: publicOf(A), expired_ts: 1 } },
    };
    const read = readKeyDocument(signJson(odd, NAME, A), NAME);
    expect(read?.keys.map(({ keyId, isOld }) => [keyId, isOld])).to.deep.equal([[A.keyId, false]]);
    const many = Array.from({ length: DOCUMENT_KEYS_MAX + 5 }, (_, index) => key(1, `n${index}`));
    expect(document({ current: many }).keys).to.have.lengthOf(DOCUMENT_KEYS_MAX);
  });

  it('of any shape throw nothing', () => {
    assert(
      property(jsonValue(), jsonValue(), (verify, old) => {
        const odd = {
          server_name: NAME,
          verify_keys: verify,
          old_verify_keys: old,
          valid_until_ts: 1,
          signatures: verify,
        };
        if (isJsonObject(odd)) expect(readKeyDocument(odd, NAME)).to.equal(undefined);
      }),
    );
    const deep = JSON.parse(`{"a":${'['.repeat(5_000)}${']'.repeat(5_000)}}`) as JsonObject;
    expect(readKeyDocument({ ...json({ current: [A] }), deep }, NAME)).to.equal(undefined);
  });

  it('of our own are read by others, with the keys that were retired', () => {
    const keys = [A, B, C].map((one, index) => ({
      keyId: one.keyId,
      publicKey: verifyKeyOf(one).publicKey,
      retiredTs: index === 0 ? 55 : null,
    }));
    const own = ownKeyDocument(NAME, keys, [B, C], NOW);
    const read = readKeyDocument(own, NAME);
    expect(read?.validUntilTs).to.equal(NOW + OWN_KEYS_VALID_MS);
    expect(read?.keys.map(({ keyId, isOld, validUntilTs }) => [keyId, isOld, validUntilTs])).to.deep.equal([
      [B.keyId, false, NOW + OWN_KEYS_VALID_MS],
      [C.keyId, false, NOW + OWN_KEYS_VALID_MS],
      [A.keyId, true, 55],
    ]);
    expect(Object.keys((own['signatures'] as Record<string, JsonObject>)[NAME] ?? {})).to.deep.equal([
      B.keyId,
      C.keyId,
    ]);
  });
});

describe('what is learnt of keys', () => {
  const nothing: KnownKeys = { keys: new Map(), documentUntilTs: 0 };
  const learn = (known: KnownKeys, said: Said, isDirect = true, nowTs = NOW) =>
    learnKeys(known, document(said), { isDirect, nowTs });
  const shape = ({ known }: { readonly known: KnownKeys }) =>
    [...known.keys.values()].map(({ keyId, isOld, validUntilTs }) => [keyId, isOld, validUntilTs]);

  it('is good for a week at most, whatever a server says', () => {
    const learnt = learn(nothing, {
      current: [A],
      old: [[B, NOW + 9 * DAY_MS]],
      validUntilTs: NOW + 1_000 * DAY_MS,
    });
    expect(shape(learnt)).to.deep.equal([
      [A.keyId, false, NOW + KEY_VALIDITY_MS_MAX],
      [B.keyId, true, NOW + KEY_VALIDITY_MS_MAX],
    ]);
    expect(learnt.known.documentUntilTs).to.equal(NOW + KEY_VALIDITY_MS_MAX);
  });

  it('is what the server said last: that a key is old, since when, and that it is not', () => {
    const first = learn(nothing, { current: [A] });
    expect(first.isNewest).to.equal(true);
    const rotated = learn(first.known, { current: [B], old: [[A, NOW - 5]] });
    expect(shape(rotated)).to.deep.equal([
      [A.keyId, true, NOW - 5],
      [B.keyId, false, NOW + DAY_MS],
    ]);
    const corrected = learn(rotated.known, { current: [B], old: [[A, NOW - 9]] });
    expect(shape(corrected)[0]).to.deep.equal([A.keyId, true, NOW - 9]);
    expect(
      corrected.changed.map(({ keyId }) => keyId),
      'only what is not what it was',
    ).to.deep.equal([A.keyId]);
    const back = learn(corrected.known, { current: [B, A] });
    expect(shape(back)[0]).to.deep.equal([A.keyId, false, NOW + DAY_MS]);
    expect(learn(back.known, { current: [B, A] }).changed).to.deep.equal([]);
  });

  it('is not undone by an old document that a notary has kept', () => {
    const rotated = learn(learn(nothing, { current: [A] }).known, { current: [B], old: [[A, NOW - 5]] });
    const stale = learn(rotated.known, { current: [A], validUntilTs: NOW + DAY_MS - 1 }, false);
    expect(shape(stale)).to.deep.equal(shape(rotated));
    expect(stale).to.deep.include({ changed: [], isNewest: false });
    const withMore = learn(rotated.known, { current: [A], old: [[C, 3]], validUntilTs: NOW }, false);
    expect(shape(withMore).at(-1), 'what is not known yet is taken').to.deep.equal([C.keyId, true, 3]);
    const fresh = learn(
      rotated.known,
      { current: [B], old: [[A, NOW - 7]], validUntilTs: NOW + DAY_MS + 1 },
      false,
    );
    expect(shape(fresh)[0]).to.deep.equal([A.keyId, true, NOW - 7]);
    const farFuture = learn(nothing, { current: [A], validUntilTs: NOW + 1_000 * DAY_MS });
    expect(learn(farFuture.known, { current: [B] }).isNewest, 'from the server itself').to.equal(true);
  });

  it('never shortens what a key was good for', () => {
    const first = learn(nothing, { current: [A], validUntilTs: NOW + 3 * DAY_MS });
    expect(shape(learn(first.known, { current: [A] }))).to.deep.equal(shape(first));
  });

  it('keeps a key under its id while it is good, and takes a new one after that', () => {
    const changed = key(9, 'v1');
    const first = learn(nothing, { current: [A] });
    const same = learn(first.known, { current: [changed] });
    expect(same.changed).to.deep.equal([]);
    const later = learn(
      first.known,
      { current: [changed], validUntilTs: NOW + 3 * DAY_MS },
      true,
      NOW + DAY_MS + 1,
    );
    expect(later.changed.map(({ publicKey }) => encodeBase64(publicKey))).to.deep.equal([publicOf(changed)]);
    const told = learn(first.known, { current: [B], old: [[changed, NOW]] }, true, NOW + DAY_MS + 1);
    expect(
      told.changed.map(({ keyId }) => keyId),
      'not for an old one',
    ).to.deep.equal([B.keyId]);
  });

  it('is bounded, however many keys a server makes', () => {
    let known = nothing;
    for (let round = 0; round < 5; round += 1) {
      const keys = Array.from({ length: 60 }, (_, index) => key(1, `r${round}n${index}`));
      known = learn(known, { current: keys }).known;
    }
    expect(known.keys.size).to.equal(KEYS_PER_SERVER_MAX);
  });
});
