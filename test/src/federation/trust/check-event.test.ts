import { expect } from 'chai';
import { assert, constantFrom, jsonValue, property } from 'fast-check';
import type { FoundKey } from '../../../../actors/server-keys/protocol.ts';
import { wantedKeysOf } from '../../../../src/federation/trust/check-event.ts';
import { checkEvents } from '../../../../src/federation/trust/check-events.ts';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import { countersignEvent } from '../../../../src/matrix/events/event-signatures.ts';
import { KEY_VALIDITY_MS_MAX } from '../../../../src/matrix/events/key-validity.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../../../../src/matrix/events/policy-signature.ts';
import { encodeBase64 } from '../../../../src/matrix/events/unpadded-base64.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, type ServerKey, verifyKeyOf } from '../../../../src/matrix/signing.ts';
import { FOREIGN_KEY, makeForeignRoom } from '../../../support/foreign-room.ts';

const NOW = 2_000_000_000_000;
const THEIRS = 'other.example';
const ELSEWHERE = 'elsewhere.example';

function found(serverName: string, key: ServerKey, validUntilTs = NOW): FoundKey {
  return { serverName, keyId: key.keyId, publicKey: encodeBase64(verifyKeyOf(key).publicKey), validUntilTs };
}

const KEYS = [found(THEIRS, FOREIGN_KEY), found(ELSEWHERE, FOREIGN_KEY)];

function check(roomVersion: string, event: Json, keys: readonly FoundKey[] = KEYS, nowTs = NOW) {
  const [outcome] = checkEvents({ roomVersion, events: [event as JsonObject], keys, nowTs });
  if (outcome === undefined) throw new Error('no outcome');
  return outcome;
}

function message(version: string, content: JsonObject = { body: 'hello' }) {
  const room = makeForeignRoom({ version });
  const built = room.build({ sender: room.creator, type: 'm.room.message', content });
  return { room, built, pdu: JSON.parse(built.json) as Pdu };
}

