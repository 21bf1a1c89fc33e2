import { readBans, readStateOfType } from '../../db/rooms/upgrade-reader.ts';
import type { StoredEvent } from '../../db/rooms/event-reader.ts';
import { findRoom, readRoomAliases } from '../../db/rooms/room-reader.ts';
import { succeedInDirectory } from '../../db/rooms/alias-writer.ts';
import { storeEvent, storeRoom } from '../../db/rooms/writer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { findRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import {
  COPIED_ENTRIES_MAX,
  COPIED_TYPES,
  isSpace,
  type ReplacedRoom,
  type Replacement,
  replacementCreationContent,
  replacementEvents,
  splitCanonicalAlias,
} from '../../src/matrix/rooms/upgrade.ts';
import { closedPowerLevels } from '../../src/matrix/rooms/upgraded-power-levels.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { aliasFacts, rowOf, writeOf } from './commit-events.ts';
import {
  contentOfCreate,
  findRoomId,
  type RoomMaker,
  stageFirstEvents,
  unsupportedVersion,
  writesOfFirstEvents,
} from './create-room.ts';
import type { RoomsProtocol } from './protocol.ts';
import { draftOf } from './room-draft.ts';
import { newRoom, type Room } from './room-memory.ts';
import { signTogether } from './room-policy.ts';
import { notInRoom, type RoomsDesk, withRoom } from './rooms-desk.ts';
import { parseStoredPdu } from './stored-pdu.ts';
import { type Proposal, type StagedEvent, stageEvent } from './stage-event.ts';

type UpgradeRoom = InputOf<RoomsProtocol, 'rooms.upgrade-room'>;
type Upgraded = OutputOf<RoomsProtocol, 'rooms.upgrade-room'>;

const NO_EFFECTS = { redacts: null, transaction: null };

/** An upgrade on its way. */
interface Upgrade {
  readonly desk: RoomsDesk;
  readonly maker: RoomMaker;
  readonly old: ReplacedRoom & { readonly roomNid: number; readonly isPublic: boolean };
  readonly replacement: Replacement;
  /** Milliseconds since the Unix epoch, of all its events. */
  readonly originServerTs: number;
  /** When it is committed: the position of its first event. */
  readonly committed: Promise<number | Refusal>;
}

async function readReplacedRoom(desk: RoomsDesk, room: Room, sender: string): Promise<Upgrade['old']> {
  const { db } = desk;
  const { roomNid, roomId, version } = room;
  const others = ['m.room.create', 'm.room.power_levels', 'm.room.canonical_alias', 'm.room.tombstone'];
  await room.state.load([
    ...[...others, ...COPIED_TYPES].map((type) => ({ type, stateKey: '' })),
    { type: 'm.room.member', stateKey: sender },
  ]);
  const find = (type: string, stateKey: string): Pdu | undefined => room.state.find(type, stateKey);
  const create = find('m.room.create', '');
  if (create === undefined) throw new Error(`room ${roomId} has no create event`);
  const parse = (events: readonly StoredEvent[]): readonly Pdu[] =>
    events.map((event) => parseStoredPdu(version, event));
  return {
    roomNid,
    roomId,
    version,
    isPublic: (await findRoom(db, roomId))?.isPublic === true,
    create,
    powerLevels: find('m.room.power_levels', ''),
    find,
    spaceChildren: isSpace(create)
      ? parse(await readStateOfType(db, roomId, 'm.space.child', COPIED_ENTRIES_MAX))
      : [],
    bans: parse(await readBans(db, roomId, COPIED_ENTRIES_MAX)),
    localAliases: (await readRoomAliases(db, roomId)).map(({ alias }) => alias),
  };
}

function createProposal(upgrade: Upgrade, tombstoneId: string | null): Proposal {
  const { old, replacement, originServerTs } = upgrade;
  const creator = replacement.sender;
  const creationContent = replacementCreationContent(old, replacement, tombstoneId);
  const content = contentOfCreate(replacement.version, { creator, creationContent });
  return { sender: creator, type: 'm.room.create', stateKey: '', content, originServerTs };
}

/** The last events of the old room. The tombstone must be allowed; the others are left out when they are not. */
function stageLastEvents(
  upgrade: Upgrade,
  draft: Room,
  replacementRoom: string,
): readonly [StagedEvent, ...StagedEvent[]] | Refusal {
  const { desk, old, replacement, originServerTs, committed } = upgrade;
  let offset = 0;
  const stage = (type: string, content: JsonObject): StagedEvent | Refusal => {
    const proposal = { sender: replacement.sender, type, stateKey: '', content, originServerTs };
    const event = stageEvent(draft, proposal, { committed, offset }, desk.stage);
    if (!isRefusal(event)) offset += 1;
    return event;
  };
  const body = 'This room has been replaced';
  const tombstone = stage('m.room.tombstone', { body, replacement_room: replacementRoom });
  if (isRefusal(tombstone)) return tombstone;
  const events: [StagedEvent, ...StagedEvent[]] = [tombstone];
  const optional = [
    ['m.room.canonical_alias', splitCanonicalAlias(old).left],
    ['m.room.power_levels', closedPowerLevels(old)],
  ] as const;
  for (const [type, content] of optional) {
    const event = content === null ? null : stage(type, content);
    if (event !== null && !isRefusal(event)) events.push(event);
  }
  return events;
}

