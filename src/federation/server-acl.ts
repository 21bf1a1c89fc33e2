import { findCurrentStateEntry, findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { isJsonObject } from '../kit/json.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import { redact } from '../matrix/events/redaction.ts';
import { getRoomVersion } from '../matrix/rooms/room-versions.ts';
import { compileServerAcl, type ServerAcl } from '../matrix/rooms/server-acl.ts';
import { type Caches, defineCache } from '../streams/cache.ts';

const SERVER_ACL = 'm.room.server_acl';
/** Patterns that stand in memory, over all rooms. */
const PATTERNS_MAX = 200_000;

interface RoomAcl {
  /** Null: everybody may take part. */
  readonly mayTakePart: ServerAcl | null;
  readonly patterns: number;
}

function countOf(value: unknown): number {
  return Array.isArray(value) ? value.length : 0;
}

async function loadAcl(db: ReadDb, roomId: string): Promise<RoomAcl> {
  const event = await findCurrentStateEvent(db, roomId, SERVER_ACL, '');
  if (event === undefined) return { mayTakePart: null, patterns: 0 };
  const pdu = JSON.parse(event.pdu) as Pdu;
  const { content } = event.redactedBy === null ? pdu : redact(getRoomVersion(event.roomVersion), pdu);
  const acl = isJsonObject(content) ? content : {};
  return { mayTakePart: compileServerAcl(acl), patterns: countOf(acl['allow']) + countOf(acl['deny']) };
}

/** Room id → which servers its present state lets take part. */
export const serverAclCache = defineCache<string, RoomAcl>({
  name: 'server-acl',
  sizeMax: PATTERNS_MAX,
  size: ({ patterns }) => 1 + patterns,
  load: loadAcl,
  reads: [findCurrentStateEntry],
  dependsOn: {
    'room-state': (fact) => (fact.type === SERVER_ACL ? [fact.roomId] : []),
    'room-changed': (fact) => [fact.roomId],
    event: (fact) => [fact.roomId],
  },
});

/**
 * Whether the server access control list of a room, if it has one, lets a server take part in it. True for a room that is not known.
 * Server-Server API v1.19, "Server Access Control Lists (ACLs)".
 */
export async function mayTakePart(caches: Caches, roomId: string, serverName: string): Promise<boolean> {
  const acl = await caches.get(serverAclCache, roomId);
  return acl.mayTakePart === null || acl.mayTakePart(serverName);
}
