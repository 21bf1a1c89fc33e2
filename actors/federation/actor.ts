import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { type FederationRow, federationStream } from '../../src/streams/federation-stream.ts';
import { cached } from '../cached.ts';
import { defineActor } from '../environment.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { FederationProtocol, OutgoingEdu } from './protocol.ts';

type QueueEvent = InputOf<FederationProtocol, 'federation.queue-event'>;

const MAILBOX_LIMIT = 50_000;
/** What waits for senders; beyond it the oldest makes room, which is counted. Events can be had from the database all the same. */
export const FEDERATION_ROWS_MAX = 200_000;

function eduRow(destination: string, edu: OutgoingEdu): FederationRow {
  return { kind: 'edu', destination, type: edu.type, content: edu.content, key: edu.key };
}

/**
 * Owner of the federation stream: what is to be sent to other servers, in memory, kept until every sender has acknowledged it.
 * Events are durable elsewhere: here stands only that they are to be sent.
 */
export const federationActor = defineActor<FederationProtocol>({
  name: 'federation',
  // Who has an event that does not go in sees to it: no event is pushed out by what comes later.
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  // One after another: looking up the servers of a room must not let a later message overtake an earlier one.
  order: { kind: 'serial' },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, federationStream, { rowsMax: FEDERATION_ROWS_MAX });
    const { name: ownName } = context.env.config.server;

    async function otherHosts(roomId: string): Promise<readonly string[]> {
      const hosts = await cached(context).get(hostsInRoom, roomId);
      return hosts.filter((host) => host !== ownName);
    }

    /** Those in the room after the event, and the one that it may have put out. */
    async function destinationsOf(event: QueueEvent): Promise<Set<string>> {
      const { roomId, position, removedUserId, furtherHosts = [], exceptHost, onlyHost } = event;
      if (onlyHost !== undefined) return new Set([onlyHost]);
      // The caches of another thread than that of the rooms know of the event only when its view does.
      await context.env.streams?.reached('events', position);
      const removed = removedUserId === undefined ? undefined : domainOf(removedUserId);
      const hosts = new Set([...(await otherHosts(roomId)), ...furtherHosts]);
      if (removed !== undefined && removed !== ownName) hosts.add(removed);
      if (exceptHost !== undefined) hosts.delete(exceptHost);
      return hosts;
    }

    return {
      handlers: {
        ...handlers,
        async 'federation.queue-room-edu'({ roomId, edu }) {
          for (const host of await otherHosts(roomId)) owner.append(eduRow(host, edu));
        },
        async 'federation.queue-rooms-edu'({ roomIds, edu }) {
          const hosts = new Set<string>();
          for (const roomId of roomIds) for (const host of await otherHosts(roomId)) hosts.add(host);
          for (const host of hosts) owner.append(eduRow(host, edu));
        },
        'federation.queue-edu'({ destination, edu }) {
          if (destination !== ownName) owner.append(eduRow(destination, edu));
        },
        async 'federation.queue-event'(event) {
          const { roomId, eventId, position: eventPosition } = event;
          for (const destination of await destinationsOf(event))
            owner.append({ kind: 'event', destination, roomId, eventId, eventPosition });
        },
      },
    };
  },
});
