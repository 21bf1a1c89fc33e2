import { expect } from 'chai';
import { eventIdOf } from '../../../../src/matrix/events/event-id.ts';
import {
  countersignEvent,
  hashAndSignEvent,
  requiredSigners,
  verifyEvent,
} from '../../../../src/matrix/events/event-signatures.ts';
import { contentHash, hasValidContentHash, referenceText } from '../../../../src/matrix/events/hashes.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { decodeBase64 } from '../../../../src/matrix/events/unpadded-base64.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, verifyKeyOf } from '../../../../src/matrix/signing.ts';
import { readVectors } from '../vectors/read-vectors.ts';

const ids = readVectors('event-ids') as {
  readonly published: readonly {
    readonly room_version: string;
    readonly event: Pdu;
    readonly event_id: string;
  }[];
  readonly derived: readonly {
    readonly event: Pdu;
    readonly event_id_by_room_version: Readonly<Record<string, string>>;
  }[];
};

const signing = readVectors('event-signing') as {
  readonly seed_base64: string;
  readonly cases: readonly {
    readonly input: Pdu;
    readonly signed: Pdu;
    readonly content_hash: string;
    readonly redacted_for_signing: Pdu;
  }[];
};

const key = makeServerKey(decodeBase64(signing.seed_base64) ?? new Uint8Array(), '1');
const signer = { serverName: 'domain', key };

describe('event ids', () => {
  for (const { room_version: id, event, event_id: eventId } of ids.published) {
    it(`are right in room version ${id} (published)`, () => {
      expect(eventIdOf(getRoomVersion(id), event)).to.equal(eventId);
    });
  }

  for (const { event, event_id_by_room_version: byVersion } of ids.derived) {
    for (const [id, eventId] of Object.entries(byVersion)) {
      it(`are right in room version ${id} (derived)`, () => {
        expect(eventIdOf(getRoomVersion(id), event)).to.equal(eventId);
      });
    }
  }

  it('are missing where the server should have chosen one', () => {
    expect(eventIdOf(getRoomVersion('1'), ids.published[1]?.event as Pdu)).to.equal(undefined);
  });
});

describe('event hashes and signatures', () => {
  const version = getRoomVersion('1');

  for (const [
    index,
    { input, signed, content_hash: hash, redacted_for_signing: redacted },
  ] of signing.cases.entries()) {
    it(`are those of published case ${index}`, () => {
      expect(contentHash(version, input)).to.equal(hash);
      expect(JSON.parse(referenceText(version, signed) ?? '')).to.deep.equal(redacted);
      expect(hashAndSignEvent(version, input, signer)).to.deep.equal(signed);
      expect(verifyEvent(version, signed, 'domain', verifyKeyOf(key))).to.equal(true);
      expect(hasValidContentHash(version, signed)).to.equal(true);
    });
  }

  const [first] = signing.cases;
  const signed = first?.signed as Pdu;

  it('notice a changed content by its hash, and a changed envelope by its signature', () => {
    const changedContent = { ...signed, content: { body: 'other' } };
    expect(hasValidContentHash(version, changedContent)).to.equal(false);
    expect(verifyEvent(version, changedContent, 'domain', verifyKeyOf(key))).to.equal(true);
    const changedDepth = { ...signed, depth: 4 };
    expect(verifyEvent(version, changedDepth, 'domain', verifyKeyOf(key))).to.equal(false);
    expect(hasValidContentHash(version, { ...signed, hashes: {} })).to.equal(false);
  });

  it('add a second signature', () => {
    const other = makeServerKey(new Uint8Array(32).fill(3), 'b');
    const both = countersignEvent(version, signed, { serverName: 'other', key: other });
    expect(verifyEvent(version, both, 'domain', verifyKeyOf(key))).to.equal(true);
    expect(verifyEvent(version, both, 'other', verifyKeyOf(other))).to.equal(true);
    expect(verifyEvent(version, signed, 'other', verifyKeyOf(other))).to.equal(false);
  });
});

describe('required signers', () => {
  const event = {
    type: 'm.room.member',
    sender: '@a:sender',
    state_key: '@b:target',
    event_id: '$x:chooser',
    content: {},
    depth: 1,
    origin_server_ts: 1,
    prev_events: [],
    auth_events: [],
  };
  const thirdParty = { membership: 'invite', third_party_invite: { signed: {} } };
  const via = { membership: 'join', join_authorised_via_users_server: '@c:resident' };
  const cases = [
    { id: '1', content: {}, expected: ['sender', 'chooser'] },
    { id: '2', content: thirdParty, expected: ['chooser'] },
    { id: '3', content: {}, expected: ['sender'] },
    { id: '7', content: via, expected: ['sender'] },
    { id: '8', content: via, expected: ['sender', 'resident'] },
    { id: '12', content: via, expected: ['sender', 'resident'] },
    { id: '12', content: thirdParty, expected: [] },
  ];
  for (const { id, content, expected } of cases) {
    it(`of ${JSON.stringify(content).slice(0, 40)} in room version ${id} are ${expected.join(' and ') || 'none'}`, () => {
      expect(requiredSigners(getRoomVersion(id), { ...event, content })).to.deep.equal(expected);
    });
  }

  it('do not look into other types', () => {
    expect(requiredSigners(getRoomVersion('12'), { ...event, type: 'm.x', content: via })).to.deep.equal([
      'sender',
    ]);
  });
});
