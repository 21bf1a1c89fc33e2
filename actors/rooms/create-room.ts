import { findRoom } from '../../db/rooms/room-reader.ts';
import { type EventWrite, storeRoom } from '../../db/rooms/writer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { buildEvent } from '../../src/matrix/events/build-event.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import {
  findRoomVersion,
  KNOWN_ROOM_VERSIONS,
  type RoomVersion,
} from '../../src/matrix/rooms/room-versions.ts';
import type { InputOf } from '../kit/protocol.ts';
import { aliasFacts, rowOf, writeOf } from './commit-events.ts';
import type { RoomCreated, RoomsProtocol } from './protocol.ts';
import { refuseInvitesAmong } from './refuse-invite.ts';
import { newRoom, type Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { type Proposal, type StagedEvent, stageEvent } from './stage-event.ts';
import { withoutKeys } from './without-keys.ts';

type CreateRoom = InputOf<RoomsProtocol, 'rooms.create-room'>;

/** What making rooms needs beside the desk. */
export interface RoomMaker {
  /** The number of the next room: the owner of rooms is the only one that makes any. */
  nextRoomNid(): number;
  /** A new opaque part of a room id. */
  newRoomLocalpart(): string;
  /** A time, in milliseconds since the Unix epoch, that no other create event of ours has. */
  nextCreationTs(): number;
}

/** What is answered to who asks for a room of a version that there is not. */
export function unsupportedVersion(roomVersion: string): Refusal {
  const known = KNOWN_ROOM_VERSIONS.map(({ id }) => id).join(', ');
  return refuse('M_UNSUPPORTED_ROOM_VERSION', `room version ${roomVersion} is none of ${known}`);
}

/** What every create event says, and whatever else it is to say. */
export function contentOfCreate(
  version: RoomVersion,
  input: Pick<CreateRoom, 'creator' | 'creationContent'>,
): JsonObject {
  const content = { ...withoutKeys(input.creationContent, 'creator'), room_version: version.id };
  return version.creatorInContent ? { ...content, creator: input.creator } : content;
}

/**
 * Finds the id of a room that is to be made. In room version 12 the id is made by the create event: two of them with the same content
 * differ by their time.
 */
export async function findRoomId(
  desk: RoomsDesk,
  maker: RoomMaker,
  version: RoomVersion,
  create: Proposal,
): Promise<{ readonly roomId: string; readonly create: Proposal } | Refusal> {
  if (version.roomIdFormat === 'server-chosen')
    return { roomId: `!${maker.newRoomLocalpart()}:${desk.serverName}`, create };
  const origin = { version, roomId: null, prevEvents: [], authEvents: [], depth: 1 };
  const built = buildEvent({ ...origin, ...create }, desk.stage.signer);
  if (isRefusal(built)) return built;
  if ((await findRoom(desk.db, built.roomId)) === undefined) return { roomId: built.roomId, create };
  return findRoomId(desk, maker, version, { ...create, originServerTs: maker.nextCreationTs() });
}

/**
 * Stages the first events of a room.
 *
 * @param committed when its write set is, with the position of its first event
 * @returns refused with M_INVALID_ROOM_STATE when one is not allowed at the state before it, otherwise as {@link stageEvent}
 */
export function stageFirstEvents(
  desk: RoomsDesk,
  room: Room,
  proposals: readonly Proposal[],
  committed: Promise<number | Refusal>,
): readonly StagedEvent[] | Refusal {
  const events: StagedEvent[] = [];
  for (const [offset, proposal] of proposals.entries()) {
    const event = stageEvent(room, proposal, { committed, offset }, desk.stage);
    if (isRefusal(event)) {
      if (event.errcode !== 'M_FORBIDDEN') return event;
      return refuse(
        'M_INVALID_ROOM_STATE',
        `${proposal.type} is not allowed in the new room: ${event.error}`,
      );
    }
    events.push(event);
  }
  return events;
}

/** What the store has to know of the first events of a room. */
export function writesOfFirstEvents(desk: RoomsDesk, events: readonly StagedEvent[]): readonly EventWrite[] {
  const effects = { redacts: null, transaction: null };
  // Only the last of them is followed by nothing: the extremity is written once, for the room.
  return events.map((event) => ({ ...writeOf(event, effects, desk.serverName), follows: [] }));
}

/**
 * Makes a room and all its first events in one write, each authorised at the state before it: all or nothing.
 * Client-Server API v1.19, `POST /createRoom`.
 */
export async function createRoom(
  desk: RoomsDesk,
  maker: RoomMaker,
  input: CreateRoom,
): Promise<RoomCreated | Refusal> {
  const version = findRoomVersion(input.roomVersion);
  if (version === undefined) return unsupportedVersion(input.roomVersion);
  const blocked = await refuseInvitesAmong(desk, input.creator, input.events);
  if (blocked !== undefined) return blocked;
  const originServerTs = maker.nextCreationTs();
  const content = contentOfCreate(version, input);
  const first = { sender: input.creator, type: 'm.room.create', stateKey: '', content, originServerTs };
  const named = await findRoomId(desk, maker, version, first);
  if (isRefusal(named)) return named;
  const { roomId, create } = named;
  const room = newRoom(maker.nextRoomNid(), roomId, version);
  const { promise, resolve, reject } = Promise.withResolvers<number | Refusal>();
  const proposals = input.events.map((event) => ({
    sender: input.creator,
    ...event,
    originServerTs: create.originServerTs,
  }));
  const events = stageFirstEvents(desk, room, [create, ...proposals], promise);
  if (isRefusal(events)) return events;
  const steps = storeRoom({
    roomNid: room.roomNid,
    roomId,
    roomVersion: version.id,
    creator: input.creator,
    isPublic: input.isPublic,
    alias: input.alias,
    events: writesOfFirstEvents(desk, events),
  });
  const rows = events.map((event) => rowOf(event, null));
  const facts = aliasFacts(input.alias === null ? [] : [input.alias]);
  desk.commit({ roomId, rows, steps, isOurs: true, facts }).then(resolve, reject);
  const outcome = await promise;
  if (isRefusal(outcome)) return outcome;
  desk.rooms.keep(room);
  return { kind: 'created', roomId, position: outcome + events.length - 1 };
}
