import { join } from 'node:path';
import { DATABASE_FILE } from '../../db/kit/sqlite.ts';
import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { readHighestNumbers } from '../../db/rooms/head-reader.ts';
import { readKnownEvents, readSettled } from '../../db/rooms/inbound-reader.ts';
import { invitePermissionCache } from '../../src/sync/caches/invite-permission.ts';
import { readRoomsOfHiddenSticky } from '../../db/rooms/sticky-reader.ts';
import { eventsStream } from '../../src/streams/events-stream.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import { commit } from '../commit.ts';
import { ownDurableStream } from '../stream-owner.ts';
import type { Handlers } from '../kit/actor.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { acceptJoin } from './accept-join.ts';
import { acceptKnock } from './accept-knock.ts';
import { unlessClosed, unlessEnteringClosed } from './blocked-rooms.ts';
import { changeMembership } from './change-membership.ts';
import { type CommitRows, createCommit } from './commit-events.ts';
import { createRoom, type RoomMaker } from './create-room.ts';
import { forgetRoom } from './forget-room.ts';
import { createJoinReception } from './join-reception.ts';
import { acceptLeave } from './leave-out-of-band.ts';
import { makeInvite } from './make-invite.ts';
import { makeJoin, makeKnock, makeLeave } from './make-join.ts';
import type { RoomsProtocol } from './protocol.ts';
import { pruneStickySlice, pruneTransactionSlice, startPruning } from './pruning.ts';
import { receiveEvent, receiveUnlessUnsigned } from './receive-event.ts';
import { createHistoryWriter, receiveHistory } from './receive-history.ts';
import { receiveInvite } from './receive-invite.ts';
import { receiveOutliers } from './receive-outliers.ts';
import { reconsiderSticky } from './reconsider-sticky.ts';
import { reconsiderEvents } from './reconsider-waiting.ts';
import { redactEvent } from './redact-event.ts';
import { redactMany } from './redact-many.ts';
import { deleteAlias, setAlias } from './room-aliases.ts';
import { createOwnOrder } from './own-order.ts';
import { createResolver } from './resolution.ts';
import { createPolicyDesk } from './room-policy.ts';
import { createRoomWork } from './room-work.ts';
import { startPurging } from './purge-handlers.ts';
import { createRoomMemory } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { sendInOrder } from './send-event.ts';
import { setVisibility } from './set-visibility.ts';
import { settleCommits } from './settled-commits.ts';
import { createTransactionMemory } from './transaction-memory.ts';
import { updateMemberProfile, updateProfile } from './update-profile.ts';
import { upgradeRoom } from './upgrade-room.ts';
import { vouchForJoin } from './vouch-for-join.ts';

const MAILBOX_LIMIT = 10_000;
/** Messages of one room that are handled before the other rooms get their turn. */
const TURN_BUDGET = 64;
/** Characters of `[A-Za-z0-9]` in the ids that we choose. */
const LOCALPART_LENGTH = 18;
/** Events that others wait for and that came in an earlier life, at a start. */
const RECONSIDERED_AT_START_MAX = 1_000;

function createDesk(context: TroupeContext, commitRows: CommitRows, lastStateGroup: number): RoomsDesk {
  const commits = settleCommits(commitRows);
  const { db, config, serverKey, caches } = context.env;
  const serverName = config.server.name;
  let stateGroup = lastStateGroup;
  const work = createRoomWork(context.ref('rooms'), context.clock, context.ended);
  return {
    db,
    clock: context.clock,
    serverName,
    invitesOf: (userId) =>
      caches === null
        ? invitePermissionCache.load(db, userId)
        : (caches.peek(invitePermissionCache, userId) ?? caches.get(invitePermissionCache, userId)),
    rooms: createRoomMemory(db),
    transactions: createTransactionMemory(db),
    stage: {
      signer: { serverName, key: serverKey },
      numbers: { next: () => (stateGroup += 1) },
      newEventLocalpart: () => context.random.text(LOCALPART_LENGTH),
    },
    ...commits,
    known: (eventIds) => readKnownEvents(db, eventIds),
    resolver: createResolver({
      db,
      databasePath: join(config.data.path, DATABASE_FILE),
      pool: context.ref('pool'),
    }),
    policy: createPolicyDesk({
      serverName,
      isPolicyServer: () => Object.keys(config.wellKnown.policyServerKeys).length > 0,
      db,
      caches,
      policyServers: () => context.ref('policy-servers'),
    }),
    own: createOwnOrder(context.clock, work),
    work,
    reconsiderLater(roomId, eventIds) {
      // Should the mailbox be full: what waits is found again when the actor starts, or when it comes again.
      context.ref('rooms').tell('rooms.reconsider-events', { roomId, eventIds });
    },
    redactLater(input) {
      // Should the mailbox be full: the moderator sees that it has not happened.
      context.ref('rooms').tell('rooms.redact-many', input);
    },
    reconsiderStickyLater(roomId, after) {
      context.ref('rooms').tell('rooms.reconsider-sticky', { roomId, after });
    },
  };
}