/** The new room as it is to be stored, and what follows the first `offset` positions of the write set. */
function stageNewRoom(
  upgrade: Upgrade,
  roomId: string,
  create: Proposal,
  offset: number,
): { readonly room: Room; readonly events: readonly StagedEvent[] } | Refusal {
  const { desk, maker, old, replacement, originServerTs, committed } = upgrade;
  const { sender, version } = replacement;
  const room = newRoom(maker.nextRoomNid(), roomId, version);
  const proposals = replacementEvents(old, replacement).map((event) => ({
    sender,
    ...event,
    originServerTs: Math.max(originServerTs, create.originServerTs),
  }));
  const first = committed.then((outcome) => (isRefusal(outcome) ? outcome : outcome + offset));
  const events = stageFirstEvents(desk, room, [create, ...proposals], first);
  return isRefusal(events) ? events : { room, events };
}

function refusalOf(refusal: Refusal): Refusal {
  if (refusal.errcode !== 'M_INVALID_ROOM_STATE') return refusal;
  return refuse('M_FORBIDDEN', `the room cannot be upgraded: ${refusal.error}`);
}

async function replaceRoom(
  upgrade: Upgrade,
  room: Room,
  settle: (outcome: number | Refusal) => void,
): Promise<Upgraded> {
  const { desk, maker, old, replacement } = upgrade;
  const { version, sender: creator } = replacement;
  const named = await findRoomId(desk, maker, version, createProposal(upgrade, null));
  if (isRefusal(named)) return named;
  const { roomId } = named;
  const unsigned = stageLastEvents(upgrade, draftOf(room), roomId);
  if (isRefusal(unsigned)) return unsigned;
  const last = await signTogether(desk.policy, room, unsigned);
  if (isRefusal(last)) return last;
  const isNamedByCreate = version.roomIdFormat === 'create-event';
  const create = isNamedByCreate ? named.create : createProposal(upgrade, unsigned[0].built.eventId);
  const made = stageNewRoom(upgrade, roomId, create, last.length);
  if (isRefusal(made)) return refusalOf(made);
  const { room: successor, events } = made;
  const { roomNid } = successor;
  const roomWrite = {
    roomNid,
    roomId,
    roomVersion: version.id,
    creator,
    isPublic: old.isPublic,
    alias: null,
  };
  const outcome = await desk.commit({
    roomId: old.roomId,
    rows: last.map((event) => rowOf(event, null)),
    successor: { roomId, rows: events.map((event) => rowOf(event, null)) },
    steps: [
      ...last.flatMap((event, offset) => storeEvent(writeOf(event, NO_EFFECTS, desk.serverName), offset)),
      ...storeRoom({ ...roomWrite, events: writesOfFirstEvents(desk, events) }, last.length),
      ...succeedInDirectory(roomNid, old.roomNid),
    ],
    isOurs: true,
    facts: aliasFacts(old.localAliases),
  });
  settle(outcome);
  // What is in memory of the old room does not have its last events.
  desk.rooms.discard(room);
  if (isRefusal(outcome)) return outcome;
  desk.rooms.keep(successor);
  return { kind: 'upgraded', roomId, position: outcome + last.length + events.length - 1 };
}

/**
 * Replaces a room by a new one, in the old room's turn and in one write: the new room with the state that is copied, the tombstone, the
 * aliases, the place in the public directory. All or nothing. Client-Server API v1.19, `POST /rooms/{roomId}/upgrade` and "Room Upgrades".
 */
export async function upgradeRoom(desk: RoomsDesk, maker: RoomMaker, input: UpgradeRoom): Promise<Upgraded> {
  const version = findRoomVersion(input.roomVersion);
  if (version === undefined) return unsupportedVersion(input.roomVersion);
  // What is read from the database is then what is in memory.
  await desk.settled(input.roomId);
  return withRoom<Upgraded>(desk, input.roomId, notInRoom, async (room) => {
    const { sender, additionalCreators } = input;
    const { promise, resolve } = Promise.withResolvers<number | Refusal>();
    return replaceRoom(
      {
        desk,
        maker,
        old: await readReplacedRoom(desk, room, sender),
        replacement: { version, sender, additionalCreators },
        originServerTs: maker.nextCreationTs(),
        committed: promise,
      },
      room,
      resolve,
    );
  });
}
