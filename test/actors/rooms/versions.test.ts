import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findAlias, findRoom } from '../../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import { domainOf } from '../../../src/matrix/identifiers/domain.ts';
import { eventIdOf } from '../../../src/matrix/events/event-id.ts';
import { hasValidContentHash } from '../../../src/matrix/events/hashes.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { redact } from '../../../src/matrix/events/redaction.ts';
import {
  getRoomVersion,
  KNOWN_ROOM_VERSIONS,
  ROOM_VERSIONS,
  UNSTABLE_ROOM_VERSIONS,
} from '../../../src/matrix/rooms/room-versions.ts';
import { verifyJson, verifyKeyOf, makeServerKey } from '../../../src/matrix/signing.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  firstEvents,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
  SERVER,
} from './rooms-house.ts';

describe('rooms of each version', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const pduOf = async (eventId: string): Promise<Pdu> => {
    const stored = await findEvent(house.database.db, eventId);
    if (stored === undefined) throw new Error(`${eventId} is not stored`);
    return JSON.parse(stored.pdu) as Pdu;
  };

  for (const version of KNOWN_ROOM_VERSIONS) {
    it(`version ${version.id}: create, join, send, state, redact; after a restart, too`, async () => {
      const roomId = await makeRoom(house, { version: version.id });
      expect(domainOf(roomId)).to.equal(version.id === '12' ? undefined : SERVER);
      expect((await findRoom(house.database.db, roomId))?.roomVersion).to.equal(version.id);
      const join = sent(await change(house, roomId, 'join', BOB, BOB, { displayname: 'Bob' }));
      const message = sent(await sendMessage(house, roomId, BOB, 'hello'));
      const topic = { type: 'm.room.topic', content: { topic: 'tea' } };
      const state = sent(await sendState(house, roomId, ALICE, topic));
      await house.restart();
      const redaction = sent(
        await house.rooms.ask('rooms.redact-event', {
          roomId,
          sender: BOB,
          eventId: message.eventId,
          content: { reason: 'oops' },
          transaction: null,
        }),
      );
      const redacted = await findEvent(house.database.db, message.eventId);
      expect(redacted?.redactedBy?.eventId).to.equal(redaction.eventId);
      const pdu = await pduOf(redaction.eventId);
      expect(pdu.content).to.deep.equal(
        version.redactsIn === 'content' ? { reason: 'oops', redacts: message.eventId } : { reason: 'oops' },
      );
      expect(pdu.redacts).to.equal(version.redactsIn === 'content' ? undefined : message.eventId);
      const ids = [join, message, state, redaction].map(({ eventId }) => eventId);
      const key = verifyKeyOf(makeServerKey(seededRandom(7).bytes(32), 'test'));
      for (const eventId of ids) {
        const one = await pduOf(eventId);
        expect(eventIdOf(version, one)).to.equal(eventId);
        expect(hasValidContentHash(version, one)).to.equal(true);
        expect(verifyJson(redact(version, one), SERVER, key)).to.equal(true);
      }
    });
  }

  for (const { id, knock, restricted, knockRestricted } of ROOM_VERSIONS) {
    it(`version ${id}: knocking is ${knock ? '' : 'not '}possible`, async () => {
      const roomId = await makeRoom(house, { version: id, joinRule: { join_rule: 'knock' } });
      const answer = await change(house, roomId, 'knock', BOB);
      expect(answer.kind).to.equal(knock ? 'sent' : 'refused');
      expect(refused(await change(house, roomId, 'join', BOB))).to.equal('M_FORBIDDEN');
      if (knock) sent(await change(house, roomId, 'leave', BOB));
    });

    it(`version ${id}: members of another room are ${restricted ? '' : 'not '}let in by it`, async () => {
      const other = await makeRoom(house, { version: id });
      const allow = [{ type: 'm.room_membership', room_id: other }];
      const roomId = await makeRoom(house, { version: id, joinRule: { join_rule: 'restricted', allow } });
      expect(refused(await change(house, roomId, 'join', BOB))).to.equal('M_FORBIDDEN');
      sent(await change(house, other, 'join', BOB));
      const answer = await change(house, roomId, 'join', BOB);
      expect(answer.kind).to.equal(restricted ? 'sent' : 'refused');
      if (answer.kind !== 'sent') return;
      const { content } = await pduOf(answer.eventId);
      expect(content['join_authorised_via_users_server']).to.equal(ALICE);
      expect(refused(await change(house, roomId, 'knock', BOB))).to.equal('M_FORBIDDEN');
    });

    it(`version ${id}: with knock_restricted others ${knockRestricted ? 'knock' : 'have no way in'}`, async () => {
      const other = await makeRoom(house, { version: id });
      const allow = [{ type: 'm.room_membership', room_id: other }];
      const roomId = await makeRoom(house, {
        version: id,
        joinRule: { join_rule: 'knock_restricted', allow },
      });
      expect((await change(house, roomId, 'knock', BOB)).kind).to.equal(knockRestricted ? 'sent' : 'refused');
      sent(await change(house, other, 'join', BOB));
      expect((await change(house, roomId, 'join', BOB)).kind).to.equal(knockRestricted ? 'sent' : 'refused');
    });
  }

  for (const { id } of UNSTABLE_ROOM_VERSIONS)
    it(`version ${id}: state belongs to whose id its key begins with, and to who stands above (MSC3757)`, async () => {
      const type = 'org.example.owned';
      const roomId = await makeRoom(house, { version: id, powerLevels: { events: { [type]: 0 } } });
      sent(await change(house, roomId, 'join', BOB));
      sent(await change(house, roomId, 'join', CAROL));
      const set = (sender: string, stateKey: string) =>
        sendState(house, roomId, sender, { type, stateKey, content: { by: sender } });
      sent(await set(BOB, `${BOB}_device`));
      expect(refused(await set(CAROL, `${BOB}_device`))).to.equal('M_FORBIDDEN');
      expect(refused(await set(BOB, ALICE))).to.equal('M_FORBIDDEN');
      sent(await set(ALICE, `${BOB}_device`));
      sent(await set(ALICE, BOB));
      expect(refused(await set(ALICE, '@oops'))).to.equal('M_BAD_JSON');
      expect(refused(await set(ALICE, `${ALICE}@suffix`))).to.equal('M_BAD_JSON');
      expect(refused(await set(ALICE, `${ALICE}_${'x'.repeat(256)}`))).to.equal('M_TOO_LARGE');
      await house.restart();
      const state = await findCurrentStateEvent(house.database.db, roomId, type, `${BOB}_device`);
      expect((JSON.parse(state?.pdu ?? '') as Pdu).content).to.deep.equal({ by: ALICE });
    });

  it('8.2 writes the version into the create event, and the creator where it belongs', async () => {
    for (const { id, creatorInContent } of ROOM_VERSIONS) {
      const roomId = await makeRoom(house, {
        version: id,
        creationContent: { creator: BOB, 'm.federate': true },
      });
      const create = await findCurrentStateEvent(house.database.db, roomId, 'm.room.create', '');
      expect((JSON.parse(create?.pdu ?? '') as Pdu).content).to.deep.equal({
        'm.federate': true,
        room_version: id,
        ...(creatorInContent && { creator: ALICE }),
      });
    }
  });

  it('8.3 lets the asked version win over the creation content', async () => {
    const roomId = await makeRoom(house, { version: '10', creationContent: { room_version: '4' } });
    const create = await findCurrentStateEvent(house.database.db, roomId, 'm.room.create', '');
    expect((JSON.parse(create?.pdu ?? '') as Pdu).content['room_version']).to.equal('10');
    expect((await findRoom(house.database.db, roomId))?.roomVersion).to.equal('10');
  });

  it('8.2 leaves nothing behind when the version is unknown', async () => {
    const reply = await house.rooms.ask('rooms.create-room', {
      creator: ALICE,
      roomVersion: '999',
      creationContent: {},
      events: firstEvents(ALICE),
      alias: '#tea:example.com',
      isPublic: true,
    });
    expect(reply).to.include({ errcode: 'M_UNSUPPORTED_ROOM_VERSION', status: 400 });
    expect(await findAlias(house.database.db, '#tea:example.com')).to.equal(undefined);
    await house.idle();
    expect(house.rows).to.deep.equal([]);
  });

  it('8.7 refuses a second create event', async () => {
    const roomId = await makeRoom(house);
    const second = { type: 'm.room.create', content: { room_version: '10' } };
    expect(refused(await sendState(house, roomId, ALICE, second))).to.equal('M_FORBIDDEN');
  });

  it('12 gives equal rooms made at one instant different ids', async () => {
    const ids = await Promise.all([1, 2, 3].map(() => makeRoom(house, { version: '12' })));
    expect(new Set(ids).size).to.equal(3);
    await house.restart();
    // The time stands still: the ids of the first life are met again.
    expect(ids).not.to.include(await makeRoom(house, { version: '12' }));
    expect(getRoomVersion('12').roomIdFormat).to.equal('create-event');
  });
});
