import { countJoinedOfHost } from '../../db/rooms/hosts-reader.ts';
import { wasJoinedBefore } from '../../db/rooms/joined-before-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import type { TroupeContext } from '../environment.ts';
import type { LocalPresence } from './local-presence.ts';
import type { RemotePresence } from './remote-presence.ts';
import { presenceEdu, tellOtherServers } from './tell-other-servers.ts';

/** Local users of whom a server is told that has come into a room of theirs. */
export const TOLD_TO_NEWCOMER_MAX = 1_000;

/** A join, of whatever user; the state of a room that has become whole tells of some without their event. */
type Join = Exclude<EventsRow, { readonly kind: 'room' }> & { readonly stateKey: string };

function isJoin(row: EventsRow): row is Join {
  return (
    row.kind !== 'room' && row.type === 'm.room.member' && row.membership === 'join' && row.stateKey !== null
  );
}

/**
 * Makes what sees to it that whoever comes to share a room learns who is there already: other servers of our users, and those here of users of
 * other servers. Changes are told as they happen, and only to those who share a room then. Server-Server API v1.19, "Presence".
 *
 * @returns a function to be called with each row of the events stream, and its position
 */
export function createNewcomers(
  context: TroupeContext,
  local: LocalPresence,
  remote: RemotePresence,
): (row: EventsRow, position: number) => Promise<void> {
  const { clock, ended, env } = context;
  const { db } = env;
  const { name: ownName } = env.config.server;

  /** A user of ours has come: the servers of the room are told. */
  async function introduce(userId: string, roomId: string, position: number): Promise<void> {
    // Which servers are in the room is read through a cache.
    await env.streams?.reached('events', position);
    const shown = local.find(userId);
    if (shown !== undefined && !ended.aborted) tellOtherServers(context, { ...shown, roomIds: [roomId] });
  }

  /** Somebody of another server has come: if it is the first, that server is told who of ours is there. */
  async function greet(host: string, roomId: string): Promise<void> {
    if ((await countJoinedOfHost(db, roomId, host)) > 1 || ended.aborted) return;
    const inRoom = local.all().filter(({ roomIds }) => roomIds.includes(roomId));
    for (const shown of inRoom.slice(0, TOLD_TO_NEWCOMER_MAX))
      context.ref('federation').tell('federation.queue-edu', {
        destination: host,
        edu: presenceEdu(shown, clock.now()),
      });
  }

  async function noteJoin({ eventId, roomId, stateKey: userId }: Join, position: number): Promise<void> {
    const host = domainOf(userId);
    const isOurs = host === ownName;
    if (!isOurs) await remote.enter(userId, roomId);
    // Nearly always nobody is there, or the user has only another name.
    const isNeeded = isOurs ? local.find(userId) !== undefined : local.all().length > 0;
    if (host === undefined || eventId === null || !isNeeded || ended.aborted) return;
    if (await wasJoinedBefore(db, eventId)) return;
    await (isOurs ? introduce(userId, roomId, position) : greet(host, roomId));
  }

  return async (row, position) => {
    if (row.kind === 'room' && (row.change === 'joined' || row.change === 'completed'))
      await remote.look(row.roomId);
    else if (isJoin(row)) await noteJoin(row, position);
  };
}
