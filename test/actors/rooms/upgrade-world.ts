import { expect } from 'chai';
import { readEvents, type StoredEvent } from '../../../db/rooms/event-reader.ts';
import { readCurrentState, readStateOfGroup } from '../../../db/rooms/state-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { readLatestTimeline } from '../../../db/rooms/timeline-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { edgeIds, type Pdu } from '../../../src/matrix/events/pdu.ts';
import { type AuthEvent, checkAuthEvents } from '../../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../../src/matrix/rooms/auth-rules.ts';
import { getRoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { ALICE, type RoomsHouse } from './rooms-house.ts';

/** The contents of a room's current state, by `type` or `type|state key`. */
export async function stateOf(house: RoomsHouse, roomId: string): Promise<Record<string, JsonObject>> {
  const entries = await readCurrentState(house.database.db, roomId);
  const events = await readEvents(
    house.database.db,
    entries.map(({ eventId }) => eventId),
  );
  return Object.fromEntries(
    entries.map(({ type, stateKey, eventId }) => {
      const { content } = JSON.parse(events.get(eventId)?.pdu ?? '{}') as Pdu;
      return [stateKey === '' ? type : `${type}|${stateKey}`, content];
    }),
  );
}

/** A room's whole timeline, the oldest event first. */
export async function timelineOf(house: RoomsHouse, roomId: string): Promise<readonly StoredEvent[]> {
  const { events } = await readLatestTimeline(
    house.database.db,
    roomId,
    0,
    house.database.write.position('events'),
    10_000,
  );
  return events.toReversed();
}

/** Expects every event of a room to be allowed at its auth events and at the state before it, and the store to be of one mind. */
export async function expectSound(house: RoomsHouse, roomId: string): Promise<void> {
  const { db } = house.database;
  const room = await findRoom(db, roomId);
  const version = getRoomVersion(room?.roomVersion ?? '');
  const state = new Map<string, Pdu>();
  const byId = new Map<string, AuthEvent & { readonly pdu: Pdu }>();
  let before: readonly string[] = [];
  for (const stored of await timelineOf(house, roomId)) {
    const pdu = JSON.parse(stored.pdu) as Pdu;
    const subject = { roomId, pdu };
    const find = (type: string, stateKey: string): Pdu | undefined => state.get(`${type}|${stateKey}`);
    const what = `${pdu.type} ${JSON.stringify(pdu.content)}`;
    expect(authorise(version, subject, { find }), what).to.deep.equal({ allowed: true });
    const authEvents = edgeIds(pdu.auth_events).map((id) => byId.get(id));
    expect(authEvents, what).not.to.include(undefined);
    if (pdu.type !== 'm.room.create')
      expect(checkAuthEvents(version, subject, authEvents as readonly AuthEvent[]), what).to.deep.equal({
        allowed: true,
      });
    const ofAuth = (type: string, stateKey: string): Pdu | undefined =>
      type === 'm.room.create'
        ? find(type, stateKey)
        : authEvents.find((one) => one?.pdu.type === type && one.pdu.state_key === stateKey)?.pdu;
    expect(authorise(version, subject, { find: ofAuth }), what).to.deep.equal({ allowed: true });
    expect(edgeIds(pdu.prev_events), what).to.deep.equal(before);
    before = [stored.eventId];
    byId.set(stored.eventId, { roomId, pdu, isRejected: false });
    if (pdu.state_key !== undefined) state.set(`${pdu.type}|${pdu.state_key}`, pdu);
  }
  const [extremity, ...more] = await readExtremities(db, room?.roomNid ?? 0);
  expect([extremity?.eventId, more.length]).to.deep.equal([before[0], 0]);
  const names = (entries: readonly object[]) => entries.map((entry) => JSON.stringify(entry)).toSorted();
  expect(names(await readStateOfGroup(db, extremity?.stateGroup ?? 0))).to.deep.equal(
    names(await readCurrentState(db, roomId)),
  );
}

/** Upgrades a room, as Alice unless said otherwise, and gives the id of the new one. */
export async function upgrade(
  house: RoomsHouse,
  roomId: string,
  roomVersion: string,
  options: { readonly sender?: string; readonly additionalCreators?: readonly string[] } = {},
): Promise<string> {
  const { sender = ALICE, additionalCreators = [] } = options;
  const reply = await house.rooms.ask('rooms.upgrade-room', {
    roomId,
    sender,
    roomVersion,
    additionalCreators,
  });
  if (reply.kind !== 'upgraded') throw new Error(`${reply.errcode}: ${reply.error}`);
  return reply.roomId;
}
