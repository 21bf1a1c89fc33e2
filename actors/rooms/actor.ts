import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { readHighestNumbers } from '../../db/rooms/head-reader.ts';
import { eventsStream } from '../../src/streams/events-stream.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import { commit } from '../commit.ts';
import { ownDurableStream } from '../stream-owner.ts';
import { changeMembership } from './change-membership.ts';
import { createCommit, type CommitEvents } from './commit-events.ts';
import { createRoom, type RoomMaker } from './create-room.ts';
import { forgetRoom } from './forget-room.ts';
import type { RoomsProtocol } from './protocol.ts';
import { startPruning } from './prune-transactions.ts';
import { redactEvent } from './redact-event.ts';
import { createRoomMemory } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { sendEvent } from './send-event.ts';
import { createTransactionMemory } from './transaction-memory.ts';
import { updateMemberProfile, updateProfile } from './update-profile.ts';

const MAILBOX_LIMIT = 10_000;
/** Messages of one room that are handled before the other rooms get their turn. */
const TURN_BUDGET = 64;
/** Characters of `[A-Za-z0-9]` in the ids that we choose. */
const LOCALPART_LENGTH = 18;

function createDesk(context: TroupeContext, commitEvents: CommitEvents, lastStateGroup: number): RoomsDesk {
  const { db, config, serverKey } = context.env;
  const serverName = config.server.name;
  let stateGroup = lastStateGroup;
  return {
    db,
    clock: context.clock,
    serverName,
    rooms: createRoomMemory(db),
    transactions: createTransactionMemory(db),
    stage: {
      signer: { serverName, key: serverKey },
      numbers: { next: () => (stateGroup += 1) },
      newEventLocalpart: () => context.random.text(LOCALPART_LENGTH),
    },
    commit: commitEvents,
  };
}

function createMaker(context: TroupeContext, lastRoomNid: number): RoomMaker {
  let roomNid = lastRoomNid;
  let creationTs = 0;
  return {
    nextRoomNid: () => (roomNid += 1),
    newRoomLocalpart: () => context.random.text(LOCALPART_LENGTH),
    nextCreationTs: () => (creationTs = Math.max(context.clock.now(), creationTs + 1)),
  };
}

/**
 * Owner of rooms and of the events stream. The work of one room is serial; a room's next event is staged while the one before it waits
 * for its commit, so that a hot room fills whole transactions.
 */
export const roomsActor = defineActor<RoomsProtocol>({
  name: 'rooms',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: {
    kind: 'by-key',
    turnBudget: TURN_BUDGET,
    key: (_message, input) => ('roomId' in input ? input.roomId : null),
  },
  async start(context) {
    const { owner, handlers } = await ownDurableStream(context, eventsStream);
    // After the owner's start, which waits for what an earlier life of this actor had left with the committer.
    const highest = await readHighestNumbers(context.env.db);
    const desk = createDesk(context, createCommit(context, owner), highest.stateGroup);
    const maker = createMaker(context, highest.roomNid);
    const self = context.ref('rooms');
    const { clock, ended } = context;
    const write = (steps: readonly WriteStep[]): Promise<WriteOutcome> => commit(context, steps);
    startPruning({ clock, ended, write, crash: (error) => context.crash(error) });
    return {
      handlers: {
        ...handlers,
        'rooms.create-room': (input) => createRoom(desk, maker, input),
        'rooms.send-event': (input) => sendEvent(desk, input),
        'rooms.redact-event': (input) => redactEvent(desk, input),
        'rooms.change-membership': (input) => changeMembership(desk, input),
        'rooms.update-profile': (input) => updateProfile(desk, self, input, () => owner.currentToken()),
        'rooms.update-member-profile': (input) => updateMemberProfile(desk, input),
        'rooms.forget-room': (input) => forgetRoom(context, write, input),
      },
    };
  },
});
