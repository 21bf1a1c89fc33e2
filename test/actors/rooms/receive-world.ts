import type { Received } from '../../../actors/rooms/protocol.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import { checkRoom } from './check-room.ts';
import {
  type ForeignEvent,
  type ForeignProposal,
  type ForeignRoom,
  openForeignRoom,
  receive,
} from './foreign-events.ts';
import {
  ALICE,
  BOB,
  change,
  makeRoom,
  openRoomsHouse,
  type RoomOptions,
  type RoomsHouse,
  sent,
} from './rooms-house.ts';

export const DAVE = '@dave:other.example';
export const ERIN = '@erin:third.example';

/** A house with a room of Alice and Bob that Dave, of another server, has joined. */
export interface ReceiveWorld {
  readonly house: RoomsHouse;
  readonly roomId: string;
  readonly foreign: ForeignRoom;
  /** Dave's join, which everything follows. */
  readonly dave: ForeignEvent;
  give(event: ForeignEvent, options?: Parameters<typeof receive>[3]): Promise<Received | Refusal>;
  giveAll(...events: readonly ForeignEvent[]): Promise<readonly string[]>;
  giveOutliers(...events: readonly ForeignEvent[]): Promise<readonly string[]>;
  extremities(): Promise<readonly string[]>;
  /** The id of the event that stands at a place of the current state. */
  standing(type: string, stateKey?: string): Promise<string | undefined>;
  find(event: Pick<ForeignEvent, 'eventId'>): ReturnType<typeof findEvent>;
  /** Checks what is true of every room, and closes the house. */
  close(): Promise<void>;
}

/** Opens a world. Call `close` at the end of the test. */
export async function openReceiveWorld(
  version = '11',
  options: RoomOptions & { readonly house?: RoomsHouse } = {},
): Promise<ReceiveWorld> {
  const house = options.house ?? (await openRoomsHouse());
  const users = { [DAVE]: 50, ...(version === '12' ? {} : { [ALICE]: 100 }) };
  const roomId = await makeRoom(house, { powerLevels: { users }, ...options, version });
  const bob = sent(await change(house, roomId, 'join', BOB));
  const foreign = openForeignRoom(roomId, version);
  await foreign.adopt(house, bob.eventId);
  const dave = foreign.add(member(DAVE, DAVE, 'join'));
  const give: ReceiveWorld['give'] = (event, settings) => receive(house, roomId, event, settings);
  const first = await give(dave);
  if (first.kind !== 'accepted') throw new Error(JSON.stringify(first));
  const { db } = house.database;
  return {
    house,
    roomId,
    foreign,
    dave,
    give,
    async giveAll(...events) {
      const kinds: string[] = [];
      for (const event of events) kinds.push((await give(event)).kind);
      return kinds;
    },
    async giveOutliers(...events) {
      const reply = await house.rooms.ask('rooms.receive-outliers', {
        roomId,
        events: events.map(({ eventId, json }) => ({ eventId, pdu: json })),
        receivedFrom: 'other.example',
      });
      if (reply.kind !== 'stored') throw new Error(reply.error);
      const byId = new Map(reply.outcomes.map(({ eventId, outcome }) => [eventId, outcome]));
      return events.map(({ eventId }) => byId.get(eventId) ?? 'not answered');
    },
    async extremities() {
      const room = await findRoom(db, roomId);
      return (await readExtremities(db, room?.roomNid ?? 0)).map(({ eventId }) => eventId);
    },
    async standing(type, stateKey = '') {
      return (await findCurrentStateEvent(db, roomId, type, stateKey))?.eventId;
    },
    find: ({ eventId }) => findEvent(db, eventId),
    async close() {
      try {
        await house.idle();
        await checkRoom(house, roomId);
      } finally {
        await house.stop();
      }
    },
  };
}

export function member(
  sender: string,
  target: string,
  membership: string,
  content: JsonObject = {},
): ForeignProposal {
  return { sender, type: 'm.room.member', stateKey: target, content: { membership, ...content } };
}

export function topic(sender: string, text: string): ForeignProposal {
  return { sender, type: 'm.room.topic', stateKey: '', content: { topic: text } };
}

export function message(sender: string, body: string): ForeignProposal {
  return { sender, type: 'm.room.message', content: { msgtype: 'm.text', body } };
}
