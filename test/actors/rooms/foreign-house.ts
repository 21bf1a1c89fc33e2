import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { Received, RoomsProtocol, Sent } from '../../../actors/rooms/protocol.ts';
import { readCurrentState } from '../../../db/rooms/state-reader.ts';
import type { BuiltEvent } from '../../../src/matrix/events/build-event.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import { type ForeignRoom, received } from '../../support/foreign-room.ts';
import { ALICE, openRoomsHouse, type RoomsHouse, sent } from './rooms-house.ts';

export type AcceptJoin = InputOf<RoomsProtocol, 'rooms.accept-join'>;

/** A house whose users join rooms of another server. */
export interface ForeignHouse extends RoomsHouse {
  /** A local user joins through the other server: with its state, unless the test says otherwise. */
  accept(room: ForeignRoom, join: BuiltEvent, other?: Partial<AcceptJoin>): Promise<Sent | Refusal>;
  /** Builds the user's join, accepts it and adds it to the room. */
  enter(room: ForeignRoom, userId?: string): Promise<Sent>;
  receive(room: ForeignRoom, event: BuiltEvent): Promise<Received | Refusal>;
  invite(room: ForeignRoom, event: BuiltEvent): Promise<Sent | Refusal>;
  /** The ids of the current state, in order. */
  stateIds(roomId: string): Promise<readonly string[]>;
}

/** A local user's join as the next event of a room. */
export function joinOf(room: ForeignRoom, userId = ALICE): BuiltEvent {
  const content = { membership: 'join' };
  return room.build({ sender: userId, type: 'm.room.member', stateKey: userId, content });
}

/** The ids of events, in order. */
export function idsOf(events: readonly BuiltEvent[]): readonly string[] {
  return events.map(({ eventId }) => eventId).toSorted();
}

/** Opens a house. Call `stop` at the end of the test. */
export async function openForeignHouse(): Promise<ForeignHouse> {
  const house = await openRoomsHouse();
  const where = (room: ForeignRoom) => ({ roomId: room.roomId, receivedFrom: 'other.example' });
  const accept: ForeignHouse['accept'] = (room, join, other = {}) => {
    const state = room.state().map(received);
    const event = received(join);
    const message = {
      ...where(room),
      roomVersion: room.version,
      event,
      state,
      authChain: state,
      partial: null,
    };
    return house.rooms.ask('rooms.accept-join', { ...message, ...other });
  };
  return {
    ...house,
    accept,
    async enter(room, userId) {
      const join = joinOf(room, userId);
      const reply = sent(await accept(room, join));
      room.append(join);
      return reply;
    },
    receive(room, event) {
      const message = { ...where(room), event: received(event), stateBefore: null, isFinal: false };
      return house.rooms.ask('rooms.receive-event', message);
    },
    invite(room, event) {
      const message = { ...where(room), roomVersion: room.version, event: received(event) };
      const strippedState = room.inviteState('m.room.create');
      return house.rooms.ask('rooms.receive-invite', { ...message, strippedState });
    },
    async stateIds(roomId) {
      const state = await readCurrentState(house.database.db, roomId);
      return state.map(({ eventId }) => eventId).toSorted();
    },
  };
}
