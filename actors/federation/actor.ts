import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { type FederationRow, federationStream } from '../../src/streams/federation-stream.ts';
import { cached } from '../cached.ts';
import { defineActor } from '../environment.ts';
import { ownMemoryStream } from '../stream-owner.ts';
import type { FederationProtocol, OutgoingEdu } from './protocol.ts';

const MAILBOX_LIMIT = 50_000;

function eduRow(destination: string, edu: OutgoingEdu): FederationRow {
  return { kind: 'edu', destination, type: edu.type, content: edu.content, key: edu.key };
}

/**
 * Owner of the federation stream: what is to be sent to other servers, in memory, kept until every sender has acknowledged it.
 * Events are durable elsewhere: here stands only that they are to be sent.
 */
export const federationActor = defineActor<FederationProtocol>({
  name: 'federation',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'drop-oldest' },
  // One after another: looking up the servers of a room must not let a later message overtake an earlier one.
  order: { kind: 'serial' },
  start(context) {
    const { owner, handlers } = ownMemoryStream(context, federationStream);
    const { name: ownName } = context.env.config.server;

    async function otherHosts(roomId: string): Promise<readonly string[]> {
      const hosts = await cached(context).get(hostsInRoom, roomId);
      return hosts.filter((host) => host !== ownName);
    }

    return {
      handlers: {
        ...handlers,
        async 'federation.queue-room-edu'({ roomId, edu }) {
          for (const host of await otherHosts(roomId)) owner.append(eduRow(host, edu));
        },
        'federation.queue-edu'({ destination, edu }) {
          if (destination !== ownName) owner.append(eduRow(destination, edu));
        },
        async 'federation.queue-event'({ roomId, eventId, position }) {
          for (const destination of await otherHosts(roomId)) {
            owner.append({ kind: 'event', destination, eventId, eventPosition: position });
          }
        },
      },
    };
  },
});