/** What was stored before a crash and is waited for: whoever waits is looked at again. */
async function reconsiderAll(desk: RoomsDesk): Promise<void> {
  const byRoom = new Map<string, string[]>();
  for (const { roomId, eventId } of await readSettled(desk.db, RECONSIDERED_AT_START_MAX))
    byRoom.set(roomId, [...(byRoom.get(roomId) ?? []), eventId]);
  for (const [roomId, eventIds] of byRoom) desk.reconsiderLater(roomId, eventIds);
  const now = desk.clock.now();
  for (const { roomId } of await desk.db.all(readRoomsOfHiddenSticky, {
    now,
    limit: RECONSIDERED_AT_START_MAX,
  }))
    desk.reconsiderStickyLater(roomId, 0);
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
    await reconsiderAll(desk);
    const self = context.ref('rooms');
    const { clock, ended } = context;
    const write = (steps: readonly WriteStep[]): Promise<WriteOutcome> => commit(context, steps);
    const pruning = { clock, ended, write, crash: (error: unknown) => context.crash(error) };
    startPruning(pruning, pruneTransactionSlice);
    startPruning(pruning, pruneStickySlice);
    const history = createHistoryWriter(context, owner);
    const own: Handlers<RoomsProtocol> = {
      ...handlers,
      ...startPurging(context, { desk, position: () => owner.currentToken(), write }),
      'rooms.create-room': (input) => createRoom(desk, maker, input),
      'rooms.upgrade-room': (input) => upgradeRoom(desk, maker, input),
      'rooms.set-alias': (input) => setAlias(context, desk, write, input),
      'rooms.delete-alias': (input) => deleteAlias(context, desk, write, input),
      'rooms.set-visibility': (input) => setVisibility(context, desk, write, input),
      'rooms.send-event': (input) => sendInOrder(desk, input),
      'rooms.redact-event': (input) => desk.own.follow(input.roomId, () => redactEvent(desk, input)),
      'rooms.redact-many': (input) => redactMany(desk, self, input),
      'rooms.change-membership': unlessEnteringClosed(desk.db, (input) =>
        desk.own.follow(input.roomId, () => changeMembership(desk, input)),
      ),
      'rooms.update-profile': (input) => updateProfile(desk, self, input, () => owner.currentToken()),
      'rooms.update-member-profile': (input) =>
        desk.own.follow(input.roomId, () => updateMemberProfile(desk, input)),
      'rooms.forget-room': (input) => forgetRoom(context, write, input),
      'rooms.receive-event': (input) => receiveEvent(desk, input),
      'rooms.receive-unless-unsigned': (input) => receiveUnlessUnsigned(desk, input),
      'rooms.receive-outliers': (input) => receiveOutliers(desk, input),
      'rooms.receive-history': (input) => receiveHistory(desk, history, input),
      'rooms.reconsider-events': (input) => reconsiderEvents(desk, input),
      'rooms.reconsider-sticky': (input) => reconsiderSticky(desk, input),
      'rooms.receive-invite': unlessClosed(desk.db, (input) => receiveInvite(desk, reception, input)),
      'rooms.accept-join': unlessClosed(desk.db, (input) => acceptJoin(desk, reception, input)),
      'rooms.make-join': unlessClosed(desk.db, (input) => makeJoin(desk, input)),
      'rooms.make-knock': unlessClosed(desk.db, (input) => makeKnock(desk, input)),
      'rooms.make-leave': (input) => makeLeave(desk, input),
      'rooms.make-invite': unlessClosed(desk.db, (input) => makeInvite(desk, input)),
      'rooms.vouch-for-join': unlessClosed(desk.db, (input) => vouchForJoin(desk, input)),
      'rooms.accept-knock': unlessClosed(desk.db, (input) => acceptKnock(desk, reception, input)),
      'rooms.accept-leave': (input) => acceptLeave(desk, input),
    };
    const reception = createJoinReception(own, {
      maker,
      write,
      position: () => owner.currentToken(),
      unavailable: (outcome) => unavailableRefusal(outcome, context.env.config),
    });
    return { handlers: own };
  },
});
