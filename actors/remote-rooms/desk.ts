import type { ReadDb } from '../../db/kit/read-db.ts';
import type { FederationClient } from '../../src/federation/federation-client.ts';
import type { Clock } from '../../src/kit/clock.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { Logger } from '../../src/kit/logger.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { ServerKey } from '../../src/matrix/signing.ts';
import { answerOr } from '../answer-or.ts';
import type { TroupeContext } from '../environment.ts';
import type { ActorRef } from '../kit/ref.ts';
import type { PolicyServersProtocol } from '../policy-servers/protocol.ts';
import type { RoomsProtocol } from '../rooms/protocol.ts';
import type { CheckedEvent, ServerKeysProtocol } from '../server-keys/protocol.ts';

/** Events that are checked with one message: more would stand in memory several times. */
const CHECKED_AT_ONCE = 1_000;
/** How long a check may take: keys of servers that do not answer are waited for. Milliseconds. */
const CHECK_DEADLINE_MS = 120_000;
/** How long `rooms` may take: a large state is stored, or states are resolved. Milliseconds. */
export const ROOMS_DEADLINE_MS = 180_000;
/** Characters of `[A-Za-z0-9]` in the event ids that we choose: room versions 1 and 2. */
const LOCALPART_LENGTH = 18;

/** What memberships elsewhere need. */
export interface RemoteDesk {
  readonly db: ReadDb;
  readonly client: FederationClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signer: { readonly serverName: string; readonly key: ServerKey };
  readonly rooms: ActorRef<RoomsProtocol>;
  readonly keys: ActorRef<ServerKeysProtocol>;
  policyServers(): ActorRef<PolicyServersProtocol>;
  /** Aborted when this life of the actor ends. */
  readonly ended: AbortSignal;
  newEventLocalpart(): string;
  /** One outcome for each event, in order. */
  check(version: RoomVersion, events: readonly JsonObject[]): Promise<readonly CheckedEvent[] | Refusal>;
}

async function checkAll(
  keys: ActorRef<ServerKeysProtocol>,
  version: RoomVersion,
  events: readonly JsonObject[],
): Promise<readonly CheckedEvent[] | Refusal> {
  const parts = Array.from({ length: Math.ceil(events.length / CHECKED_AT_ONCE) }, (_, part) =>
    events.slice(part * CHECKED_AT_ONCE, (part + 1) * CHECKED_AT_ONCE),
  );
  // All at once: keys that cannot be had are waited for together.
  const answers = await Promise.all(
    parts.map((some) =>
      answerOr(
        keys.ask(
          'server-keys.check-events',
          { roomVersion: version.id, events: some },
          { deadlineMs: CHECK_DEADLINE_MS },
        ),
      ),
    ),
  );
  const refused = answers.find((answer) => isRefusal(answer));
  return refused ?? answers.flatMap((answer) => (isRefusal(answer) ? [] : answer.events));
}

/** Makes the desk of one life of the actor. */
export function createRemoteDesk(context: TroupeContext): RemoteDesk {
  const { db, config, serverKey, federationClient } = context.env;
  const keys = context.ref('server-keys');
  return {
    db,
    client: federationClient,
    clock: context.clock,
    log: context.log,
    signer: { serverName: config.server.name, key: serverKey },
    rooms: context.ref('rooms'),
    keys,
    policyServers: () => context.ref('policy-servers'),
    ended: context.ended,
    newEventLocalpart: () => context.random.text(LOCALPART_LENGTH),
    check: (version, events) => checkAll(keys, version, events),
  };
}