describe('the check of an event', () => {
  for (const { id } of ROOM_VERSIONS) {
    it(`finds those of room version ${id} valid, and drops what is unsigned`, () => {
      const room = makeForeignRoom({ version: id });
      room.add({ sender: room.creator, type: 'm.room.message', content: { body: 'hello' } });
      for (const { json, eventId } of room.events) {
        const event = { ...(JSON.parse(json) as JsonObject), unsigned: { age: 1, prev_content: {} } };
        expect(check(id, event), json).to.deep.equal({
          kind: 'valid',
          event: { eventId, pdu: json },
          roomId: room.roomId,
        });
      }
    });

    it(`redacts one of room version ${id} whose content was changed, and refuses one whose signed part was`, () => {
      const { built, pdu } = message(id);
      const changed = check(id, { ...pdu, content: { body: 'bye' } });
      if (changed.kind !== 'valid') throw new Error(changed.reason);
      expect(changed.event.eventId).to.equal(built.eventId);
      expect((JSON.parse(changed.event.pdu) as Pdu).content).to.deep.equal({});
      for (const part of [
        { depth: pdu.depth + 1 },
        { type: 'm.other' },
        { origin_server_ts: 5 },
        { hashes: { sha256: 'abc' } },
      ])
        expect(check(id, { ...pdu, ...part }), JSON.stringify(part)).to.include({
          kind: 'invalid',
          reason: `the signature of ${THEIRS} is wrong`,
        });
    });
  }

  it('wants the signature of the sender and knows what it lacks', () => {
    const { pdu, built } = message('11');
    const { eventId } = built;
    expect(check('11', pdu, [])).to.deep.equal({
      kind: 'invalid',
      eventId,
      reason: `no key of ${THEIRS} that has signed it can be had`,
    });
    expect(check('11', { ...pdu, signatures: {} })).to.include({
      eventId,
      reason: `${THEIRS} has not signed it`,
    });
    expect(check('11', { ...pdu, signatures: { [ELSEWHERE]: pdu.signatures[THEIRS] ?? {} } })).to.include({
      reason: `${THEIRS} has not signed it`,
    });
    const other = makeServerKey(new Uint8Array(32), FOREIGN_KEY.keyId.slice('ed25519:'.length));
    expect(check('11', pdu, [found(THEIRS, other)])).to.include({
      reason: `the signature of ${THEIRS} is wrong`,
    });
    expect(check('11', pdu, [found(ELSEWHERE, FOREIGN_KEY)]), 'the key of another server').to.include({
      kind: 'invalid',
    });
  });

  it('takes any one of several signatures of a server', () => {
    const { pdu } = message('11');
    const second = makeServerKey(new Uint8Array(32).fill(8), 'second');
    const signed = countersignEvent(getRoomVersion('11'), pdu, { serverName: THEIRS, key: second });
    expect(check('11', signed, [found(THEIRS, second)])).to.include({ kind: 'valid' });
    const broken = { ...(signed.signatures[THEIRS] as JsonObject), [FOREIGN_KEY.keyId]: 'AAAA' };
    const half = { ...signed, signatures: { [THEIRS]: broken } };
    expect(check('11', half, [...KEYS, found(THEIRS, second)])).to.include({ kind: 'valid' });
    expect(check('11', half, KEYS)).to.include({ kind: 'invalid' });
  });

  it('looks from room version 5 on whether the key was good when the event was sent', () => {
    for (const [id, matters] of [
      ['4', false],
      ['5', true],
      ['12', true],
    ] as const) {
      const { pdu } = message(id);
      const at = pdu.origin_server_ts;
      expect(check(id, pdu, [found(THEIRS, FOREIGN_KEY, at)]), id).to.include({ kind: 'valid' });
      expect(check(id, pdu, [found(THEIRS, FOREIGN_KEY, at - 1)]).kind, id).to.equal(
        matters ? 'invalid' : 'valid',
      );
      const future = at - KEY_VALIDITY_MS_MAX;
      expect(check(id, pdu, [found(THEIRS, FOREIGN_KEY, at)], future), id).to.include({ kind: 'valid' });
      expect(check(id, pdu, [found(THEIRS, FOREIGN_KEY, at)], future - 1).kind, id).to.equal(
        matters ? 'invalid' : 'valid',
      );
    }
  });

  it('wants the server of who let a user into a restricted room', () => {
    const room = makeForeignRoom({ version: '10' });
    const join = {
      sender: `@joiner:${ELSEWHERE}`,
      type: 'm.room.member',
      stateKey: `@joiner:${ELSEWHERE}`,
      content: { membership: 'join', join_authorised_via_users_server: room.creator },
    };
    const pdu = JSON.parse(room.build(join).json) as Pdu;
    const { [ELSEWHERE]: own = {} } = pdu.signatures;
    const alone: Pdu = { ...pdu, signatures: { [ELSEWHERE]: own } };
    expect(check('10', alone)).to.include({ reason: `${THEIRS} has not signed it` });
    const both = countersignEvent(getRoomVersion('10'), alone, { serverName: THEIRS, key: FOREIGN_KEY });
    expect(check('10', both)).to.include({ kind: 'valid' });
    expect(wantedKeysOf(getRoomVersion('10'), both).map(({ serverName }) => serverName)).to.deep.equal([
      ELSEWHERE,
      THEIRS,
    ]);
  });

  it('does not look for keys of policy servers, nor for more than some of a server', () => {
    const { pdu } = message('12');
    const version = getRoomVersion('12');
    const own = pdu.signatures[THEIRS] as JsonObject;
    const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`ed25519:n${index}`, 'AAAA']));
    const wanted = (signatures: JsonObject) =>
      wantedKeysOf(version, { ...pdu, signatures: { [THEIRS]: signatures } }).map(({ keyId }) => keyId);
    expect(wanted({ [POLICY_KEY_ID]: 'AAAA', 'rsa:1': 'AAAA', ...own })).to.deep.equal([FOREIGN_KEY.keyId]);
    expect(wanted(many)).to.have.lengthOf(5);
    expect(wantedKeysOf(version, pdu)[0]).to.deep.equal({
      serverName: THEIRS,
      keyId: FOREIGN_KEY.keyId,
      validAtTs: pdu.origin_server_ts,
    });
    expect(wantedKeysOf(getRoomVersion('4'), message('4').pdu)[0]).to.include({ validAtTs: 0 });
  });

  it('has an outcome for anything at all, in order, and harms no other event', () => {
    const { pdu } = message('11');
    const fields = constantFrom(...Object.keys(pdu), 'state_key', 'redacts', '__proto__', 'event_id');
    assert(
      property(constantFrom(...ROOM_VERSIONS), fields, jsonValue(), (version, field, value) => {
        const good = message(version.id).pdu;
        const odd: JsonObject = Object.fromEntries([...Object.entries(good), [field, value as Json]]);
        expect(wantedKeysOf(version, odd)).to.be.an('array');
        const outcomes = checkEvents({
          roomVersion: version.id,
          events: [odd, good],
          keys: KEYS,
          nowTs: NOW,
        });
        expect(outcomes.map(({ kind }) => kind)[1]).to.equal('valid');
        expect(outcomes).to.have.lengthOf(2);
      }),
    );
    const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) as Json;
    expect(check('1', { ...message('1').pdu, content: { deep } })).to.include({ kind: 'invalid' });
    expect(check('11', { ...pdu, content: { deep } })).to.include({ kind: 'invalid' });
  });
});
