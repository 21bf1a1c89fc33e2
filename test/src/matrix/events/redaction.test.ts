import { expect } from 'chai';
import * as fc from 'fast-check';
import type { JsonObject } from '../../../../src/kit/json.ts';
import { referenceHash } from '../../../../src/matrix/events/hashes.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { redact } from '../../../../src/matrix/events/redaction.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import { readVectors } from '../vectors/read-vectors.ts';

const vectors = readVectors('redaction') as {
  readonly published: readonly {
    readonly room_version: string;
    readonly input: Pdu;
    readonly redacted: Pdu;
  }[];
  readonly derived: readonly {
    readonly name: string;
    readonly event: Pdu;
    readonly expected: readonly { readonly room_versions: readonly string[]; readonly redacted: Pdu }[];
  }[];
};

const TYPES = [
  'm.room.member',
  'm.room.create',
  'm.room.join_rules',
  'm.room.power_levels',
  'm.room.history_visibility',
  'm.room.aliases',
  'm.room.redaction',
  'm.room.message',
];
const KEYS = [
  'membership',
  'creator',
  'join_rule',
  'allow',
  'users',
  'invite',
  'aliases',
  'redacts',
  'third_party_invite',
  'join_authorised_via_users_server',
  'body',
];
const values = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.constant({ signed: { a: 1 }, other: 2 }),
  fc.constant({}),
);
const pdus = fc
  .record({
    type: fc.constantFrom(...TYPES),
    content: fc.dictionary(fc.constantFrom(...KEYS), values),
    top: fc.dictionary(
      fc.constantFrom('origin', 'membership', 'prev_state', 'redacts', 'extra'),
      fc.string(),
    ),
    unsigned: fc.constantFrom({}, { unsigned: { age: 5 } }),
  })
  .map(({ type, content, top, unsigned }): Pdu => ({
    ...top,
    ...unsigned,
    type,
    content: content as JsonObject,
    sender: '@a:b',
    room_id: '!r:b',
    depth: 3,
    origin_server_ts: 1,
    prev_events: ['$p'],
    auth_events: ['$q'],
    hashes: { sha256: 'abc' },
    signatures: { b: { 'ed25519:1': 'x' } },
  }));

describe('redaction', () => {
  for (const [index, { room_version: id, input, redacted }] of vectors.published.entries()) {
    it(`is that of published case ${index} in room version ${id}`, () => {
      expect(redact(getRoomVersion(id), input)).to.deep.equal(redacted);
    });
  }

  for (const { name, event, expected } of vectors.derived) {
    for (const { room_versions: versions, redacted } of expected) {
      for (const id of versions) {
        it(`of ${name} in room version ${id}`, () => {
          expect(redact(getRoomVersion(id), event)).to.deep.equal(redacted);
        });
      }
    }
  }

  it('done twice is done once', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROOM_VERSIONS), pdus, (version, pdu) => {
        const once = redact(version, pdu);
        expect(redact(version, once)).to.deep.equal(once);
      }),
    );
  });

  it('does not change the reference hash', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROOM_VERSIONS), pdus, (version, pdu) => {
        expect(referenceHash(version, redact(version, pdu))).to.equal(referenceHash(version, pdu));
      }),
    );
  });

  it('leaves the event itself alone', () => {
    const [first] = vectors.published;
    const before = structuredClone(first?.input);
    redact(getRoomVersion('9'), first?.input as Pdu);
    expect(first?.input).to.deep.equal(before);
  });
});
